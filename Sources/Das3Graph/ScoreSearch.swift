/// Finds the class scores of a network.
///
/// It walks from the outputs of the graph back over the operators that only present scores (arg
/// max, softmax, casts, transposes).
struct ScoreSearch {
  private let onnx: OnnxModel
  private let metadata: Metadata
  private let image: ImagePort
  private let size: (height: Int, width: Int)
  /// Shape and type of the named values for an image of `size`.
  private let values: [String: ValueInfo]
  private let failure: Das3Error?
  private let producers: [String: OnnxModel.Node]

  init(
    _ onnx: OnnxModel, metadata: Metadata, image: ImagePort, size: (height: Int, width: Int),
    deadline: Deadline
  ) throws(Das3Error) {
    self.onnx = onnx
    self.metadata = metadata
    self.image = image
    self.size = size
    (values, failure) = try GraphBuilder.survey(
      onnx, image: image, size: size, deadline: deadline)
    producers = Dictionary(
      onnx.nodes.flatMap { node in node.outputs.map { ($0, node) } },
      uniquingKeysWith: { first, _ in first })
  }

  /// The scores behind the output that the metadata names, or else behind the output that fits
  /// best.
  ///
  /// - Throws: `.unsupported` with what was found at the outputs and which metadata would help.
  func find() throws(Das3Error) -> ClassScores {
    if let wanted = metadata.outputName {
      guard producers[wanted] != nil else {
        throw .argument("metadata 'output.name' is '\(wanted)', which no node makes")
      }
      return try scores(behind: wanted)
    }
    guard let first = onnx.outputs.first else { throw .format("the graph has no output") }
    try refuseInstances()
    var found: [ClassScores] = []
    var names: [String] = []
    var refusal: Das3Error?
    for port in onnx.outputs {
      do throws(Das3Error) {
        let scores = try scores(behind: port.name)
        // Labels and the scores that they are made from are often both outputs.
        if !found.contains(where: { $0.name == scores.name }) {
          found.append(scores)
          names.append(port.name)
        }
      } catch {
        refusal = refusal ?? error
      }
    }
    guard let best = best(of: found) else {
      throw refusal ?? .unsupported("output '\(first.name)' holds no class scores")
    }
    var result = found[best]
    let others = onnx.outputs.map(\.name).filter { $0 != names[best] }
      .filter { name in (try? scores(behind: name))?.name != result.name }
    if !others.isEmpty {
      result.doubts.append(
        "the class scores are taken from output '\(names[best])', not from \(others.map { "'\($0)'" }.joined(separator: ", ")); metadata 'output.name' chooses another"
      )
    }
    return result
  }

  // MARK: Which output

  /// Refuses networks for instance segmentation, which have boxes or queries beside masks: their
  /// masks are not classes.
  private func refuseInstances() throws(Das3Error) {
    guard onnx.outputs.count > 1 else { return }
    for port in onnx.outputs {
      guard let info = values[port.name], info.type == .float32, info.shape.rank == 3 else {
        continue
      }
      let dims = info.shape.dims
      if dims[0] == 1, isMap(dims[1], dims[2]) { continue }
      throw .unsupported(
        "output '\(port.name)' is \(info.shape), as of boxes or queries of instance segmentation; expected class scores N×C×h×w. Metadata 'output.name' chooses an output that holds them"
      )
    }
  }

  /// The best of several scores: those with as many classes as there are names, then those with
  /// several classes, then those with the longest path from the image.
  private func best(of found: [ClassScores]) -> Int? {
    guard found.count > 1 else { return found.isEmpty ? nil : 0 }
    let depths = depths
    let ranks = found.map { scores in
      let count = values[scores.name]?.shape[scores.classAxis] ?? 0
      let fits = metadata.classes.map { ClassScores.fits(channels: count, names: $0.count) } ?? true
      return (fits ? 1 : 0, count > 1 ? 1 : 0, depths[scores.name] ?? 0)
    }
    return ranks.indices.max { ranks[$0] == ranks[$1] ? $0 > $1 : ranks[$0] < ranks[$1] }
  }

