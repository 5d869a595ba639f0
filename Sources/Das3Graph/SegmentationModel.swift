/// An ONNX model as a segmentation network: the value that holds the class scores, the form of the
/// frames, and the names of the classes.
package final class SegmentationModel: Sendable {
  package let onnx: OnnxModel
  package let metadata: Metadata
  package let image: ImagePort
  package let scores: ClassScores
  package let classCount: Int
  /// The largest factor by which the network reduces the size of its input.
  package let strideMultiple: Int
  /// Indices of the parameters of the last layers before the scores.
  package let classifierParameters: Set<Int>
  /// Indices of scales and shifts of BatchNormalization.
  package let batchNormParameters: Set<Int>
  /// Statistics of the scenes that the network was adapted to; nil = it has one set.
  package let scenes: SceneBank?
  /// Why scenes of the file are not used; nil = they are, or there are none.
  package let sceneDoubt: String?

  package var channelCount: Int { image.channelCount }
  package var fixedHeight: Int? { image.fixedHeight }
  package var fixedWidth: Int? { image.fixedWidth }

  package var classes: [String] {
    guard let names = metadata.classes else { return (0..<classCount).map { "class \($0)" } }
    return backgroundCount > 0 ? ["background"] + names : names
  }

  /// 1 where the metadata names one class of two; the other class is then the background.
  private var backgroundCount: Int { scores.isBinary && metadata.classes?.count == 1 ? 1 : 0 }

  package func colour(_ index: Int) -> Metadata.Colour {
    guard let colours = metadata.colours else { return Metadata.defaultColour(index) }
    if index < backgroundCount, colours.count < classCount { return Metadata.Colour() }
    let place = colours.count < classCount ? index - backgroundCount : index
    return place < colours.count ? colours[place] : Metadata.defaultColour(index)
  }

  /// - Throws: `.unsupported` where it is not a segmentation network or has an unsupported
  ///   operator, `.shape` where sizes or class names do not fit.
  package init(
    _ onnx: OnnxModel, metadata: Metadata, deadline: Deadline = Deadline(milliseconds: 0)
  )
    throws(Das3Error)
  {
    self.onnx = onnx
    self.metadata = metadata
    image = try ImagePort(onnx, metadata: metadata)
    var failure: Das3Error?
    var found: (scores: ClassScores, probe: Graph)?
    for side in [256, 512, 224] where found == nil {
      let size = (height: image.fixedHeight ?? side, width: image.fixedWidth ?? side)
      do throws(Das3Error) {
        let search = try ScoreSearch(
          onnx, metadata: metadata, image: image, size: size, deadline: deadline)
        let scores = try search.find()
        let probe = try GraphBuilder.build(
          onnx, image: image, size: size, scores: scores, deadline: deadline)
        found = (scores, probe)
      } catch {
        failure = failure ?? error
      }
      try deadline.check()
      if image.fixedHeight != nil, image.fixedWidth != nil { break }
    }
    guard let (scores, probe) = found, let output = probe.outputs.first else {
      throw failure ?? .unsupported("the graph could not be built")
    }
    self.scores = scores
    classCount = probe.values[output].shape[1]
    strideMultiple = probe.strideMultiple
    classifierParameters = probe.classifierParameters.filter { !onnx.parameters[$0].isStatistic }
    batchNormParameters = probe.batchNormParameters
    do throws(SceneBank.Doubt) {
      scenes = try SceneBank(onnx, momentCount: 2 * image.channelCount)
      sceneDoubt = nil
    } catch {
      scenes = nil
      sceneDoubt =
        "the model's statistics of scenes are not used, \(error.reason); its plain network is, and "
        + "adapting with scenes and saving once more make new ones"
    }
    let channels = scores.isBinary ? 1 : classCount
    if let names = metadata.classes?.count, !ClassScores.fits(channels: channels, names: names) {
      throw .shape("metadata names \(names) classes; the network scores \(classCount)")
    }
  }

  /// The same network with other weights, of which there must be as many, and other scenes.
  package convenience init(
    _ base: SegmentationModel, weights: [Float], scenes: SceneBank? = nil, provenance: Provenance
  ) throws(Das3Error) {
    self.init(
      base, try base.onnx.with(weights: weights, provenance: provenance), scenes: scenes)
  }

  /// The same network with the weights of `onnx`, a model with the same graph, and other scenes.
  package init(_ base: SegmentationModel, _ onnx: OnnxModel, scenes: SceneBank? = nil) {
    self.onnx = onnx
    self.scenes = scenes
    sceneDoubt = nil
    metadata = base.metadata
    image = base.image
    scores = base.scores
    classCount = base.classCount
    strideMultiple = base.strideMultiple
    classifierParameters = base.classifierParameters
    batchNormParameters = base.batchNormParameters
  }

  /// Writes the ONNX file of the model with its present weights, and adds the metadata that came
  /// from other sources.
  package func save(to path: String, version: String) throws(Das3Error) {
    try onnx.save(
      to: path,
      metadata: metadata.entries(missingFrom: onnx.metadata)
        + SceneBank.entries(scenes, of: onnx), version: version)
  }

  /// The graph for frames of one size, from the image to the class scores.
  package func graph(height: Int, width: Int) throws(Das3Error) -> Graph {
    let wrong = [("height", height, image.fixedHeight), ("width", width, image.fixedWidth)]
      .filter { $0.2 ?? $0.1 != $0.1 }
    guard wrong.isEmpty else {
      let given = wrong.map { "\($0.0) is \($0.1)" }.joined(separator: " and ")
      let fixed = wrong.map { "\($0.0) \($0.2 ?? 0)" }.joined(separator: " and ")
      throw .shape("\(given); the network is fixed to \(fixed)")
    }
    let graph = try GraphBuilder.build(
      onnx, image: image, size: (height: height, width: width), scores: scores)
    let shape = graph.outputs.first.map { graph.values[$0].shape }
    guard let shape, shape[1] == classCount, shape.elementCount > 0 else {
      throw .shape(
        "the scores are \(shape?.description ?? "missing") at \(height)×\(width); expected 1×\(classCount)×h×w"
      )
    }
    return graph
  }
}

