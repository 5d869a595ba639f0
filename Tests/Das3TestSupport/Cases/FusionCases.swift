extension OperatorCase {
  /// Networks in small: what a convolution takes along, and what must not be taken along.
  static let fusionCases: [OperatorCase] =
    blocks + [
      channelShuffle(groups: 2, channels: 12), channelShuffle(groups: 3, channels: 15),
      channelShuffle(groups: 5, channels: 20), longChain, twoUsers, intermediateOutput, sharedNorm,
      normOfView, reversedOperands, residualOfItself, scalarChain, rowOperand, squeezeExcitation,
      weightChain, oneColumn,
    ] + oneChannel

  typealias Node = OnnxWriter.Node

  static func node(
    _ opType: String, _ inputs: [String], _ output: String, _ attributes: Attributes = [:]
  ) -> Node {
    var node = Node(opType, inputs, [output])
    node.attributes = attributes.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    return node
  }

  static func normInputs(_ name: String, _ channels: Int) -> [Input] {
    [
      .weight([channels], 0.5...1.5).named("\(name).scale"),
      .weight([channels]).named("\(name).shift"), .weight([channels]).named("\(name).mean"),
      .weight([channels], 0.5...2).named("\(name).variance"),
    ]
  }

  static func norm(_ name: String, _ x: String, _ y: String) -> Node {
    let inputs = [x] + ["scale", "shift", "mean", "variance"].map { "\(name).\($0)" }
    return node("BatchNormalization", inputs, y, ["epsilon": .float(1e-3)])
  }

  static let same: Attributes = ["pads": .ints([1, 1, 1, 1])]

  /// Convolution, normalisation, PReLU, residual sum, for every kind of convolution.
  private static let blocks: [OperatorCase] = [
    ("dense 3x3", [20, 20, 3, 3], 1), ("1x1", [20, 20, 1, 1], 1), ("depthwise", [20, 1, 3, 3], 20),
    ("grouped", [20, 5, 3, 3], 4), ("grouped 1x1", [20, 10, 1, 1], 2),
  ].flatMap { title, weights, groups in
    [false, true].map { isResidualFirst in
      let pad = weights[2] / 2
      return OperatorCase(
        "block of \(title), residual \(isResidualFirst ? "left" : "right") 2×20×9×11",
        inputs: [
          .frame([2, 20, 9, 11]).named("x"), .weight(weights).named("w"),
          .weight([20]).named("b"), .weight([20, 1, 1], 0...0.5).named("slope"),
        ] + normInputs("n", 20),
        nodes: [
          node(
            "Conv", ["x", "w", "b"], "c",
            ["pads": .ints([pad, pad, pad, pad]), "group": .int(groups)]),
          norm("n", "c", "d"), node("PRelu", ["d", "slope"], "e"),
          node("Add", isResidualFirst ? ["x", "e"] : ["e", "x"], "f"), node("Relu", ["f"], "y"),
        ], .chain)
    }
  }

  private static func channelShuffle(groups: Int, channels: Int) -> OperatorCase {
    let inner = channels / groups
    return OperatorCase(
      "channel shuffle of \(groups) groups between convolutions 2×\(channels)×7×9",
      inputs: [
        .frame([2, channels, 7, 9]).named("x"),
        .weight([channels, inner, 1, 1]).named("w"), .weight([channels, 1, 3, 3]).named("v"),
        .weight([channels, inner, 1, 1]).named("u"),
        .ints([2, groups, inner, 7, 9]).named("split"), .ints([2, channels, 7, 9]).named("join"),
      ],
      nodes: [
        node("Conv", ["x", "w"], "a", ["group": .int(groups)]), node("Relu", ["a"], "b"),
        node("Reshape", ["b", "split"], "c"),
        node("Transpose", ["c"], "d", ["perm": .ints([0, 2, 1, 3, 4])]),
        node("Reshape", ["d", "join"], "e"),
        node("Conv", ["e", "v"], "f", same.merging(["group": .int(channels)]) { $1 }),
        node("Conv", ["f", "u"], "g", ["group": .int(groups)]), node("Add", ["g", "x"], "y"),
      ], .chain)
  }

  /// More stages than one kernel carries.
  private static let longChain = OperatorCase(
    "conv and eleven stages 1×8×7×6",
    inputs: [
      .frame([1, 8, 7, 6]).named("x"), .weight([8, 8, 3, 3]).named("w"),
      .weight([8, 1, 1]).named("k"), .frame([1, 8, 7, 6]).named("r"),
    ],
    nodes: [
      node("Conv", ["x", "w"], "a", same), node("Tanh", ["a"], "b"), node("Mul", ["k", "b"], "c"),
      node("Add", ["c", "r"], "d"), node("Sigmoid", ["d"], "e"), node("Sub", ["k", "e"], "f"),
      node("Elu", ["f"], "g"), node("Mul", ["g", "r"], "h"), node("LeakyRelu", ["h"], "i"),
      node("Sub", ["i", "x"], "j"), node("Abs", ["j"], "k2"), node("Sqrt", ["k2"], "y"),
    ], Tolerance(absolute: 1e-4, relative: 1e-5, "the square root of a small difference"))

  private static let twoUsers = OperatorCase(
    "conv read twice 1×8×7×6",
    inputs: [.frame([1, 8, 7, 6]).named("x"), .weight([8, 8, 3, 3]).named("w")],
    nodes: [
      node("Conv", ["x", "w"], "a", same), node("Relu", ["a"], "b"), node("Sigmoid", ["a"], "c"),
      node("Mul", ["b", "c"], "y"),
    ], .chain)

  private static let intermediateOutput = OperatorCase(
    "conv whose result is also an output 1×8×7×6",
    inputs: [.frame([1, 8, 7, 6]).named("x"), .weight([8, 8, 3, 3]).named("w")],
    nodes: [
      node("Conv", ["x", "w"], "a", same), node("Relu", ["a"], "b"), node("Neg", ["b"], "y"),
    ], outputs: ["a", "y", "b"], .chain)

  private static let sharedNorm = OperatorCase(
    "two convolutions, one normalisation 1×8×7×6",
    inputs: [.frame([1, 8, 7, 6]).named("x"), .weight([8, 8, 3, 3]).named("w")]
      + normInputs("n", 8),
    nodes: [
      node("Conv", ["x", "w"], "a", same), norm("n", "a", "b"),
      node("Conv", ["b", "w"], "c", same),
      norm("n", "c", "y"),
    ], .chain)

  private static let normOfView = OperatorCase(
    "normalisation and PReLU of a shuffled view 1×6×5×7",
    inputs: [
      .frame([1, 6, 5, 7]).named("x"), .weight([6, 1, 1]).named("slope"),
      .ints([1, 2, 3, 5, 7]).named("split"), .ints([1, 6, 5, 7]).named("join"),
    ] + normInputs("n", 6),
    nodes: [
      node("Reshape", ["x", "split"], "a"),
      node("Transpose", ["a"], "b", ["perm": .ints([0, 2, 1, 3, 4])]),
      node("Reshape", ["b", "join"], "c"), norm("n", "c", "d"), node("PRelu", ["d", "slope"], "y"),
    ], .chain)

  private static let reversedOperands = OperatorCase(
    "conv as second operand of everything 1×8×7×6",
    inputs: [
      .frame([1, 8, 7, 6]).named("x"), .weight([8, 8, 1, 1], 0.1...0.2).named("w"),
      .weight([1, 8, 1, 1], 1...2).named("k"), .frame([1, 8, 7, 6], 1...2).named("r"),
      .weight([8], 2...3).named("b"),
    ],
    nodes: [
      node("Conv", ["x", "w", "b"], "a"), node("Div", ["k", "a"], "c"),
      node("Pow", ["r", "c"], "d"),
      node("Sub", ["k", "d"], "e"), node("PRelu", ["r", "e"], "f"), node("Max", ["k", "f"], "g"),
      node("Div", ["r", "g"], "y"),
    ], .chain)

  private static let residualOfItself = OperatorCase(
    "conv added to itself 1×8×7×6",
    inputs: [.frame([1, 8, 7, 6]).named("x"), .weight([8, 8, 3, 3]).named("w")],
    nodes: [
      node("Conv", ["x", "w"], "a", same), node("Add", ["a", "a"], "b"),
      node("Mul", ["b", "a"], "y"),
    ], .chain)

  private static let scalarChain = OperatorCase(
    "conv and scalars of every rank 1×8×7×6",
    inputs: [
      .frame([1, 8, 7, 6]).named("x"), .weight([8, 8, 1, 1]).named("w"),
      .scalar(3).named("s0"), .weight([1]).named("s1"), .weight([1, 1, 1, 1]).named("s4"),
      .frame([1, 1, 1]).named("s3"),
    ],
    nodes: [
      node("Conv", ["x", "w"], "a"), node("Mul", ["s0", "a"], "b"), node("Add", ["b", "s1"], "c"),
      node("Sub", ["s4", "c"], "d"), node("Mul", ["d", "s3"], "y"),
    ], .chain)

  private static let rowOperand = OperatorCase(
    "conv plus a row, a column and a pixel mask 2×8×7×6",
    inputs: [
      .frame([2, 8, 7, 6]).named("x"), .weight([8, 8, 1, 1]).named("w"), .weight([6]).named("row"),
      .weight([7, 1]).named("column"), .frame([2, 1, 7, 6]).named("mask"),
      .frame([2, 8, 1, 1]).named("gate"),
    ],
    nodes: [
      node("Conv", ["x", "w"], "a"), node("Add", ["a", "row"], "b"),
      node("Sub", ["column", "b"], "c"),
      node("Mul", ["c", "mask"], "d"), node("Mul", ["gate", "d"], "e"), node("Relu", ["e"], "y"),
    ], .chain)

  private static let squeezeExcitation = OperatorCase(
    "squeeze and excitation 2×8×7×6",
    inputs: [
      .frame([2, 8, 7, 6]).named("x"), .weight([8, 1, 3, 3]).named("w"),
      .weight([2, 8, 1, 1]).named("v"), .weight([8, 2, 1, 1]).named("u"),
    ],
    nodes: [
      node("Conv", ["x", "w"], "a", same.merging(["group": .int(8)]) { $1 }),
      node("HardSwish", ["a"], "b"),
      node("GlobalAveragePool", ["b"], "c"), node("Conv", ["c", "v"], "d"),
      node("Relu", ["d"], "e"),
      node("Conv", ["e", "u"], "f"), node("HardSigmoid", ["f"], "g"), node("Mul", ["b", "g"], "h"),
      node("Add", ["h", "x"], "y"),
    ], .chain)

  private static let weightChain = OperatorCase(
    "weights that are computed from weights 1×8×7×6",
    inputs: [
      .frame([1, 8, 7, 6]).named("x"), .weight([8, 8, 3, 3]).named("w"),
      .weight([8, 1, 1, 1]).named("gain"), .weight([8]).named("b"),
    ],
    nodes: [
      node("Mul", ["w", "gain"], "v"), node("Tanh", ["b"], "c"),
      node("Conv", ["x", "v", "c"], "y", same),
    ], .chain)

  /// What the product takes as its channels is the column, not what is normalised.
  private static let oneColumn = OperatorCase(
    "product of one column, then a normalisation 1×4×64",
    inputs: [.frame([1, 4, 64]).named("x"), .weight([64, 1]).named("w")] + normInputs("n", 4),
    nodes: [node("MatMul", ["x", "w"], "a"), norm("n", "a", "y")], .chain)

  /// One channel: the rows of the image are then columns, not channels.
  private static let oneChannel: [OperatorCase] = [[1, 3, 5, 7], [2, 1, 6, 1]].flatMap {
    (dims) -> [OperatorCase] in
    let size = "\(dims[0])×1×\(dims[2])×\(dims[3])"
    let inputs: [Input] = [
      .frame(dims).named("x"), .weight([1, dims[1], 3, 3]).named("w"),
      .weight([dims[3]]).named("row"), .weight([dims[2], 1]).named("column"),
      .frame([dims[0], 1, dims[2], dims[3]]).named("r"), .weight([1, 1, 1]).named("slope"),
    ]
    let tail = [
      node("PRelu", ["b", "slope"], "c"), node("Add", ["c", "row"], "d"),
      node("Mul", ["column", "d"], "e"), node("Sub", ["r", "e"], "y"),
    ]
    return [
      OperatorCase(
        "conv to one channel, normalisation, row, column, residual \(size)",
        inputs: inputs + normInputs("n", 1),
        nodes: [node("Conv", ["x", "w"], "a", same), norm("n", "a", "b")] + tail, .chain),
      OperatorCase(
        "conv to one channel and a residual \(size)", inputs: inputs,
        nodes: [node("Conv", ["x", "w"], "a", same), node("Add", ["r", "a"], "b")] + tail, .chain),
    ]
  }
}
