/// An ONNX model understood as a segmentation network: which value holds the class scores, what
/// frames must look like, what the classes are called.
package final class SegmentationModel: Sendable {
  package let onnx: OnnxModel
  package let metadata: Metadata
  package let inputName: String
  /// The value with one score per class and pixel: N×C×h×w.
  package let scoresName: String
  /// The scores are probabilities already.
  package let isProbability: Bool
  package let channelCount: Int
  package let classCount: Int
  /// nil where the file leaves it open.
  package let fixedHeight: Int?
  package let fixedWidth: Int?
  /// The largest factor by which the network makes its input smaller.
  package let strideMultiple: Int
  /// Indices of the parameters of the last layers before the scores.
  package let classifierParameters: Set<Int>
  /// Indices of scales and shifts of BatchNormalization.
  package let batchNormParameters: Set<Int>

  package var classes: [String] {
    metadata.classes ?? (0..<classCount).map { "class \($0)" }
  }

  package func colour(_ index: Int) -> Metadata.Colour {
    if let colours = metadata.colours, index < colours.count { return colours[index] }
    return Metadata.defaultColour(index)
  }

  /// - Throws: `.unsupported` where it is no segmentation network or has an operator we lack,
  ///   `.shape` where sizes or class names do not fit.
  package init(
    _ onnx: OnnxModel, metadata: Metadata, deadline: Deadline = Deadline(milliseconds: 0)
  )
    throws(Das3Error)
  {
    self.onnx = onnx
    self.metadata = metadata
    guard let port = onnx.inputs.first, onnx.inputs.count == 1 else {
      throw .unsupported("the graph has \(onnx.inputs.count) inputs; expected one image")
    }
    guard port.isFloat else { throw .unsupported("input '\(port.name)' is not a float tensor") }
    guard let dims = port.dims, dims.count == 4 else {
      throw .unsupported(
        "input '\(port.name)' has \(port.dims?.count ?? 0) dimensions; expected N×C×H×W")
    }
    guard (dims[0] ?? 1) >= 1, (dims[1] ?? 3) == 3 || dims[1] == 1 else {
      throw .unsupported(
        "input '\(port.name)' has \(dims[1] ?? 0) channels; expected 1 or 3 before H×W")
    }
    guard (dims[2] ?? 1) >= 1, (dims[3] ?? 1) >= 1 else {
      throw .shape(
        "input '\(port.name)' is \(dims[2] ?? 0)×\(dims[3] ?? 0) pixels; expected at least 1×1")
    }
    inputName = port.name
    channelCount = dims[1] ?? 3
    fixedHeight = dims[2]
    fixedWidth = dims[3]
    let tail = try ScoreSearch(onnx, wanted: metadata.outputName)
    scoresName = tail.name
    // The file may call its output probabilities; before its softmax they are none yet.
    isProbability = !tail.isBeforeSoftmax && metadata.isProbability ?? tail.isProbability

    var failure: Das3Error?
    var probe: Graph?
    for size in [256, 512, 224] where probe == nil {
      do throws(Das3Error) {
        probe = try GraphBuilder.build(
          onnx,
          inputs: [(port.name, [1, dims[1] ?? 3, dims[2] ?? size, dims[3] ?? size])],
          outputs: [tail.name])
      } catch {
        failure = failure ?? error
      }
      try deadline.check()
      if dims[2] != nil, dims[3] != nil { break }
    }
    guard let probe else { throw failure ?? .unsupported("the graph could not be built") }
    guard let output = probe.outputs.first, case let scores = probe.values[output].shape,
      scores.rank == 4, scores[1] >= 1, scores[1] <= 255
    else {
      throw .unsupported(
        "output '\(tail.name)' is \(probe.outputs.first.map { probe.values[$0].shape.description } ?? "missing"); expected class scores N×C×h×w with at most 255 classes"
      )
    }
    classCount = scores[1]
    strideMultiple = probe.strideMultiple
    classifierParameters = probe.classifierParameters.filter { !onnx.parameters[$0].isStatistic }
    batchNormParameters = probe.batchNormParameters
    if let classes = metadata.classes, classes.count != scores[1] {
      throw .shape("metadata names \(classes.count) classes; the network scores \(scores[1])")
    }
  }

  /// The same network with other weights, which must be as many.
  package convenience init(_ base: SegmentationModel, weights: [Float], provenance: Provenance)
    throws(Das3Error)
  {
    self.init(base, try base.onnx.with(weights: weights, provenance: provenance))
  }

  /// The same network with the weights of `onnx`, a model of the same graph.
  package init(_ base: SegmentationModel, _ onnx: OnnxModel) {
    self.onnx = onnx
    metadata = base.metadata
    inputName = base.inputName
    scoresName = base.scoresName
    isProbability = base.isProbability
    channelCount = base.channelCount
    classCount = base.classCount
    fixedHeight = base.fixedHeight
    fixedWidth = base.fixedWidth
    strideMultiple = base.strideMultiple
    classifierParameters = base.classifierParameters
    batchNormParameters = base.batchNormParameters
  }

  /// Writes the ONNX file it came from with its own weights, and with the metadata that came from
  /// elsewhere.
  package func save(to path: String, version: String) throws(Das3Error) {
    try onnx.save(
      to: path, metadata: metadata.entries(missingFrom: onnx.metadata), version: version)
  }

  /// The graph for frames of one size, from the image to the class scores.
  package func graph(height: Int, width: Int) throws(Das3Error) -> Graph {
    if let fixedHeight, fixedHeight != height {
      throw .shape("height is \(height); the network is fixed to \(fixedHeight)")
    }
    if let fixedWidth, fixedWidth != width {
      throw .shape("width is \(width); the network is fixed to \(fixedWidth)")
    }
    let graph = try GraphBuilder.build(
      onnx, inputs: [(inputName, [1, channelCount, height, width])], outputs: [scoresName])
    let scores = graph.outputs.map { graph.values[$0].shape }
    guard let first = scores.first, first.rank == 4, first[0] == 1, first[1] == classCount else {
      throw .shape(
        "the scores are \(scores.first?.description ?? "missing") at \(height)×\(width); expected 1×\(classCount)×h×w"
      )
    }
    return graph
  }
}