extension SegmentationModel {
  /// The graph for training: the same as `graph`, but with scores before the softmax.
  ///
  /// Where the network gives probabilities, their logarithm is the score: its softmax gives the
  /// probabilities back.
  package func trainingGraph(height: Int, width: Int) throws(Das3Error) -> Graph {
    var graph = try graph(height: height, width: width)
    guard scores.isProbability else { return graph }
    // In a sum of probabilities float32 does not distinguish 1e-30 from 0.
    graph.appendToOutput(Unary(kind: .clip, a: 1e-30, b: 1))
    graph.appendToOutput(Unary(kind: .log))
    return graph
  }
}

extension Graph {
  /// The largest product of strides on a path from the input; layers that enlarge reduce the
  /// product.
  fileprivate var strideMultiple: Int {
    var strides = [Int](repeating: 1, count: values.count)
    var largest = 1
    for node in nodes {
      var stride = node.inputs.map { strides[$0] }.max() ?? 1
      switch node.operation.rules.facts.spacing {
      case .kept: break
      // In attention the positions of the result are those of the queries.
      case .ofFirstInput: stride = strides[node.inputs[0]]
      case .times(let factor): stride *= factor
      case .dividedBy(let factor): stride = max(1, stride / factor)
      case .enlarged:
        let (x, y) = (values[node.inputs[0]].shape, values[node.output].shape)
        if x.rank == 4, y.rank == 4, y[2] > x[2], x[2] > 0 { stride = max(1, stride * x[2] / y[2]) }
      }
      // A stride above 64 is a pooling over the whole image, which fits every size.
      if stride > 64 { stride = node.inputs.map { strides[$0] }.max() ?? 1 }
      strides[node.output] = stride
      largest = max(largest, stride)
    }
    return largest
  }
}
