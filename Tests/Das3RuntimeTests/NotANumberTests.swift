import Das3Graph
import Das3Runtime
import Das3TestSupport
import Testing

/// What is not a number is not made one on the way: it must be seen at the end.
@Suite("Not a number")
struct NotANumberTests {
  /// A frame of ones in which one channel of one pixel is not a number.
  private static func frame(_ dims: [Int]) -> OperatorCase.Input {
    var floats = [Float](repeating: 1, count: dims.reduce(1, *))
    floats[floats.count / 2] = .nan
    return .frame(dims, floats: floats).named("x")
  }

  private static func node(
    _ opType: String, _ inputs: [String], _ output: String, _ ints: [String: [Int]] = [:]
  ) -> OnnxWriter.Node {
    var node = OnnxWriter.Node(opType, inputs, [output])
    node.attributes = ints.sorted { $0.key < $1.key }.map { (name: $0.key, value: .ints($0.value)) }
    return node
  }

  /// Functions of one value, and such as take another operand o, or bounds.
  private static let activations = [
    "Relu", "LeakyRelu", "Elu", "Selu", "HardSigmoid", "HardSwish", "Sigmoid", "Tanh", "Softplus",
    "Softsign", "Erf", "Exp", "Abs", "Neg", "PRelu", "Min", "Max", "Add", "Div", "Clip",
  ]

  private static func activation(_ opType: String, of input: String) -> OnnxWriter.Node {
    let others =
      switch opType {
      case "PRelu", "Min", "Max", "Add", "Div": ["o"]
      case "Clip": ["low", "high"]
      default: [String]()
      }
    return node(opType, [input] + others, "y")
  }

  private static func operands(_ dims: [Int]) -> [OperatorCase.Input] {
    [
      .weight(dims, 0.1...0.2).named("o"), .scalar(0).named("low"), .scalar(6).named("high"),
    ]
  }

  /// A convolution, perhaps one channel at a time, and what is fused with it.
  private static let convolutions: [OperatorCase] = activations.flatMap { opType in
    [(20, 1), (20, 20), (3, 1), (16, 16), (64, 1), (96, 2)].map { channels, groups in
      var convolution = node("Conv", ["x", "w"], "c", ["pads": [1, 1, 1, 1]])
      convolution.attributes.append((name: "group", value: .int(groups)))
      return OperatorCase(
        "\(opType) after a convolution of \(channels) channels in \(groups) groups",
        inputs: [
          frame([1, channels, 9, 11]),
          .weight([channels, channels / groups, 3, 3], 0.05...0.1).named("w"),
        ] + operands([channels, 1, 1]),
        nodes: [convolution, activation(opType, of: "c")])
    }
  }

  private static let products: [OperatorCase] = activations.map { opType in
    OperatorCase(
      "\(opType) after a product",
      inputs: [frame([40, 64]), .weight([64, 96], 0.05...0.1).named("w")] + operands([96]),
      nodes: [node("MatMul", ["x", "w"], "c"), activation(opType, of: "c")])
  }

  private static let others: [OperatorCase] =
    activations.map { opType in
      OperatorCase(
        "\(opType) alone", inputs: [frame([1, 5, 9, 11])] + operands([5, 1, 1]),
        nodes: [activation(opType, of: "x")])
    }
    + [1, 5, 8, 33].map { channels in
      OperatorCase(
        "MaxPool of \(channels) channels", inputs: [frame([1, channels, 9, 11])],
        nodes: [node("MaxPool", ["x"], "y", ["kernel_shape": [3, 3]])])
    } + [
      OperatorCase(
        "GlobalMaxPool", inputs: [frame([1, 20, 9, 11])], nodes: [node("GlobalMaxPool", ["x"], "y")]
      )
    ]

  @Test(
    "is handed on, fused or not", arguments: convolutions + products + others,
    [ExecutionOptions.bestBackend, .openBLAS])
  func handsOn(_ test: OperatorCase, _ backend: ExecutionOptions.Backend) throws {
    for threads in [1, 2] {
      let options = ExecutionOptions(threads: threads, backend: backend)
      let values = try OperatorCase.Runner(test, options).run().flatMap(\.values)
      #expect(values.contains { $0.isNaN }, "\(threads) threads")
      let isElsewhereFinite = values.contains { $0.isFinite } || values.count < 400
      #expect(isElsewhereFinite)
    }
  }
}
