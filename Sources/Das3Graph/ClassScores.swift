/// The order of the dimensions of images and scores in a file.
package enum Layout: String, Sendable {
  /// N×C×H×W.
  case channelsFirst = "nchw"
  /// N×H×W×C.
  case channelsLast = "nhwc"

  package var channelAxis: Int { self == .channelsFirst ? 1 : 3 }
  package var heightAxis: Int { self == .channelsFirst ? 2 : 1 }
}

/// The graph input that takes the image.
package struct ImagePort: Sendable {
  package let name: String
  /// 1 or 3.
  package let channelCount: Int
  package let layout: Layout
  /// In pixels; nil where the file leaves the size open.
  package let fixedHeight: Int?
  package let fixedWidth: Int?

  /// Finds the layout from the sizes, or from the metadata where the sizes do not decide it.
  ///
  /// - Throws: `.unsupported` or `.shape` where the graph does not take exactly one image.
  init(_ onnx: OnnxModel, metadata: Metadata) throws(Das3Error) {
    guard let port = onnx.inputs.first, onnx.inputs.count == 1 else {
      throw .unsupported("the graph has \(onnx.inputs.count) inputs; expected one image")
    }
    let place = "input '\(port.name)'"
    guard port.isFloat else { throw .unsupported("\(place) is not a float tensor") }
    guard let dims = port.dims, dims.count == 4 else {
      throw .unsupported(
        "\(place) has \(port.dims?.count ?? 0) dimensions; expected an image N×C×H×W or N×H×W×C")
    }
    let shown = dims.map { $0.map(String.init) ?? "?" }.joined(separator: "×")
    if let batch = dims[0], batch < 1 {
      throw .shape("\(place) is \(shown): a batch of \(batch); expected 1 or an open size")
    }
    func canBeChannels(_ axis: Int) -> Bool { [1, 3].contains(dims[axis] ?? 3) }
    switch (metadata.inputLayout, canBeChannels(1), canBeChannels(3)) {
    case (let stated?, _, _):
      guard canBeChannels(stated.channelAxis) else {
        throw .unsupported("\(place) is \(shown); metadata 'input.layout' is '\(stated.rawValue)'")
      }
      layout = stated
    case (nil, true, false): layout = .channelsFirst
    case (nil, false, true): layout = .channelsLast
    case (nil, true, true):
      if dims[1] != nil, dims[3] != nil {
        throw .unsupported(
          "\(place) is \(shown), channels first or last; say which by metadata 'input.layout', 'nchw' or 'nhwc'"
        )
      }
      // A stated size is a stronger sign of channels than an open one.
      layout = dims[1] == nil && dims[3] != nil ? .channelsLast : .channelsFirst
    case (nil, false, false):
      throw .unsupported("\(place) is \(shown); expected 1 or 3 channels, first or last")
    }
    channelCount = dims[layout.channelAxis] ?? 3
    fixedHeight = dims[layout.heightAxis]
    fixedWidth = dims[layout.heightAxis + 1]
    if (fixedHeight ?? 1) < 1 || (fixedWidth ?? 1) < 1 {
      throw .shape(
        "\(place) is \(fixedHeight ?? 0)×\(fixedWidth ?? 0) pixels; expected at least 1×1")
    }
    name = port.name
  }
}

/// The value that holds the scores of all classes, and how to bring it to 1×C×h×w.
package struct ClassScores: Sendable {
  /// The name of the ONNX value.
  package var name: String
  /// The axis of the value along which the classes lie.
  package var classAxis: Int
  /// The scores are probabilities.
  package var isProbability = false
  /// There is one channel, the score of class 1 against class 0.
  package var isBinary = false
  /// One sentence that says how the scores were found.
  package var path = ""
  /// Sentences about assumptions that may be wrong.
  package var doubts: [String] = []

  /// Whether the number of class names fits the number of channels.
  ///
  /// With one channel there are two classes.
  static func fits(channels: Int, names: Int) -> Bool {
    names == channels || (channels == 1 && names == 2)
  }

  /// Adds the nodes that turn the value `id` into scores 1×C×h×w.
  ///
  /// One channel becomes two. A score z of class 1 gets the score 0 for class 0 beside it, so that
  /// softmax gives σ(z); a probability p gets 1 − p.
  func present(_ id: GraphBuilder.ValueID, in builder: inout GraphBuilder) throws(Das3Error)
    -> GraphBuilder.ValueID
  {
    let shape = builder.shape(id)
    guard shape.rank == 3 || shape.rank == 4, classAxis < shape.rank else {
      throw .shape("the scores are \(shape); expected C×h×w or 1×C×h×w in some order")
    }
    // A value without a batch axis holds one image.
    var scores = try shape.rank == 4 ? id : builder.reshape(id, [1] + shape.dims)
    let axis = shape.rank == 4 ? classAxis : classAxis + 1
    scores = try builder.transpose(scores, [0, axis] + (1..<4).filter { $0 != axis })
    guard isBinary else { return scores }
    guard isProbability else {
      return try builder.emit(.index(Index(tables: [nil, [-1, 0], nil, nil])), [scores])
    }
    let one = builder.scalar(1)
    let rest = try builder.binary(.subtract, one, scores)
    return try builder.emit(.concat(Concat(axis: 1)), [rest, scores])
  }
}
