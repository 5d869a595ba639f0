extension OperatorCase {
  /// Pieces of real networks, where layouts, views and memory of several operators meet.
  static let networkCases: [OperatorCase] = [
    runtimeNorm, tokensAndBack, shuffleUnit, decoderStep, pyramid, joinedSizes,
    enlargedAlone, partOfConcat, weightsAlone,
    emptyPart, pixelShuffle, viewsOfOne, attentionGate, manyOutputs, manyBranches,
  ]

  private static let x = Input.frame([1, 8, 9, 7]).named("x")
  private static let channels: Attributes = ["axis": .int(1)]

  private static func joined(_ inputs: [String], _ output: String) -> Node {
    node("Concat", inputs, output, channels)
  }

  private static let runtimeNorm = OperatorCase(
    "conv and a normalisation that is made at run time 1×8×9×7",
    inputs: [
      x, .weight([8, 8, 3, 3]).named("w"), .weight([8]).named("b"),
      .frame([8], 0.5...1.5).named("n.scale"), .weight([8]).named("n.shift"),
      .weight([8]).named("n.mean"), .frame([8], 0.5...2).named("n.variance"),
    ],
    nodes: [
      node("Conv", ["x", "w", "b"], "a", same), norm("n", "a", "c"), node("Relu", ["c"], "d"),
      norm("n", "d", "y"),
    ], .chain)

  private static let tokensAndBack = OperatorCase(
    "patches, tokens, layer norms and an image again 1×3×20×16",
    inputs: [
      .frame([1, 3, 20, 16]).named("x"), .weight([12, 3, 7, 7]).named("w"),
      .weight([12]).named("s"), .weight([12]).named("t"), .weight([12, 24]).named("up"),
      .weight([24]).named("up.b"), .weight([24, 1, 3, 3]).named("d"),
      .weight([24, 12]).named("down"),
      .ints([1, 12, 20]).named("flat"), .ints([1, 24, 5, 4]).named("image"),
      .ints([1, 24, 20]).named("flat2"),
    ],
    nodes: [
      node("Conv", ["x", "w"], "a", ["strides": .ints([4, 4]), "pads": .ints([3, 3, 3, 3])]),
      node("Reshape", ["a", "flat"], "b"),
      node("Transpose", ["b"], "c", ["perm": .ints([0, 2, 1])]),
      node("LayerNormalization", ["c", "s", "t"], "e"), node("MatMul", ["e", "up"], "f"),
      node("Add", ["up.b", "f"], "g"), node("Transpose", ["g"], "h", ["perm": .ints([0, 2, 1])]),
      node("Reshape", ["h", "image"], "i"),
      node("Conv", ["i", "d"], "j", same.merging(["group": .int(24)]) { $1 }),
      node("Reshape", ["j", "flat2"], "k"),
      node("Transpose", ["k"], "l", ["perm": .ints([0, 2, 1])]),
      node("Sigmoid", ["l"], "m"), node("MatMul", ["m", "down"], "n"),
      node("Add", ["c", "n"], "y"),
    ], .chain)

  private static func split(_ input: String, _ outputs: [String], axis: Int = 1) -> Node {
    var split = node("Split", [input], outputs[0], ["axis": .int(axis)])
    split.outputs = outputs
    return split
  }

  private static let shuffleUnit = OperatorCase(
    "split, one half convolved, joined, shuffled 1×8×9×7",
    inputs: [
      x, .weight([4, 4, 1, 1]).named("w"), .weight([4, 1, 3, 3]).named("d"),
      .ints([1, 2, 4, 9, 7]).named("apart"), .ints([1, 8, 9, 7]).named("image"),
      .weight([8, 8, 3, 3]).named("v"),
    ],
    nodes: [
      split("x", ["l", "r"]), node("Conv", ["r", "w"], "a"), node("Relu", ["a"], "b"),
      node("Conv", ["b", "d"], "c", same.merging(["group": .int(4)]) { $1 }),
      joined(["l", "c"], "e"), node("Reshape", ["e", "apart"], "f"),
      node("Transpose", ["f"], "g", ["perm": .ints([0, 2, 1, 3, 4])]),
      node("Reshape", ["g", "image"], "h"), split("h", ["i", "j"]),
      node("Conv", ["i", "w"], "k"), joined(["k", "j"], "m"), node("Conv", ["m", "v"], "y", same),
    ], .chain)

  private static let decoderStep = OperatorCase(
    "upsampled, joined with a skip, convolved 1×8×9×7",
    inputs: [
      x, .weight([6, 8, 3, 3]).named("w"), .weight([5, 14, 3, 3]).named("v"),
      .weight([6, 4, 3, 3]).named("u"), .ints([1, 6, 9, 7]).named("size"),
      .floats([1, 1, 2, 2]).named("twice"), .weight([5, 8, 3, 3]).named("o"),
    ],
    nodes: [
      node("Conv", ["x", "w"], "a", ["strides": .ints([2, 2]), "pads": .ints([1, 1, 1, 1])]),
      node("Resize", ["a", "", "", "size"], "b", ["mode": .string("linear")]),
      joined(["b", "x"], "c"), node("Conv", ["c", "v"], "d", same),
      node(
        "ConvTranspose", ["a", "u"], "e", ["strides": .ints([2, 2]), "pads": .ints([1, 1, 1, 1])]),
      node("Resize", ["e", "", "twice"], "f", ["mode": .string("nearest")]),
      joined(["e", "e"], "g"), node("Conv", ["g", "o"], "y", same),
    ], outputs: ["y", "d", "f"], .chain)

  private static let pyramid = OperatorCase(
    "pooled at several sizes and joined 1×8×9×7",
    inputs: [
      x, .weight([3, 8, 1, 1]).named("w"), .weight([4, 8, 3, 3]).named("v"),
      .weight([6, 13, 1, 1]).named("u"), .ints([1, 3, 9, 7]).named("size"),
    ],
    nodes: [
      node("GlobalAveragePool", ["x"], "a"), node("Conv", ["a", "w"], "b"),
      node("Relu", ["b"], "c"),
      node("Resize", ["c", "", "", "size"], "d", ["mode": .string("linear")]),
      node("AveragePool", ["x"], "e", ["kernel_shape": .ints([3, 3]), "strides": .ints([3, 3])]),
      node("Conv", ["e", "w"], "f"),
      node(
        "Resize", ["f", "", "", "size"], "g",
        [
          "mode": .string("linear"), "coordinate_transformation_mode": .string("align_corners"),
        ]),
      node("Conv", ["x", "v"], "h", ["dilations": .ints([2, 2]), "pads": .ints([2, 2, 2, 2])]),
      node("Conv", ["x", "w"], "i"), joined(["d", "h", "g", "i"], "j"),
      node("Conv", ["j", "u"], "y"),
    ], .chain)

  private static let joinedSizes = OperatorCase(
    "maps of several sizes, joined and convolved 1x1 1×32×12×10",
    inputs: [
      .frame([1, 32, 12, 10]).named("x"), .frame([1, 36, 6, 5]).named("half"),
      .frame([1, 40, 3, 5]).named("part"), .frame([1, 3, 12, 10]).named("beside"),
      .weight([20, 143, 1, 1]).named("w"), .weight([20]).named("b"),
      .ints([1, 40, 12, 10]).named("size"), .floats([1, 1, 2, 2]).named("twice"),
    ] + normInputs("n", 20),
    nodes: [
      node("Resize", ["half", "", "twice"], "nearest", ["mode": .string("nearest")]),
      node("Resize", ["part", "", "", "size"], "linear", ["mode": .string("linear")]),
      node("Sigmoid", ["x"], "a"), node("Sigmoid", ["nearest"], "other"),
      joined(["a", "linear", "x", "beside", "nearest"], "c"), node("Conv", ["c", "w", "b"], "d"),
      norm("n", "d", "e"), node("Relu", ["e"], "y"),
    ], outputs: ["y", "other"], .chain)

  private static let enlargedAlone = OperatorCase(
    "an enlarged map convolved 1x1 2×33×4×6",
    inputs: [
      .frame([2, 33, 4, 6]).named("x"), .weight([5, 33, 1, 1]).named("w"),
      .weight([5]).named("b"), .ints([2, 33, 11, 13]).named("size"),
    ],
    nodes: [
      node(
        "Resize", ["x", "", "", "size"], "a",
        [
          "mode": .string("linear"), "coordinate_transformation_mode": .string("align_corners"),
        ]), node("Conv", ["a", "w", "b"], "y"),
    ], .chain)

  private static let partOfConcat = OperatorCase(
    "softmax and products of parts of a concat 1×8×9×7",
    inputs: [
      x, .weight([8, 8, 3, 3]).named("w"), .ints([3]).named("from"), .ints([11]).named("to"),
      .ints([1]).named("axis"), .weight([8, 1, 1]).named("k"),
    ],
    nodes: [
      node("Conv", ["x", "w"], "a", same), node("Sigmoid", ["a"], "b"), joined(["a", "b"], "c"),
      node("Slice", ["c", "from", "to", "axis"], "d"), node("Softmax", ["d"], "e", channels),
      node("Mul", ["d", "e"], "f"), node("ReduceSum", ["f", "axis"], "g"),
      node("Mul", ["d", "g"], "h"), node("Mul", ["h", "k"], "y"),
    ], outputs: ["y", "g"], .chain)

  private static let weightsAlone = OperatorCase(
    "output of weights alone 1×8×9×7",
    inputs: [x, .weight([8, 5]).named("w"), .weight([5]).named("b")],
    nodes: [
      node("Transpose", ["w"], "a"), node("MatMul", ["a", "w"], "c"), node("Add", ["c", "b"], "y"),
      node("Relu", ["x"], "z"), node("Identity", ["w"], "v"),
    ], outputs: ["y", "z", "v"], .chain)

  private static let emptyPart = OperatorCase(
    "concat with a part of no channels 1×8×9×7",
    inputs: [
      x, .weight([8, 8, 3, 3]).named("w"), .ints([2]).named("from"), .ints([1]).named("axis"),
    ],
    nodes: [
      node("Slice", ["x", "from", "from", "axis"], "a"), node("Relu", ["a"], "b"),
      node("Conv", ["x", "w"], "c", same), joined(["b", "c", "a"], "y"),
    ], .chain)

  private static let pixelShuffle = OperatorCase(
    "pixels to channels and back around convolutions 1×2×8×6",
    inputs: [
      .frame([1, 2, 8, 6]).named("x"), .weight([12, 8, 3, 3]).named("w"),
      .weight([3, 3, 1, 1]).named("v"),
    ],
    nodes: [
      node("SpaceToDepth", ["x"], "a", ["blocksize": .int(2)]),
      node("Conv", ["a", "w"], "b", same),
      node("Relu", ["b"], "c"),
      node("DepthToSpace", ["c"], "d", ["blocksize": .int(2), "mode": .string("CRD")]),
      node("Conv", ["d", "v"], "y"),
    ], .chain)

  private static let viewsOfOne = OperatorCase(
    "views of one tensor against each other 2×6×6×6",
    inputs: [
      .frame([2, 6, 6, 6]).named("x"), .weight([6, 6, 1, 1]).named("w"), .ints([-1]).named("last"),
      .ints([-100]).named("first"), .ints([3]).named("columns"), .ints([6]).named("size"),
    ],
    nodes: [
      node("Conv", ["x", "w"], "a"), node("Transpose", ["a"], "b", ["perm": .ints([0, 2, 3, 1])]),
      node("Sub", ["a", "b"], "c"), node("Slice", ["a", "last", "first", "columns", "last"], "d"),
      node("Mul", ["c", "d"], "e"), node("Transpose", ["d"], "f", ["perm": .ints([1, 0, 3, 2])]),
      node("Transpose", ["f"], "g", ["perm": .ints([1, 0, 3, 2])]), node("Max", ["g", "e"], "h"),
      node("Add", ["h", "b"], "y"),
    ], .chain)

  private static let attentionGate = OperatorCase(
    "gate of one channel over a skip 2×8×9×7",
    inputs: [
      .frame([2, 8, 9, 7]).named("x"), .frame([2, 4, 9, 7]).named("g"),
      .weight([5, 8, 1, 1]).named("w"),
      .weight([5, 4, 1, 1]).named("v"), .weight([1, 5, 1, 1]).named("u"), .weight([1]).named("b"),
    ] + normInputs("n", 1),
    nodes: [
      node("Conv", ["x", "w"], "a"), node("Conv", ["g", "v"], "c"), node("Add", ["a", "c"], "d"),
      node("Relu", ["d"], "e"), node("Conv", ["e", "u", "b"], "f"), norm("n", "f", "h"),
      node("Sigmoid", ["h"], "i"), node("Mul", ["x", "i"], "j"), joined(["i", "j", "g"], "y"),
    ], .chain)

  private static let manyOutputs = OperatorCase(
    "outputs of every layout 1×8×9×7",
    inputs: [x, .weight([8, 8, 3, 3]).named("w"), .ints([1, 8, 63]).named("flat")],
    nodes: [
      node("Conv", ["x", "w"], "a", same),
      node("Transpose", ["a"], "b", ["perm": .ints([0, 2, 3, 1])]),
      node("Reshape", ["a", "flat"], "c"),
      node("Transpose", ["c"], "d", ["perm": .ints([0, 2, 1])]),
      node("ArgMax", ["a"], "e", channels), node("Identity", ["x"], "f"), node("Relu", ["b"], "g"),
      node("Transpose", ["x"], "h", ["perm": .ints([0, 1, 3, 2])]),
    ], outputs: ["d", "b", "f", "g", "h", "c"], .chain)

  /// Lives of many buffers that cross: what is reused too early shows.
  private static let manyBranches = OperatorCase(
    "a dozen values alive at once 1×8×9×7",
    inputs: [x, .weight([8, 8, 3, 3]).named("w"), .weight([8, 1, 3, 3]).named("d")],
    nodes: (0..<12).map { k in
      let input = k == 0 ? "x" : "a\(k - 1)"
      return k % 2 == 0
        ? node("Conv", [input, "d"], "a\(k)", same.merging(["group": .int(8)]) { $1 })
        : node("Tanh", [input], "a\(k)")
    }
      + (0..<6).map { k in
        node(
          "MaxPool", ["a\(2 * k)"], "b\(k)",
          ["kernel_shape": .ints([3, 3]), "pads": .ints([1, 1, 1, 1])])
      } + (0..<6).map { k in node("Sub", ["b\(5 - k)", "a\(2 * k + 1)"], "c\(k)") } + [
        joined((0..<6).map { "c\($0)" }, "e"), node("Softmax", ["e"], "f", channels),
        joined(["f", "b0", "a11", "x"], "y"),
      ], .chain)
}
