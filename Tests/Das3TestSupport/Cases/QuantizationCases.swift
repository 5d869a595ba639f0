/// QuantizeLinear and DequantizeLinear of activations and of weights that are no initialisers.
///
/// Scales are powers of two and values multiples of a quarter step: a tie is one in any precision.
/// Values are given, so that no derivative is asked for: rounding has none (see GradientTests).
extension OperatorCase {
  static let quantizationCases: [OperatorCase] = [
    quantize("uint8 without zero point", type: 2, zero: nil),
    quantize("uint8 zero 128", type: 2, zero: 128), quantize("uint8 odd zero", type: 2, zero: 113),
    quantize("int8", type: 3, zero: 0), quantize("int8 zero -7", type: 3, zero: -7),
    perAxis, fakeQuantized,
    OperatorCase(
      "dequantize", "DequantizeLinear", opset: 21,
      [.frame(dims, floats: ramp.map { $0.rounded() }), .scalar(0.25), .typed([], [-3], type: 3)],
      [:], .rounded),
    OperatorCase(
      "dequantize per axis 2", "DequantizeLinear", opset: 21,
      [.frame(dims, floats: ramp.map { $0.rounded() }), .floats([0.25, 2, 0.5])],
      ["axis": .int(-2)], .rounded),
  ]

  private static let dims = [1, 4, 3, 30]
  /// Beyond both ends of either type, in steps of a quarter of the scale.
  private static let ramp: [Float] = (0..<360).map { Float($0 - 180) * 1.75 }

  private static func quantize(_ title: String, type: Int, zero: Int?) -> OperatorCase {
    let inputs: [Input] =
      [.frame(dims, floats: ramp.map { $0 / 2 }), .scalar(0.5)]
      + (zero.map { [.typed([], [$0], type: type)] } ?? [])
    return OperatorCase(
      "quantize \(title)", "QuantizeLinear", opset: 21, inputs, ["output_dtype": .int(type)], .moved
    )
  }

  private static let perAxis = OperatorCase(
    "quantize per channel", "QuantizeLinear", opset: 21,
    [
      .frame(dims, floats: ramp), .floats([1, 0.5, 2, 4]), .typed([4], [0, 1, 5, -8], type: 3),
    ], ["output_dtype": .int(3)], .moved)

  /// What a quantiser puts around every tensor.
  private static let fakeQuantized = OperatorCase(
    "quantize and dequantize around a pooling", opset: 21,
    inputs: [
      .frame([1, 3, 6, 5], floats: (0..<90).map { Float($0 * 7 % 90 - 40) / 8 }).named("x"),
      .scalar(0.125).named("scale"), Input.typed([], [10], type: 2).named("zero"),
    ],
    nodes: [
      OnnxWriter.Node(
        "QuantizeLinear", ["x", "scale", "zero"], ["q"], ["output_dtype": .int(2)]),
      OnnxWriter.Node(
        "MaxPool", ["q"], ["pooled"], ["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2])]),
      OnnxWriter.Node("DequantizeLinear", ["pooled", "scale", "zero"], ["y"]),
    ], .rounded)
}