  /// The number of nodes on the longest path from the image to each value.
  private var depths: [String: Int] {
    var depths: [String: Int] = [image.name: 0]
    for node in onnx.nodes {
      let depth = node.inputs.compactMap { depths[$0] }.max().map { $0 + 1 }
      for name in node.outputs { depths[name] = depth }
    }
    return depths
  }

  // MARK: One output

  private func scores(behind output: String) throws(Das3Error) -> ClassScores {
    guard producers[output] != nil || output == image.name else {
      throw .format("output '\(output)' is made by no node")
    }
    var walk = try labels(behind: output) ?? Walk(name: output)
    try followProbabilities(&walk)
    guard let info = values[walk.name] else {
      throw failure ?? .unsupported("output '\(output)' could not be made")
    }
    let place = "'\(walk.name)', \(info.shape), behind output '\(output)'"
    guard info.type == .float32, info.shape.rank == 4 || (info.shape.rank == 3 && walk.axis != nil)
    else {
      throw .unsupported("\(place) is not class scores N×C×h×w")
    }
    let (axis, reason) = try classAxis(walk, info.shape, place)
    guard info.shape.rank == 3 || (axis >= 1 && info.shape[0] == 1) else {
      throw .unsupported("\(place) has classes on axis \(axis); expected one image and its classes")
    }
    guard info.shape.elementCount > 0 else {
      throw .shape("\(place) has no elements; expected scores of at least one pixel")
    }
    let channels = info.shape[axis]
    guard channels <= 255 else {
      throw .unsupported("\(place) has \(channels) classes; at most 255 are supported")
    }
    if channels == 1, walk.isLabelled {
      throw .unsupported("\(place) has one channel under an ArgMax: all labels would be 0")
    }
    var result = ClassScores(name: walk.name, classAxis: axis)
    result.isBinary = channels == 1
    // The metadata may call the output probabilities. Before the softmax the values are not yet.
    result.isProbability = !walk.isBeforeSoftmax && metadata.isProbability ?? walk.isProbability
    let passed =
      walk.passed.isEmpty ? "" : " before \(walk.passed.reversed().joined(separator: ", "))"
    let kind = result.isProbability ? "probabilities" : "scores"
    let count = channels == 1 ? "one channel, class 1 against class 0" : "\(channels) classes"
    result.path =
      "output '\(output)': \(kind) '\(walk.name)'\(passed), \(count) on axis \(axis) (\(reason))"
    if channels == 1, !walk.isBeforeSoftmax, !walk.isProbability, metadata.classes == nil {
      result.doubts.append(
        "'\(walk.name)' has one channel and no Sigmoid; it is read as the logit of class 1 against class 0"
      )
    }
    if channels > 1, walk.isSigmoid {
      result.doubts.append(
        "'\(output)' is a Sigmoid of \(channels) classes, each for itself; the largest score is taken as the label"
      )
    }
    return result
  }

  /// A walk from an output towards the image.
  private struct Walk {
    var name: String
    /// The axis of the classes, where an operator on the walk shows it.
    var axis: Int?
    var reason = ""
    var isLabelled = false
    var isBeforeSoftmax = false
    var isSigmoid = false
    var isProbability = false
    /// The operators on the walk, the last of the graph first.
    var passed: [String] = []
  }

  /// The input of the ArgMax behind an output; nil where there is no ArgMax.
  private func labels(behind output: String) throws(Das3Error) -> Walk? {
    var name = output
    // The number of nodes bounds the walk, which would not end in a graph with a circle.
    for _ in onnx.nodes {
      guard let node = producers[name], let input = node.inputs.first else { return nil }
      switch node.opType {
      case "Cast", "Identity", "Squeeze", "Unsqueeze", "Reshape", "Transpose", "Resize", "Upsample":
        name = input
      case "ArgMax":
        var walk = Walk(name: input)
        walk.axis = try axis(of: node, input, default: 0)
        walk.reason = "of ArgMax"
        walk.isLabelled = true
        walk.passed = ["ArgMax"]
        return walk
      default: return nil
      }
    }
    return nil
  }