extension SegmentationModel {
  /// The graph that is trained: as `graph`, but to scores before a softmax.
  ///
  /// Probabilities are put through a logarithm, whose softmax gives them back.
  package func trainingGraph(height: Int, width: Int) throws(Das3Error) -> Graph {
    var graph = try graph(height: height, width: width)
    guard isProbability else { return graph }
    // Far below what float32 tells apart from 0 in a sum of probabilities.
    graph.appendToOutput(Unary(kind: .clip, a: 1e-30, b: 1))
    graph.appendToOutput(Unary(kind: .log))
    return graph
  }
}

/// Walks from a graph output back over what only presents the scores: arg max, softmax, casts.
private struct ScoreSearch {
  private(set) var name: String
  private(set) var isProbability = false
  private(set) var isBeforeSoftmax = false

  init(_ onnx: OnnxModel, wanted: String?) throws(Das3Error) {
    let producers = Dictionary(
      onnx.nodes.flatMap { node in node.outputs.map { ($0, node) } },
      uniquingKeysWith: { first, _ in first })
    if let wanted {
      guard producers[wanted] != nil else {
        throw .argument("metadata 'output.name' is '\(wanted)', which no node makes")
      }
      name = wanted
      return
    }
    guard let first = onnx.outputs.first else { throw .format("the graph has no output") }
    // Auxiliary heads are usually later, smaller or of another rank.
    name = (onnx.outputs.first { $0.dims?.count == 4 } ?? first).name
    // In a graph with a circle the walk would not end.
    for _ in onnx.nodes {
      guard let node = producers[name], let input = node.inputs.first else { return }
      switch node.opType {
      case "ArgMax", "Cast", "Squeeze", "Identity", "Unsqueeze": break
      case "Softmax", "LogSoftmax":
        // Not the softmax of an attention: scores are normalised over channels.
        let axis = node.attributes["axis"]?.value
        guard case .int(let value)? = axis, value == 1 || value == -3 else { return }
        name = input
        isBeforeSoftmax = true
        return
      case "Resize", "Upsample":
        isProbability = Self.isSoftmax(producers, input)
        return
      default: return
      }
      name = input
    }
  }

  private static func isSoftmax(_ producers: [String: OnnxModel.Node], _ name: String) -> Bool {
    guard let node = producers[name], node.opType == "Softmax" else { return false }
    if case .int(let axis)? = node.attributes["axis"]?.value { return axis == 1 || axis == -3 }
    return false
  }
}

extension Graph {
  /// The largest product of strides on a way from the input, less what enlarges again.
  fileprivate var strideMultiple: Int {
    var strides = [Int](repeating: 1, count: values.count)
    var largest = 1
    for node in nodes {
      var stride = node.inputs.map { strides[$0] }.max() ?? 1
      switch node.operation {
      case .conv(let conv): stride *= max(conv.window.strideY, conv.window.strideX)
      case .maxPool(let pool): stride *= max(pool.window.strideY, pool.window.strideX)
      case .averagePool(let pool): stride *= max(pool.window.strideY, pool.window.strideX)
      case .convTranspose(let conv):
        stride = max(1, stride / max(conv.window.strideY, conv.window.strideX))
      case .resize, .resample, .gridSample, .index, .slice:
        let (x, y) = (values[node.inputs[0]].shape, values[node.output].shape)
        if x.rank == 4, y.rank == 4, y[2] > x[2], x[2] > 0 { stride = max(1, stride * x[2] / y[2]) }
      case .matMul:
        // Attention: the result lies where the queries do.
        stride = strides[node.inputs[0]]
      case .batchNorm, .layerNorm, .groupNorm, .unary, .binary, .select, .reduce, .argMax, .softmax,
        .concat, .transpose, .reshape, .expand:
        break
      }
      // A pooling over the whole image says nothing about sizes that fit.
      if stride > 64 { stride = node.inputs.map { strides[$0] }.max() ?? 1 }
      strides[node.output] = stride
      largest = max(largest, stride)
    }
    return largest
  }
}
