import Das3Adapt
import Das3Graph
import Das3Runtime
import Das3TestSupport
import Foundation
import Testing

/// Single steps of every stage of ESPNet, each with what it starts from: `Tests/Golden/steps.py`
/// took them in float64.
struct GoldenSteps {
  /// steps.json.
  struct Record: Decodable {
    struct Settings: Decodable {
      var steps: Int
      var momentum, weight_decay, alpha, beta, gamma, lambda, lambda_neg: Float
      var positive_weight, negative_weight, easy_weight, mixed_weight, teacher_momentum: Float
      var power, positive_share, easy_share: Double
      var rates: [Float]
    }
    struct Step: Decodable {
      var frames: [Int]
      var values: [Double]
      var gradient_norm, rate: Double
      /// Of the gradient's part of each parameter.
      var norms: [Double]
    }
    struct Prediction: Decodable {
      var file: String
      var entropy: Double
      /// Marks that rounding may set or not.
      var near_count: Int
    }
    var model: String
    /// Probabilities that are nearer than this may change places in float32.
    var near: Double
    var settings: Settings
    var parameters: [String]
    var stages: [String: [Step]]
    var predictions: [Prediction]
  }

  let record: Record
  let model: SegmentationModel
  let frames: FrameSet

  init() throws {
    record = try JSONDecoder().decode(
      Record.self, from: Data(contentsOf: GoldenFile.url("single/steps.json")))
    model = try Self.network(record.model)
    frames = try Self.frames { "single/frame\($0)" }
  }

  /// A shared network with the file beside it.
  static func network(_ name: String) throws -> SegmentationModel {
    let path = SharedData.url(name).path
    let onnx = try OnnxImport.load(
      path: path, allowsExternalData: false, limits: OnnxImport.Limits())
    return try SegmentationModel(
      onnx, metadata: Metadata([try OnnxImport.sidecar(ofModel: path).object].compactMap { $0 }))
  }

  /// Four frames of 480×360, RGB, by the names of their files.
  static func frames(_ name: (Int) -> String) throws -> FrameSet {
    FrameSet(
      try (0..<4).map { index in
        try GoldenFile(name(index)).bytes.withUnsafeBytes { bytes in
          StoredFrame(
            try Frame(
              data: try #require(bytes.baseAddress), height: 360, width: 480, strideBytes: 0,
              format: 1),
            channelCount: 3)
        }
      })
  }

  /// The reference's settings: nothing drawn, no mirror images, plain SGD, every second class cut.
  func settings(_ execution: ExecutionOptions) -> AdaptationSettings {
    let wanted = record.settings
    var settings = AdaptationSettings(execution: execution, height: 360, width: 480)
    settings.method = .das3
    settings.rule = .sgd
    settings.clipNorm = 0
    settings.a = .init(steps: wanted.steps, rate: wanted.rates[0])
    settings.b = .init(steps: wanted.steps, rate: wanted.rates[1])
    settings.c = .init(steps: wanted.steps, rate: wanted.rates[2])
    (settings.power, settings.momentum) = (wanted.power, wanted.momentum)
    settings.weightDecay = wanted.weight_decay
    (settings.alpha, settings.beta) = (wanted.alpha, wanted.beta)
    (settings.gamma, settings.lambda) = (wanted.gamma, wanted.lambda)
    settings.positiveShare = wanted.positive_share
    settings.negativeThreshold = wanted.lambda_neg
    settings.positiveWeight = wanted.positive_weight
    settings.negativeWeight = wanted.negative_weight
    (settings.easyWeight, settings.mixedWeight) = (wanted.easy_weight, wanted.mixed_weight)
    settings.easyShare = wanted.easy_share
    settings.teacherMomentum = wanted.teacher_momentum
    settings.labelRounds = 1
    settings.balancesClasses = false
    (settings.mirrors, settings.draws, settings.augments) = (false, false, false)
    (settings.mixing, settings.enlarges) = (.classes, false)
    return settings
  }

  /// All weights of the model with those of a file in the places of its parameters; what the file
  /// does not have, running statistics, is the model's.
  func weights(_ file: String) throws -> [Float] { try spread(file, over: model.onnx.weights) }

  /// What the optimiser remembers, likewise.
  func velocity(_ file: String) throws -> [Float] {
    try spread(file, over: [Float](repeating: 0, count: model.onnx.weights.count))
  }

  private func spread(_ file: String, over start: [Float]) throws -> [Float] {
    let values = try GoldenFile("single/\(file)").floats
    var (result, position) = (start, 0)
    for parameter in try parameters() {
      let count = parameter.shape.elementCount
      result.replaceSubrange(
        parameter.offset..<parameter.offset + count, with: values[position..<position + count])
      position += count
    }
    #expect(position == values.count)
    return result
  }

  /// The model's parameters in the order of the files.
  func parameters() throws -> [OnnxModel.Parameter] {
    try record.parameters.map { name in
      try #require(model.onnx.parameters.first { $0.name == name }, "'\(name)' is missing")
    }
  }

  /// Compares what the network says of a frame with the reference, and puts that in its place.
  ///
  /// Labels may differ where two classes are as probable within `near`, marks where a probability
  /// is as near to the threshold.
  func revise(_ prediction: inout Prediction, by file: String) throws {
    let wanted = try #require(record.predictions.first { $0.file == file }, "no \(file)")
    func bytes(_ kind: String) throws -> [UInt8] { try GoldenFile("single/\(file).\(kind)").bytes }
    let (labels, rivals) = (try bytes("labels"), try bytes("rivals"))
    let negatives = try bytes("negatives")
    let confidence = try GoldenFile("single/\(file).confidence").floats
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
    #expect(Double(farthest) <= record.near, "\(file): confidence is off by \(farthest)")
    #expect(wrongMarks <= wanted.near_count, "\(file): \(wrongMarks) marks")
    #expect(abs(prediction.meanEntropy - wanted.entropy) <= 3e-6, "\(file): entropy")
    prediction.labels = labels
    prediction.confidence = confidence
    prediction.negatives = negatives
    prediction.meanEntropy = wanted.entropy
  }
}