  /// Continues the walk over operators that normalise scores and keep their order.
  private func followProbabilities(_ walk: inout Walk) throws(Das3Error) {
    for _ in onnx.nodes {
      guard let node = producers[walk.name], let input = node.inputs.first else { return }
      switch node.opType {
      case "Cast", "Identity": break
      case "Transpose":
        guard let order = try order(of: node, input) else { return }
        if let axis = walk.axis { walk.axis = axis < order.count ? order[axis] : nil }
      case "Squeeze":
        // The batch axis of one image, or the axis of one channel, is removed.
        guard let shape = values[input]?.shape, let axis = squeezedAxis(of: node, shape) else {
          return
        }
        walk.axis = walk.axis.map { $0 >= axis ? $0 + 1 : $0 }
      case "Log":
        guard let softmax = producers[input], softmax.opType == "Softmax" else { return }
      case "Softmax", "LogSoftmax":
        guard !walk.isBeforeSoftmax, try passSoftmax(node, input, &walk) else { return }
      case "Sigmoid":
        guard !walk.isBeforeSoftmax else { return }
        walk.isBeforeSoftmax = true
        walk.isSigmoid = true
      case "Resize", "Upsample":
        // The resize belongs to the network, so the scores are taken behind it. They are
        // probabilities if a softmax or a sigmoid comes before it.
        if !walk.isBeforeSoftmax {
          var behind = Walk(name: input, axis: walk.axis)
          try followResized(&behind)
          walk.isProbability = behind.isBeforeSoftmax
          walk.isSigmoid = behind.isSigmoid
          if walk.axis == nil, let axis = behind.axis {
            walk.axis = axis
            walk.reason = behind.reason
          }
        }
        return
      default: return
      }
      if node.opType != "Cast", node.opType != "Identity" { walk.passed.append(node.opType) }
      walk.name = input
    }
  }

  /// Continues the walk as `followProbabilities` does, but also over Resize.
  ///
  /// The axis is not changed.
  private func followResized(_ walk: inout Walk) throws(Das3Error) {
    for _ in onnx.nodes {
      guard let node = producers[walk.name], let input = node.inputs.first else { return }
      switch node.opType {
      case "Cast", "Identity", "Resize", "Upsample": walk.name = input
      case "Softmax":
        _ = try passSoftmax(node, input, &walk)
        return
      case "Sigmoid":
        walk.isBeforeSoftmax = true
        walk.isSigmoid = true
        return
      default: return
      }
    }
  }

  /// Whether a softmax is over classes, and not that of an attention.
  private func passSoftmax(_ node: OnnxModel.Node, _ input: String, _ walk: inout Walk)
    throws(Das3Error) -> Bool
  {
    guard let shape = values[input]?.shape else { return false }
    let isOld = onnx.opset < 13
    let stated = try shape.axis(node.int("axis", default: isOld ? 1 : -1))
    if isOld, stated < shape.rank - 1 {
      // Before opset 13 all dimensions from the axis on are one. Only the order of the scores is
      // kept.
      walk.isBeforeSoftmax = true
      return true
    }
    let known = walk.axis ?? channelAxis(of: input)
    guard known ?? stated == stated else { return false }
    walk.isBeforeSoftmax = true
    if walk.axis == nil {
      walk.axis = stated
      walk.reason = "of \(node.opType)"
    }
    return true
  }

  // MARK: The class axis

  private func classAxis(_ walk: Walk, _ shape: Shape, _ place: String)
    throws(Das3Error) -> (Int, String)
  {
    if let axis = walk.axis { return (axis, walk.reason) }
    if let layout = metadata.outputLayout { return (layout.channelAxis, "of metadata") }
    if let axis = channelAxis(of: walk.name) { return (axis, "of the layers before") }
    switch (isMap(shape[2], shape[3]), isMap(shape[1], shape[2])) {
    case (true, false): return (1, "of the sizes")
    case (false, true): return (3, "of the sizes")
    default:
      throw .unsupported(
        "\(place): classes may be first or last; say which by metadata 'output.layout', 'nchw' or 'nhwc'"
      )
    }
  }

