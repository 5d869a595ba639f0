import Das3Adapt
import Das3Graph
import Das3TestSupport
import Testing

/// What a reference has predicted for one frame.
struct GoldenPrediction: Decodable {
  var file: String
  var entropy: Double
  /// Marks that rounding may set or not.
  var near_count: Int
}

/// Single steps that a reference has taken, in files of one folder.
protocol GoldenWalk {
  var folder: String { get }
  var model: SegmentationModel { get }
  /// Probabilities that are nearer than this may change places in float32.
  var near: Double { get }
  /// In the order of the files.
  var parameterNames: [String] { get }
  var predictions: [GoldenPrediction] { get }
}

extension GoldenWalk {
  /// All weights of the model with those of a file in the places of its parameters.
  ///
  /// What the file does not have, running statistics, is the model's. What it has of further
  /// classifiers follows.
  func weights(_ file: String) throws -> [Float] { try spread(file, over: model.onnx.weights) }

  /// What the optimiser remembers, likewise.
  func velocity(_ file: String) throws -> [Float] {
    try spread(file, over: [Float](repeating: 0, count: model.onnx.weights.count))
  }

  private func spread(_ file: String, over start: [Float]) throws -> [Float] {
    let values = try GoldenFile("\(folder)/\(file)").floats
    var (result, position) = (start, 0)
    for parameter in try parameters() {
      let count = parameter.shape.elementCount
      result.replaceSubrange(
        parameter.offset..<parameter.offset + count, with: values[position..<position + count])
      position += count
    }
    return result + values[position...]
  }

  /// The model's parameters in the order of the files.
  func parameters() throws -> [OnnxModel.Parameter] {
    try parameterNames.map { name in
      try #require(model.onnx.parameters.first { $0.name == name }, "'\(name)' is missing")
    }
  }

  /// Compares what the network says of a frame with the reference, and puts that in its place.
  ///
  /// Labels may differ where two classes are as probable within `near`, marks where a probability
  /// is as near to the threshold.
  func revise(_ prediction: inout Prediction, by file: String) throws {
    let wanted = try #require(predictions.first { $0.file == file }, "no \(file)")
    func bytes(_ kind: String) throws -> [UInt8] {
      try GoldenFile("\(folder)/\(file).\(kind)").bytes
    }
    let (labels, rivals) = (try bytes("labels"), try bytes("rivals"))
    let negatives = try bytes("negatives")
    let confidence = try GoldenFile("\(folder)/\(file).confidence").floats
    var (wrongLabels, wrongMarks, farthest) = (0, 0, Float(0))
    for index in labels.indices {
      let label = prediction.labels[index]
      if label != labels[index], label != rivals[index] { wrongLabels += 1 }
      farthest = max(farthest, abs(prediction.confidence[index] - confidence[index]))
    }
    for index in negatives.indices {
      wrongMarks += (negatives[index] ^ prediction.negatives[index]).nonzeroBitCount
    }
    #expect(wrongLabels == 0, "\(file): \(wrongLabels) labels are not the reference's")
    #expect(Double(farthest) <= near, "\(file): confidence is off by \(farthest)")
    #expect(wrongMarks <= wanted.near_count, "\(file): \(wrongMarks) marks")
    #expect(abs(prediction.meanEntropy - wanted.entropy) <= 3e-6, "\(file): entropy")
    prediction.labels = labels
    prediction.confidence = confidence
    prediction.negatives = negatives
    prediction.meanEntropy = wanted.entropy
  }
}
