/// Networks with weights and activations of small integers between QuantizeLinear and
/// DequantizeLinear (QDQ form).
///
/// They are computed in float32 and rounded where the file has a QuantizeLinear.
extension GraphBuilder {
  static let quantizationImporters: [String: Importer] = [
    "QuantizeLinear": .ofInput(configuration: [1, 2]) { (builder, node, x) throws(Das3Error) in
      try builder.importQuantize(node, x)
    },
    "DequantizeLinear": .ofInput(configuration: [1, 2]) { (builder, node, x) throws(Das3Error) in
      try builder.importDequantize(node, x)
    },
  ]

  /// q = saturate(round(x / scale) + zeroPoint); ties are rounded to even.
  ///
  /// The derivative of the rounding is 1 (straight-through); it is 0 where the result is saturated.
  private mutating func importQuantize(_ node: Node, _ x: ValueID) throws(Das3Error) -> ValueID {
    let zeroPoint = try configuration(node, 2, "y_zero_point")
    let bounds = try quantizedBounds(node, zeroPoint)
    let scaled = try binary(.divide, x, quantizationOperand(node, 1, like: x))
    var range = (low: Float(bounds.lowerBound), high: Float(bounds.upperBound))
    let zeros = zeroPoint?.ints ?? []
    guard zeros.allSatisfy({ $0 == zeros[0] }) else {
      let rounded = try unary(.quantize, scaled)
      let moved = try binary(.add, rounded, quantizationOperand(node, 2, like: x))
      return try unary(.clip, moved, a: range.low, b: range.high)
    }
    // The value is clipped before it is rounded, half a step outside the range, so that all values
    // that round to the last integer keep their derivative.
    let zero = Float(zeros.first ?? 0)
    range = ((range.low - zero - 0.5).nextUp, (range.high - zero + 0.5).nextDown)
    let clipped = try unary(.clip, scaled, a: range.low, b: range.high)
    var result = try unary(.quantize, clipped)
    if zero != 0 { result = try binary(.add, result, scalar(zero)) }
    return result
  }

  /// y = (q − zeroPoint) · scale.
  private mutating func importDequantize(_ node: Node, _ x: ValueID) throws(Das3Error) -> ValueID {
    var result = x
    let shape = shape(result)
    if info(result).type != .float32 {
      result = try emit(.reshape(Reshape(shape: shape, type: .float32)), [result])
    }
    if let zeroPoint = try configuration(node, 2, "x_zero_point"),
      zeroPoint.ints.contains(where: { $0 != 0 })
    {
      result = try binary(.subtract, result, quantizationOperand(node, 2, like: result))
    }
    return try binary(.multiply, result, quantizationOperand(node, 1, like: result))
  }

  /// The scale or zero point in a shape that broadcasts: a scalar, or one value for each position
  /// of `axis`.
  private mutating func quantizationOperand(
    _ node: Node, _ index: Int, like x: ValueID
  ) throws(Das3Error) -> ValueID {
    guard try node.int("block_size", default: 0) == 0 else {
      throw .unsupported("block_size; expected one scale per tensor or per axis")
    }
    guard let tensor = try configuration(node, index, index == 1 ? "scale" : "zero_point") else {
      throw .format("input \(index) is missing; \(node.inputs.count) are given")
    }
    let floats = constant(ConstantTensor(shape: tensor.shape, floats: tensor.floats))
    if tensor.shape.elementCount == 1 { return try reshape(floats, []) }
    let dims = shape(x).dims
    let axis = try shape(x).axis(node.int("axis", default: 1))
    guard tensor.shape.dims == [dims[axis]] else {
      throw .shape("scale or zero point is \(tensor.shape) for axis \(axis) of \(shape(x))")
    }
    return try reshape(floats, dims.indices.map { $0 == axis ? dims[axis] : 1 })
  }

  /// The range of the quantized type, which is that of the zero point or else `output_dtype`.
  private func quantizedBounds(_ node: Node, _ zeroPoint: ConstantTensor?)
    throws(Das3Error) -> ClosedRange<Int64>
  {
    if let zeroPoint {
      if let bounds = zeroPoint.bounds { return bounds }
    } else {
      let type = try node.int("output_dtype", default: 0)
      if let bounds = ConstantTensor.bounds(ofType: type == 0 ? 2 : type) { return bounds }
    }
    throw .unsupported("the quantized type; expected int8, uint8, int16 or uint16")
  }
}