  /// Whether the size is that of the image divided by some stride.
  private func isMap(_ height: Int, _ width: Int) -> Bool {
    // Rounding may change each size by one.
    height > 0 && width > 0 && height <= size.height && width <= size.width
      && abs(height * size.width - width * size.height) <= size.height + size.width
  }

  /// The axis of channels that follows from the layers before; nil where it does not follow.
  private func channelAxis(of name: String) -> Int? {
    guard values[name]?.shape.rank == 4 else { return nil }
    // The axis of `name` that corresponds to each axis of the current value.
    var axes = [0, 1, 2, 3]
    var current = name
    for _ in onnx.nodes {
      guard let node = producers[current] else {
        return current == image.name ? axes[image.layout.channelAxis] : nil
      }
      switch node.opType {
      case "Conv", "ConvTranspose", "BatchNormalization", "InstanceNormalization",
        "GroupNormalization", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool",
        "DepthToSpace", "SpaceToDepth", "LRN", "GridSample", "QLinearConv":
        return axes[1]
      case "LayerNormalization": return axes[3]
      case "MatMul":
        guard node.inputs.count > 1 else { return nil }
        if onnx.parameterIndex[node.inputs[1]] != nil { return axes[3] }
        return onnx.parameterIndex[node.inputs[0]] != nil ? axes[2] : nil
      case "Transpose":
        guard let input = node.inputs.first, let order = try? order(of: node, input),
          order.count == 4
        else { return nil }
        var before = axes
        for (position, axis) in order.enumerated() where axis < 4 { before[axis] = axes[position] }
        axes = before
        current = input
      default:
        // Operators that keep the shape, or that change it without moving axes.
        guard Self.keepsAxes.contains(node.opType),
          let input = node.inputs.first(where: { name in
            values[name]?.shape.rank == 4 && (producers[name] != nil || name == image.name)
          })
        else { return nil }
        current = input
      }
    }
    return nil
  }

  private static let keepsAxes: Set<String> = [
    "Cast", "Identity", "Dropout", "Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Clip", "Sigmoid",
    "HardSigmoid", "HardSwish", "Tanh", "Softplus", "Softsign", "Mish", "Erf", "Gelu", "Exp", "Log",
    "Sqrt", "Abs", "Neg", "Reciprocal", "Softmax", "LogSoftmax", "Add", "Sub", "Mul", "Div", "Max",
    "Min", "Pow", "Where", "Concat", "Slice", "Split", "Pad", "Resize", "Upsample", "Sum", "Mean",
    "ReduceMax", "ReduceMean", "DequantizeLinear", "QuantizeLinear",
  ]

  private func order(of node: OnnxModel.Node, _ input: String) throws(Das3Error) -> [Int]? {
    if let order = try node.ints("perm") {
      return order.sorted() == Array(order.indices) ? order : nil
    }
    return values[input].map { (0..<$0.shape.rank).reversed() }
  }

  /// The axis that a Squeeze removes from scores of rank 4; the first of several possible ones.
  private func squeezedAxis(of node: OnnxModel.Node, _ shape: Shape) -> Int? {
    guard shape.rank == 4, let squeezed = values[node.outputs.first ?? ""]?.shape else {
      return nil
    }
    return shape.dims.indices.first { axis in
      shape[axis] == 1 && Array(shape.dims[..<axis] + shape.dims[(axis + 1)...]) == squeezed.dims
    }
  }

  private func axis(of node: OnnxModel.Node, _ input: String, default fallback: Int)
    throws(Das3Error) -> Int
  {
    let axis = try node.int("axis", default: fallback)
    guard let shape = values[input]?.shape else {
      throw failure ?? .unsupported("\(node.place): the shape of '\(input)' is not known")
    }
    return try shape.axis(axis)
  }
}
