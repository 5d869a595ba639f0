extension OperatorCase {
  static let movementCases: [OperatorCase] =
    (slices + splits + paddings + transposes + repeats + gathers + blocks)
    .inContexts(Context.allCases)

  private static let image = [2, 6, 5, 7]

  private static let slices: [OperatorCase] =
    [
      ("channels 1..4", [1], [4], [1], [1]), ("rows backwards", [4], [-100], [2], [-1]),
      ("every second column backwards", [-1], [-8], [3], [-2]),
      ("rows and columns", [1, 2], [5, 100], [2, 3], [2, 3]),
      ("first row backwards", [-100], [-200], [2], [-1]),
      ("negative axes", [-3, -4], [-1, 100], [-1, -3], [1, 2]), ("one row", [2], [3], [2], [1]),
      ("all axes", [0, 5, 1, 6], [1, 0, 4, 0], [0, 1, 2, 3], [1, -2, 1, -3]),
    ].map { (title: String, starts: [Int], ends: [Int], axes: [Int], steps: [Int]) in
      OperatorCase(
        "slice \(title)", "Slice",
        [.frame(image), .ints(starts), .ints(ends), .ints(axes), .ints(steps)], .moved)
    } + [
      OperatorCase(
        "slice default axes", "Slice", [.frame([4, 5, 6]), .ints([1, 2]), .ints([3, 4])], .moved),
      OperatorCase(
        "slice opset 9", "Slice", opset: 9, [.frame(image)],
        ["starts": .ints([1, 0]), "ends": .ints([-1, 3]), "axes": .ints([1, 3])], .moved),
      OperatorCase(
        "slice to the end", "Slice", [.frame([9]), .ints([2]), .ints([Int.max]), .ints([0])], .moved
      ),
    ]

  private static let splits: [OperatorCase] = [
    OperatorCase(
      "split 1,2,3 of channels", "Split", [.frame(image), .ints([1, 2, 3])], ["axis": .int(1)],
      outputCount: 3, .moved),
    OperatorCase("split 2", "Split", [.frame([4, 6])], outputCount: 2, .moved),
    OperatorCase(
      "split num_outputs 3 of 7", "Split", opset: 18, [.frame(image)],
      ["axis": .int(-1), "num_outputs": .int(3)], outputCount: 3, .moved),
    OperatorCase(
      "split opset 11", "Split", opset: 11, [.frame(image)],
      ["axis": .int(2), "split": .ints([4, 1])], outputCount: 2, .moved),
  ]

  private static let paddings: [OperatorCase] =
    [
      ("constant", [0, 0, 1, 2, 0, 0, 3, 0], 17), ("edge", [0, 1, 1, 2, 1, 0, 3, 4], 17),
      ("reflect", [0, 0, 4, 2, 0, 0, 3, 6], 17), ("wrap", [0, 2, 4, 0, 0, 3, 0, 9], 19),
      ("constant", [0, -1, 2, -2, 0, 0, -1, 1], 17),
    ].map { (mode: String, pads: [Int], opset: Int) in
      let fill: [Input] = mode == "constant" ? [.scalar(-2.5)] : []
      return OperatorCase(
        "pad \(mode) \(pads.map(String.init).joined(separator: ","))", "Pad", opset: opset,
        [.frame(image), .ints(pads)] + fill, ["mode": .string(mode)], .moved)
    } + [
      OperatorCase("pad default", "Pad", [.frame([3, 4]), .ints([1, 0, 0, 2])], .moved),
      OperatorCase(
        "pad axes", "Pad", opset: 18, [.frame(image), .ints([1, 2]), .scalar(1), .ints([-2])],
        .moved),
      OperatorCase(
        "pad opset 10", "Pad", opset: 10, [.frame(image)],
        ["pads": .ints([0, 0, 1, 1, 0, 0, 1, 1]), "value": .float(0.5)], .moved),
    ]

  private static let transposes: [OperatorCase] =
    [
      [0, 2, 3, 1], [0, 3, 1, 2], [3, 2, 1, 0], [0, 1, 3, 2], [1, 0, 2, 3], [2, 0, 3, 1],
    ].map {
      OperatorCase(
        "transpose \($0.map(String.init).joined(separator: ","))", "Transpose", [.frame(image)],
        ["perm": .ints($0)], .moved)
    } + [
      OperatorCase("transpose", "Transpose", [.frame([3, 5])], .moved),
      OperatorCase("transpose default", "Transpose", [.frame([2, 3, 4, 5, 2])], .moved),
    ]

  private static let repeats: [OperatorCase] =
    [
      ([1, 1, 2, 3], [2, 3, 4, 5]), ([2, 1, 1, 1], [1, 3, 4, 5]), ([3, 2], [2, 5]),
      ([1, 2, 1], [2, 3, 4]),
    ].map { (times: [Int], dims: [Int]) in
      OperatorCase("tile \(times)", "Tile", [.frame(dims), .ints(times)], .moved)
    }
    + [
      ([2, 6, 5, 7], [6, 1, 1]), ([2, 6, 5, 7], [1, 6, 5, 1]), ([1, 1, 1, 1], [2, 3, 1, 2]),
      ([4], [1]),
      ([3, 1], [2, 3, 5]),
    ].map { (target: [Int], dims: [Int]) in
      OperatorCase("expand to \(target) of", "Expand", [.frame(dims), .ints(target)], .moved)
    }

  private static let gathers: [OperatorCase] = [
    OperatorCase(
      "gather axis 1", "Gather", [.frame(image), .ints([5, 0, -1, 0])], ["axis": .int(1)], .moved),
    OperatorCase(
      "gather scalar axis 2", "Gather", [.frame(image), .ints([], [3])], ["axis": .int(2)], .moved),
    OperatorCase(
      "gather rows", "Gather", [.frame([5, 4]), .ints([2, 3], [0, 4, 2, 2, -5, 1])], .moved),
    OperatorCase(
      "gather axis -1", "Gather", [.frame(image), .ints([1, 2], [6, 1])], ["axis": .int(-1)], .moved
    ),
    OperatorCase(
      "gathernd", "GatherND", [.frame([3, 4, 5]), .ints([3, 2], [0, 1, 2, -1, 1, 3])], .moved),
    OperatorCase("gathernd", "GatherND", [.frame(image), .ints([2, 1], [1, 0])], .moved),
    OperatorCase(
      "gather of a weight by constants 3×8×1×1",
      inputs: [
        .frame([1, 3, 5, 4]).named("x"), .weight([4, 3, 1, 1]).named("table"),
        .ints([], [2]).named("row"),
      ],
      nodes: [node("Gather", ["table", "row"], "g"), node("Mul", ["x", "g"], "y")], .rounded),
  ]

  private static let blocks: [OperatorCase] = [
    OperatorCase(
      "depthtospace 2", "DepthToSpace", [.frame([2, 12, 3, 5])], ["blocksize": .int(2)], .moved),
    OperatorCase(
      "depthtospace 3 CRD", "DepthToSpace", [.frame([1, 18, 4, 3])],
      ["blocksize": .int(3), "mode": .string("CRD")], .moved),
    OperatorCase(
      "depthtospace 2 of", "DepthToSpace", [.frame([1, 4, 3, 5])], ["blocksize": .int(2)], .moved),
    OperatorCase(
      "spacetodepth 2", "SpaceToDepth", [.frame([2, 3, 6, 4])], ["blocksize": .int(2)], .moved),
    OperatorCase(
      "spacetodepth 3", "SpaceToDepth", [.frame([1, 1, 6, 9])], ["blocksize": .int(3)], .moved),
  ]
}
