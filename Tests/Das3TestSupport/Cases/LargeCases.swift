extension OperatorCase {
  /// Large enough that kernels block, pack and split over threads; also what benchmarks time.
  static let largeCases: [OperatorCase] = [
    convolutions, pools, resizes, elementwise, reductions, products,
  ].flatMap(\.self)

  private static let convolutions: [OperatorCase] = [
    conv([1, 32, 33, 47], [32, 32, 3, 3], pads: [1, 1, 1, 1]),
    conv([1, 3, 65, 67], [19, 3, 3, 3], strides: [2, 2], pads: [1, 1, 1, 1]),
    conv([1, 128, 31, 29], [96, 128, 1, 1]),
    conv([2, 64, 41, 40], [64, 1, 3, 3], pads: [1, 1, 1, 1], groups: 64),
    conv([1, 64, 41, 43], [64, 1, 3, 3], strides: [2, 2], pads: [1, 1, 1, 1], groups: 64),
    conv([1, 48, 37, 33], [48, 1, 3, 3], dilations: [3, 3], pads: [3, 3, 3, 3], groups: 48),
    conv([1, 64, 37, 33], [64, 16, 1, 1], groups: 4),
    conv([1, 48, 27, 33], [48, 12, 3, 3], dilations: [2, 2], pads: [2, 2, 2, 2], groups: 4),
    conv([1, 20, 64, 80], [20, 20, 1, 1]),
    conv(
      [1, 24, 35, 51], [19, 24, 3, 3], dilations: [8, 8], pads: [8, 8, 8, 8], hasBias: false),
    OperatorCase(
      "convtranspose 4x4 s2x2 p1 o19", "ConvTranspose",
      [.frame([1, 32, 17, 21]), .weight([32, 19, 4, 4]), .weight([19])],
      ["strides": .ints([2, 2]), "pads": .ints([1, 1, 1, 1])], .sum),
    OperatorCase(
      "convtranspose 2x2 s2x2 o20", "ConvTranspose",
      [.frame([1, 40, 31, 33]), .weight([40, 20, 2, 2])], ["strides": .ints([2, 2])], .sum),
    OperatorCase(
      "convtranspose 4x4 s2x2 p1 depthwise", "ConvTranspose",
      [.frame([1, 32, 25, 31]), .weight([32, 1, 4, 4])],
      ["strides": .ints([2, 2]), "pads": .ints([1, 1, 1, 1]), "group": .int(32)], .sum),
  ].inContexts([.followed, .concatenated])

  private static let pools: [OperatorCase] = ["MaxPool", "AveragePool"].map {
    OperatorCase(
      "\($0.lowercased()) 3x3 s2x2 p1", $0, [.frame([2, 32, 65, 67])],
      [
        "kernel_shape": .ints([3, 3]), "strides": .ints([2, 2]), "pads": .ints([1, 1, 1, 1]),
      ], .sum)
  }

  private static let resizes: [OperatorCase] =
    ["half_pixel", "align_corners"].map {
      OperatorCase(
        "resize linear \($0) to 119×160 of", "Resize",
        [.frame([1, 20, 30, 40]), .none, .none, .ints([1, 20, 119, 160])],
        ["mode": .string("linear"), "coordinate_transformation_mode": .string($0)], .function)
    } + [
      OperatorCase(
        "resize nearest to twice", "Resize",
        [.frame([1, 24, 31, 37]), .none, .floats([1, 1, 2, 2])],
        .moved)
    ]

  private static let elementwise: [OperatorCase] = [
    OperatorCase("sigmoid", "Sigmoid", [.frame([1, 19, 61, 83], -9...9)], .function),
    OperatorCase("add row of", "Add", [.frame([1, 24, 61, 83]), .weight([83])], .rounded),
    OperatorCase(
      "mul with mask of", "Mul", [.frame([2, 24, 31, 43]), .frame([2, 1, 31, 43])], .rounded),
    OperatorCase(
      "transpose", "Transpose", [.frame([1, 24, 61, 83])], ["perm": .ints([0, 1, 3, 2])], .moved),
    OperatorCase(
      "add transposed operands of", "Add", [.frame([2, 24, 31, 43]), .frame([2, 24, 31, 43])],
      .rounded
    )
    .inContext(.transposed),
  ]

  private static let reductions: [OperatorCase] = [
    OperatorCase(
      "softmax axis 1", "Softmax", [.frame([1, 19, 61, 83], -9...9)], ["axis": .int(1)], .function),
    OperatorCase(
      "softmax axis 3", "Softmax", [.frame([1, 4, 120, 131], -9...9)], ["axis": .int(3)], .function),
    OperatorCase("argmax axis 1", "ArgMax", [.frame([1, 19, 61, 83])], ["axis": .int(1)], .moved),
    OperatorCase("globalaveragepool", "GlobalAveragePool", [.frame([1, 96, 61, 83])], .sum),
    OperatorCase(
      "layernorm axis -1", "LayerNormalization",
      [.frame([1, 600, 64], -1...3), .weight([64]), .weight([64])],
      Tolerance(absolute: 3e-6, relative: 2e-6, "a mean is subtracted")),
    OperatorCase(
      "instancenorm", "InstanceNormalization",
      [.frame([2, 24, 41, 43], 1...3), .weight([24]), .weight([24])],
      Tolerance(absolute: 1e-5, relative: 2e-6, "a mean of twice the deviation is subtracted")),
    OperatorCase(
      "reducesum of all", "ReduceSum", [.frame([2, 24, 61, 83])],
      Tolerance(absolute: 2e-4, relative: 1e-5, "terms of both signs almost cancel")),
  ]

  private static let products: [OperatorCase] = [
    OperatorCase(
      "matmul with weight 64×256 of", "MatMul", [.frame([1, 331, 64]), .weight([64, 256])], .sum),
    OperatorCase(
      "matmul with 2×32×300 of", "MatMul", [.frame([2, 300, 32]), .frame([2, 32, 300])], .sum),
    OperatorCase(
      "matmul with 2×75×32 of", "MatMul", [.frame([2, 300, 75]), .frame([2, 75, 32])], .sum
    )
    .inContext(.transposed),
  ]
}
