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

  private static let activations = ["Relu", "LeakyRelu", "PRelu", "Min", "Max"]

  /// A convolution, perhaps one channel at a time, and what is fused with it.
  private static let convolutions: [OperatorCase] = activations.flatMap { activation in
    [(20, 1), (20, 20), (3, 1), (16, 16)].map { channels, groups in
      var convolution = node("Conv", ["x", "w"], "c", ["pads": [1, 1, 1, 1]])
      convolution.attributes.append((name: "group", value: .int(groups)))
      let takesOther = ["PRelu", "Min", "Max"].contains(activation)
      return OperatorCase(
        "\(activation) after a convolution of \(channels) channels in \(groups) groups",
        inputs: [
          frame([1, channels, 9, 11]),
          .weight([channels, channels / groups, 3, 3], 0.5...1).named("w"),
          .weight([channels, 1, 1], 0.1...0.2).named("o"),
        ],
        nodes: [
          convolution, node(activation, takesOther ? ["c", "o"] : ["c"], "y"),
        ])
    }
  }

  private static let others: [OperatorCase] =
    activations.map { activation in
      let takesOther = ["PRelu", "Min", "Max"].contains(activation)
      return OperatorCase(
        "\(activation) alone",
        inputs: [frame([1, 5, 9, 11]), .weight([5, 1, 1], 0.1...0.2).named("o")],
        nodes: [node(activation, takesOther ? ["x", "o"] : ["x"], "y")])
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

  @Test("own kernels hand it on, fused or not", arguments: convolutions + others)
  func handsOn(_ test: OperatorCase) throws {
    for threads in [1, 2] {
      let options = ExecutionOptions(threads: threads, backend: .openBLAS)
      let values = try OperatorCase.Runner(test, options).run().flatMap(\.values)
      #expect(values.contains { $0.isNaN }, "\(threads) threads")
      let isElsewhereFinite = values.contains { $0.isFinite } || values.count < 400
      #expect(isElsewhereFinite)
    }
  }
}
