/// Batch normalisation by running statistics (Ioffe and Szegedy, 2015):
/// y = (x − mean_c) / √(variance_c + ε) · scale_c + shift_c.
///
/// Inputs: x N×C×…, scale, shift, mean, variance, each C.
package struct BatchNorm: OperatorRules {
  package var epsilon: Float

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    let x = inputs[0].shape
    guard x.rank >= 2 else { throw .shape("input is \(x); expected at least N×C") }
    try x.requirePerChannel(inputs.dropFirst().map(\.shape))
    return ValueInfo(x)
  }

  var facts: OperatorFacts {
    .stage(
      .normalization(epsilon: epsilon), placement: .always, inPlace: .backward,
      smoothInputs: .only([0, 1, 2]), derivative: .step(reads: .only([0, 1, 3, 4])))
  }

  func folded(_: [ConstantTensor], _: ValueInfo) -> ConstantTensor? { nil }

  func lower(_ node: Graph.Node, by planner: inout Planner) {
    if planner.usesOwnStatistics(node) {
      lowerByOwnStatistics(node, by: &planner)
    } else {
      planner.lowerElementwise(node)
    }
  }

  /// Lowers the normalisation by the statistics of the frame.
  private func lowerByOwnStatistics(_ node: Graph.Node, by planner: inout Planner) {
    var inputs = node.inputs.map { planner.view(of: $0) }
    let order = Planner.channelsLastOrder(inputs[0].shape.rank)
    inputs[0] = planner.dense(inputs[0], order: order)
    for index in inputs.indices.dropFirst() { inputs[index] = planner.rowMajor(inputs[index]) }
    let statistics = planner.allocate(
      [2, inputs[1].shape.elementCount], order: [0, 1], isStatic: false)
    // Only parameters that are statistics are updated. In some files a statistic is another weight,
    // or is computed.
    let canFollow = node.inputs[3...].allSatisfy { id in
      guard case .parameter(let index) = planner.graph.values[id].source else { return false }
      return planner.model.parameters[index].isStatistic
    }
    planner.emit(
      .statistics(momentum: canFollow ? planner.training?.statisticsMomentum ?? 0 : 0), node.name,
      [inputs[0], inputs[3], inputs[4]], statistics)
    for (row, index) in [3, 4].enumerated() {
      let slice = Slice(of: statistics.shape, along: 0, from: row, count: 1)
      inputs[index] = statistics.sliced(slice).reshaped(inputs[index].shape) ?? statistics
    }
    planner.finish(node, inputs, order: order)
  }
}

/// Layer normalisation (Ba et al., 2016): each slice over the last `axisCount` dimensions is
/// normalised to mean 0 and variance 1, then multiplied by scale and shifted.
///
/// Inputs: x, optional scale and shift of the shape of the slice.
package struct LayerNorm: OperatorRules {
  package var axisCount: Int
  package var epsilon: Float

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    let slice = Shape(Array(inputs[0].shape.dims.suffix(axisCount)))
    for parameter in inputs.dropFirst() where parameter.shape.elementCount != slice.elementCount {
      throw .shape("a parameter is \(parameter.shape); expected \(slice)")
    }
    return ValueInfo(inputs[0].shape)
  }

  var facts: OperatorFacts {
    .kernel(spacing: .kept, placement: .never, derivative: .step(reads: .only([0, 1])))
  }

  func folded(_: [ConstantTensor], _: ValueInfo) -> ConstantTensor? { nil }

  func lower(_ node: Graph.Node, by planner: inout Planner) {
    let inputs = node.inputs.map { planner.rowMajor(planner.view(of: $0)) }
    planner.finish(node, inputs, order: Array(0..<inputs[0].shape.rank))
  }
}

