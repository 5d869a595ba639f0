extension OperatorCase {
  static let concatCases: [OperatorCase] =
    plainConcats.inContexts([.transposed, .cut, .followed])
    + [
      convsInPlace, poolsInPlace, mixedInPlace, nestedConcats, doublyNested, usedTwice, sameTwice,
      inTwoConcats, placedAndOutput, concatOfInput, concatThenNorm, singleChannels, chainIntoConcat,
      concatOfStatic, residualOfPlaced, concatIsOutputAndInput,
    ]

  private static let plainConcats: [OperatorCase] = [
    ([[1, 3, 5, 7], [1, 4, 5, 7], [1, 1, 5, 7]], 1), ([[1, 3, 5, 7], [1, 3, 2, 7]], 2),
    ([[1, 3, 5, 7], [1, 3, 5, 1]], -1), ([[1, 3, 5, 7], [2, 3, 5, 7]], 0), ([[3, 5], [4, 5]], 0),
    ([[3, 5], [3, 9]], 1), ([[2, 3, 4], [2, 1, 4]], 1), ([[2, 3, 4, 2, 3], [2, 3, 4, 1, 3]], 3),
    ([[1, 3, 5, 7]], 1), ([[4], [3], [1]], 0),
  ].map { (shapes: [[Int]], axis: Int) in
    OperatorCase(
      "concat of \(shapes.count) axis \(axis)", "Concat", shapes.map { .frame($0) },
      ["axis": .int(axis)], .moved)
  }

  private static let x = Input.frame([1, 8, 9, 7]).named("x")
  private static let w = Input.weight([8, 8, 3, 3]).named("w")
  private static let d = Input.weight([8, 1, 3, 3]).named("d")
  private static let channels: Attributes = ["axis": .int(1)]

  private static func convolved(_ input: String, _ output: String) -> Node {
    node("Conv", [input, "w"], output, same)
  }
  private static func depthwise(_ input: String, _ output: String) -> Node {
    node("Conv", [input, "d"], output, same.merging(["group": .int(8)]) { $1 })
  }
  private static func joined(_ inputs: [String], _ output: String) -> Node {
    node("Concat", inputs, output, channels)
  }
  private static func network(
    _ title: String, _ nodes: [Node], outputs: [String] = ["y"], extra: [Input] = []
  ) -> OperatorCase {
    OperatorCase(
      "\(title) 1×8×9×7", inputs: [x, w, d] + extra, nodes: nodes, outputs: outputs, .chain)
  }

  private static let convsInPlace = network(
    "concat of convolutions",
    [
      convolved("x", "a"), depthwise("x", "b"), node("Conv", ["x", "p"], "c"),
      joined(["a", "b", "c"], "y"),
    ], extra: [.weight([5, 8, 1, 1]).named("p")])

  private static let poolsInPlace = network(
    "concat of pools",
    [
      node("MaxPool", ["x"], "a", ["kernel_shape": .ints([3, 3]), "strides": .ints([2, 2])]),
      node("AveragePool", ["x"], "b", ["kernel_shape": .ints([3, 3]), "strides": .ints([2, 2])]),
      node("Conv", ["x", "w"], "c", ["strides": .ints([2, 2])]), joined(["c", "a", "b"], "y"),
    ])

  private static let mixedInPlace = network(
    "concat of views and results",
    [
      node("Transpose", ["x"], "t", ["perm": .ints([0, 1, 3, 2])]),
      node("Transpose", ["t"], "u", ["perm": .ints([0, 1, 3, 2])]),
      node("Resize", ["x", "", "half"], "s", ["mode": .string("linear")]),
      node("Resize", ["s", "", "", "back"], "r", ["mode": .string("linear")]),
      convolved("x", "a"), node("Softmax", ["a"], "m", channels),
      joined(["u", "r", "m", "a"], "y"),
    ], extra: [.floats([1, 1, 0.5, 0.5]).named("half"), .ints([1, 8, 9, 7]).named("back")])

  private static let nestedConcats = network(
    "concat in concat",
    [
      convolved("x", "a"), depthwise("a", "b"), joined(["a", "b"], "c"),
      node("Conv", ["c", "p"], "e"), joined(["c", "e"], "f"), node("Relu", ["f"], "y"),
    ], extra: [.weight([3, 16, 1, 1]).named("p")])

  private static let doublyNested = network(
    "concat in concat in concat",
    [
      convolved("x", "a"), depthwise("x", "b"), joined(["a", "b"], "c"), node("Relu", ["x"], "e"),
      joined(["e", "c"], "f"), node("Sigmoid", ["x"], "g"), joined(["f", "g", "x"], "y"),
    ])

  private static let usedTwice = network(
    "concat of a value that others read too",
    [
      convolved("x", "a"), node("Relu", ["a"], "r"), joined(["a", "r"], "c"),
      depthwise("a", "e"), node("Add", ["e", "a"], "f"), joined(["c", "f"], "y"),
    ])

  private static let sameTwice = network(
    "concat of a value with itself", [convolved("x", "a"), joined(["a", "a", "x", "x"], "y")])

  private static let inTwoConcats = network(
    "value in two concats",
    [
      convolved("x", "a"), depthwise("x", "b"), joined(["a", "b"], "c"), joined(["b", "a"], "e"),
      node("Sub", ["c", "e"], "y"),
    ])

  private static let placedAndOutput = network(
    "placed value that is an output",
    [convolved("x", "a"), depthwise("x", "b"), joined(["a", "b"], "y")], outputs: ["y", "b", "a"])

  private static let concatOfInput = network(
    "concat of the input and its half",
    [
      node("Conv", ["x", "w"], "a", ["strides": .ints([2, 2]), "pads": .ints([1, 1, 1, 1])]),
      node(
        "MaxPool", ["x"], "b",
        ["kernel_shape": .ints([3, 3]), "strides": .ints([2, 2]), "pads": .ints([1, 1, 1, 1])]),
      joined(["b", "a"], "c"), joined(["x", "x"], "z"), node("GlobalAveragePool", ["z"], "g"),
      node("Mul", ["c", "g"], "y"),
    ])

  private static let concatThenNorm = network(
    "concat, normalisation, PReLU, residual",
    [
      convolved("x", "a"), depthwise("a", "b"), node("Add", ["a", "b"], "s"),
      joined(["a", "s"], "c"),
      joined(["x", "x"], "r"), node("Add", ["c", "r"], "e"), norm("n", "e", "f"),
      node("PRelu", ["f", "slope"], "y"),
    ], extra: normInputs("n", 16) + [.weight([16, 1, 1]).named("slope")])

  private static let singleChannels = network(
    "concat of single channels",
    [
      node("Conv", ["x", "p"], "a"), node("Conv", ["x", "q"], "b"), convolved("x", "c"),
      node("Relu", ["b"], "e"), joined(["a", "c", "b", "e"], "y"),
    ], extra: [.weight([1, 8, 1, 1]).named("p"), .weight([1, 8, 1, 1]).named("q")])

  private static let chainIntoConcat = network(
    "concat of chains",
    [
      convolved("x", "a"), norm("n", "a", "b"), node("PRelu", ["b", "slope"], "c"),
      node("Add", ["c", "x"], "e"), depthwise("e", "f"), node("Mul", ["f", "e"], "g"),
      node("Mul", ["slope", "x"], "h"), joined(["e", "g", "h"], "y"),
    ], extra: normInputs("n", 8) + [.weight([8, 1, 1]).named("slope")])

  private static let concatOfStatic = network(
    "concat with weights",
    [
      node("Tanh", ["map"], "m"), convolved("x", "a"), joined(["map", "a", "m"], "c"),
      joined(["m", "map"], "e"), joined(["c", "e"], "y"),
    ], extra: [.weight([1, 3, 9, 7]).named("map")])

  private static let residualOfPlaced = network(
    "residual of two parts of a concat",
    [
      convolved("x", "a"), convolved("a", "b"), node("Add", ["b", "a"], "c"),
      joined(["a", "c"], "e"),
      splitInTwo("e", "f", "g"), node("Sub", ["g", "f"], "h"), joined(["h", "e"], "y"),
    ])

  private static func splitInTwo(_ input: String, _ first: String, _ second: String) -> Node {
    var split = node("Split", [input], first, channels)
    split.outputs.append(second)
    return split
  }

  private static let concatIsOutputAndInput = network(
    "concat that is read and put out",
    [
      convolved("x", "a"), depthwise("x", "b"), joined(["b", "a"], "c"), node("Neg", ["c"], "e"),
      joined(["e", "c"], "y"),
    ], outputs: ["c", "y"])
}
