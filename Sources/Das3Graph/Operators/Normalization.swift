/// y = (x − mean_c) / √(variance_c + ε) · scale_c + shift_c with running statistics.
///
/// Inputs: x N×C×…, scale, shift, mean, variance, each C.
package struct BatchNorm: ShapeRule {
  package var epsilon: Float

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    let x = inputs[0].shape
    guard x.rank >= 2 else { throw .shape("input is \(x); expected at least N×C") }
    for parameter in inputs.dropFirst() where parameter.shape.dims != [x[1]] {
      throw .shape("a parameter is \(parameter.shape); expected \(x[1]) values, one per channel")
    }
    return ValueInfo(x)
  }
}

/// Each slice over the last `axes` dimensions to mean 0 and variance 1, then · scale + shift.
///
/// Inputs: x, optional scale and shift of the shape of the slice.
package struct LayerNorm: ShapeRule {
  package var axisCount: Int
  package var epsilon: Float

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    let slice = Shape(Array(inputs[0].shape.dims.suffix(axisCount)))
    for parameter in inputs.dropFirst() where parameter.shape.elementCount != slice.elementCount {
      throw .shape("a parameter is \(parameter.shape); expected \(slice)")
    }
    return ValueInfo(inputs[0].shape)
  }
}

/// Statistics per image and group of channels (instance normalisation: one channel a group).
///
/// Inputs: x N×C×…, scale C, shift C.
package struct GroupNorm: ShapeRule {
  package var groups: Int
  package var epsilon: Float

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    let x = inputs[0].shape
    guard x.rank >= 3, groups >= 1, x[1] % groups == 0 else {
      throw .shape("input is \(x) in \(groups) groups; expected N×C×… with C a multiple")
    }
    for parameter in inputs.dropFirst() where parameter.shape.dims != [x[1]] {
      throw .shape("a parameter is \(parameter.shape); expected \(x[1]) values, one per channel")
    }
    return ValueInfo(x)
  }
}

extension GraphBuilder {
  static let normalizationImporters: [String: Importer] = [
    "BatchNormalization": { (builder, node) throws(Das3Error) in
      if try node.int("training_mode", default: 0) != 0, node.outputs.count > 1,
        node.outputs.dropFirst().contains(where: { !$0.isEmpty })
      {
        throw .unsupported("training_mode with outputs for the statistics; expected inference")
      }
      let isTraining = try builder.model.opset < 7 ? node.int("is_test", default: 0) == 0 : false
      if try isTraining ? true : node.int("spatial", default: 1) == 0 {
        throw .unsupported("training or per-pixel statistics of an old opset; expected inference")
      }
      let inputs = try builder.inputs(node, 0..<5)
      let epsilon = try node.float("epsilon", default: 1e-5)
      try builder.bind(node, builder.emit(.batchNorm(BatchNorm(epsilon: epsilon)), inputs))
    },
    "InstanceNormalization": { (builder, node) throws(Das3Error) in
      let inputs = try builder.inputs(node, 0..<3)
      let epsilon = try node.float("epsilon", default: 1e-5)
      let groups = builder.shape(inputs[0]).rank > 1 ? builder.shape(inputs[0])[1] : 0
      let operation = GroupNorm(groups: groups, epsilon: epsilon)
      try builder.bind(node, builder.emit(.groupNorm(operation), inputs))
    },
    "GroupNormalization": { (builder, node) throws(Das3Error) in
      var inputs = try builder.inputs(node, 0..<3)
      let groups = try node.int("num_groups", default: 1)
      let channels = builder.shape(inputs[0]).rank > 1 ? builder.shape(inputs[0])[1] : 0
      // Opset 18 gives scale and shift per group, 21 per channel.
      for index in 1...2 where builder.shape(inputs[index]).dims == [groups] && groups != channels {
        guard groups > 0 else { throw .shape("num_groups is \(groups)") }
        let column = try builder.reshape(inputs[index], [groups, 1])
        let repeated = try builder.emit(
          .expand(Expand(shape: [groups, channels / groups])), [column])
        inputs[index] = try builder.reshape(repeated, [channels])
      }
      let epsilon = try node.float("epsilon", default: 1e-5)
      let operation = GroupNorm(groups: groups, epsilon: epsilon)
      try builder.bind(node, builder.emit(.groupNorm(operation), inputs))
    },
    "LayerNormalization": { (builder, node) throws(Das3Error) in
      let x = try builder.input(node, 0)
      let axis = try builder.shape(x).axis(node.int("axis", default: -1))
      let epsilon = try node.float("epsilon", default: 1e-5)
      var inputs = [x]
      for index in 1...2 {
        if let parameter = try builder.optionalInput(node, index) { inputs.append(parameter) }
      }
      let rank = builder.shape(x).rank
      let operation = LayerNorm(axisCount: rank - axis, epsilon: epsilon)
      try builder.bind(node, builder.emit(.layerNorm(operation), inputs))
      guard node.outputs.dropFirst().contains(where: { !$0.isEmpty }) else { return }
      // Mean and inverse deviation are rarely asked for; they are computed apart.
      func mean(_ id: ValueID) throws(Das3Error) -> ValueID {
        let axes = Array(axis..<rank)
        return try builder.emit(.reduce(Reduce(kind: .mean, axes: axes, keepsDims: true)), [id])
      }
      func unary(_ kind: Unary.Kind, _ id: ValueID) throws(Das3Error) -> ValueID {
        try builder.emit(.unary(Unary(kind: kind)), [id])
      }
      func binary(_ kind: Binary.Kind, _ a: ValueID, _ b: ValueID) throws(Das3Error) -> ValueID {
        try builder.emit(.binary(Binary(kind: kind)), [a, b])
      }
      let average = try mean(x)
      try builder.bind(node, average, output: 1)
      let centred = try binary(.subtract, x, average)
      let variance = try mean(binary(.multiply, centred, centred))
      let small = builder.constant(ConstantTensor(scalar: epsilon))
      let deviation = try unary(.sqrt, binary(.add, variance, small))
      try builder.bind(node, unary(.reciprocal, deviation), output: 2)
    },
  ]

  mutating func inputs(_ node: OnnxModel.Node, _ range: Range<Int>) throws(Das3Error) -> [ValueID] {
    var result: [ValueID] = []
    for index in range { result.append(try input(node, index)) }
    return result
  }
}