/// Group normalisation (Wu and He, 2018): the statistics are those of one image and one group of
/// channels.
///
/// With one channel in each group it is instance normalisation.
///
/// Inputs: x N×C×…, scale C, shift C.
package struct GroupNorm: OperatorRules {
  package var groups: Int
  package var epsilon: Float

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    let x = inputs[0].shape
    guard x.rank >= 3, groups >= 1, x[1] % groups == 0 else {
      throw .shape("input is \(x) in \(groups) groups; expected N×C×… with C a multiple")
    }
    try x.requirePerChannel(inputs.dropFirst().map(\.shape))
    return ValueInfo(x)
  }

  var facts: OperatorFacts {
    .kernel(spacing: .kept, placement: .never, derivative: .step(reads: .only([0, 1])))
  }

  func folded(_: [ConstantTensor], _: ValueInfo) -> ConstantTensor? { nil }

  func lower(_ node: Graph.Node, by planner: inout Planner) {
    let x = planner.view(of: node.inputs[0])
    let order = Planner.channelsLastOrder(x.shape.rank)
    let parameters = node.inputs.dropFirst().map { planner.rowMajor(planner.view(of: $0)) }
    planner.finish(node, [planner.dense(x, order: order)] + parameters, order: order)
  }
}

extension Shape {
  fileprivate func requirePerChannel(_ parameters: [Shape]) throws(Das3Error) {
    for parameter in parameters where parameter.dims != [dims[1]] {
      throw .shape("a parameter is \(parameter); expected \(dims[1]) values, one per channel")
    }
  }
}

extension GraphBuilder {
  static let normalizationImporters: [String: Importer] = [
    "BatchNormalization": Importer(weights: [1, 2, 3, 4], statistics: [3, 4]) {
      (builder, node) throws(Das3Error) in
      try builder.importBatchNormalization(node)
    },
    "InstanceNormalization": Importer(weights: [1, 2]) { (builder, node) throws(Das3Error) in
      let inputs = try builder.inputs(node, 0..<3)
      let epsilon = try node.float("epsilon", default: 1e-5)
      let groups = builder.shape(inputs[0]).rank > 1 ? builder.shape(inputs[0])[1] : 0
      let operation = GroupNorm(groups: groups, epsilon: epsilon)
      return try builder.emit(.groupNorm(operation), inputs)
    },
    "GroupNormalization": Importer(weights: [1, 2]) { (builder, node) throws(Das3Error) in
      var inputs = try builder.inputs(node, 0..<3)
      let groups = try node.int("num_groups", default: 1)
      let channels = builder.shape(inputs[0]).rank > 1 ? builder.shape(inputs[0])[1] : 0
      // Opset 18 has scale and shift for each group, opset 21 for each channel.
      for index in 1...2 where builder.shape(inputs[index]).dims == [groups] && groups != channels {
        guard groups > 0 else { throw .shape("num_groups is \(groups)") }
        let column = try builder.reshape(inputs[index], [groups, 1])
        let repeated = try builder.emit(
          .expand(Expand(shape: [groups, channels / groups])), [column])
        inputs[index] = try builder.reshape(repeated, [channels])
      }
      let epsilon = try node.float("epsilon", default: 1e-5)
      let operation = GroupNorm(groups: groups, epsilon: epsilon)
      return try builder.emit(.groupNorm(operation), inputs)
    },
    "LayerNormalization": .ofInput(weights: [1, 2]) { (builder, node, x) throws(Das3Error) in
      let axis = try builder.shape(x).axis(node.int("axis", default: -1))
      let epsilon = try node.float("epsilon", default: 1e-5)
      var inputs = [x]
      for index in 1...2 {
        if let parameter = try builder.optionalInput(node, index) { inputs.append(parameter) }
      }
      let rank = builder.shape(x).rank
      let operation = LayerNorm(axisCount: rank - axis, epsilon: epsilon)
      let result = try builder.emit(.layerNorm(operation), inputs)
      guard node.outputs.dropFirst().contains(where: { !$0.isEmpty }) else { return result }
      // Mean and inverse deviation are rarely used as outputs, so separate nodes compute them.
      func mean(_ id: ValueID) throws(Das3Error) -> ValueID {
        let axes = Array(axis..<rank)
        return try builder.emit(.reduce(Reduce(kind: .mean, axes: axes, keepsDims: true)), [id])
      }
      let average = try mean(x)
      try builder.bind(node, average, output: 1)
      let centred = try builder.binary(.subtract, x, average)
      let variance = try mean(builder.binary(.multiply, centred, centred))
      let shifted = try builder.binary(.add, variance, builder.scalar(epsilon))
      let deviation = try builder.unary(.sqrt, shifted)
      try builder.bind(node, builder.unary(.reciprocal, deviation), output: 2)
      return result
    },
  ]

  private mutating func importBatchNormalization(_ node: Node) throws(Das3Error) -> ValueID {
    let old = model.opset
    let statistics = node.outputs.dropFirst().filter { !$0.isEmpty }
    if try node.int("spatial", default: 1) == 0 {
      throw .unsupported("statistics of each pixel (spatial 0); expected one for each channel")
    }
    let isTraining: Bool
    switch old {
    case ..<7: isTraining = try node.int("is_test", default: 0) == 0
    case ..<14: isTraining = !statistics.isEmpty
    default:
      isTraining = try node.int("training_mode", default: 0) != 0
      guard !isTraining || node.outputs.count > 1 else {
        throw .unsupported(
          "training_mode 1 without outputs for the statistics: exported while training; export after model.eval()"
        )
      }
    }
    let inputs = try inputs(node, 0..<5)
    let epsilon = try node.float("epsilon", default: 1e-5)
    if isTraining {
      if let used = statistics.first(where: { model.isUsed($0) }) {
        throw .unsupported(
          "batch statistics are wanted as '\(used)'; expected a network that was exported after model.eval()"
        )
      }
      return try batchStatisticsNormalized(Array(inputs[0..<3]), epsilon)
    }
    let isComputed = inputs[3...].contains { producer(of: $0) != nil }
    return try isComputed
      ? normalized(inputs, epsilon) : emit(.batchNorm(BatchNorm(epsilon: epsilon)), inputs)
  }

  /// Normalises by the mean and variance of the batch itself, as in training.
  ///
  /// For one image this is instance normalisation. A batch is rearranged into one image.
  private mutating func batchStatisticsNormalized(_ inputs: [ValueID], _ epsilon: Float)
    throws(Das3Error) -> ValueID
  {
    let dims = shape(inputs[0]).dims
    guard dims.count >= 2 else { throw .shape("input is \(shape(inputs[0])); expected N×C×…") }
    let operation = Operator.groupNorm(GroupNorm(groups: dims[1], epsilon: epsilon))
    guard dims[0] != 1 || dims.count < 3 else { return try emit(operation, inputs) }
    let swapped = [1, 0] + Array(2..<dims.count)
    let columns = try reshape(
      transpose(inputs[0], swapped), [1, dims[1], dims[0] * dims[2...].reduce(1, *)])
    let y = try emit(operation, [columns, inputs[1], inputs[2]])
    return try transpose(reshape(y, swapped.map { dims[$0] }), swapped)
  }

  /// (x − mean) / √(variance + ε) · scale + shift where the graph computes mean or variance.
  ///
  /// It is made of single operators, so that gradients flow through the statistics.
  private mutating func normalized(_ inputs: [ValueID], _ epsilon: Float) throws(Das3Error)
    -> ValueID
  {
    let rank = shape(inputs[0]).rank
    guard rank >= 2 else { throw .shape("input is \(shape(inputs[0])); expected N×C×…") }
    let channels = shape(inputs[0])[1]
    var columns: [ValueID] = []
    for id in inputs.dropFirst() {
      try shape(inputs[0]).requirePerChannel([shape(id)])
      columns.append(try reshape(id, [1, channels] + [Int](repeating: 1, count: rank - 2)))
    }
    let small = scalar(epsilon)
    let deviation = try unary(.sqrt, binary(.add, columns[3], small))
    let factor = try binary(.divide, columns[0], deviation)
    let centred = try binary(.subtract, inputs[0], columns[2])
    return try binary(.add, binary(.multiply, centred, factor), columns[1])
  }

  mutating func inputs(_ node: Node, _ range: Range<Int>) throws(Das3Error) -> [ValueID] {
    var result: [ValueID] = []
    for index in range { result.append(try input(node, index)) }
    return result
  }
}
