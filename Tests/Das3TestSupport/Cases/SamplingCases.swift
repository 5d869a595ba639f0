/// Reading an image where a grid says, and writing at indices known at load.
extension OperatorCase {
  static let samplingCases: [OperatorCase] =
    (gridSamples + scatters).inContexts(Context.allCases) + [manyImages, deformed, oldScatter]

  private static let positions = Tolerance(
    absolute: 2e-5, relative: 1e-6,
    "a position among twenty pixels, rounded to float32, moves the result by some 1e-6 of a slope")

  private static let gridSamples: [OperatorCase] = ["nearest", "linear", "cubic"].flatMap {
    (mode) -> [OperatorCase] in
    ["zeros", "border", "reflection"].flatMap { (padding) -> [OperatorCase] in
      [0, 1].map { gridSample(mode, padding, aligned: $0) }
    }
  }

  private static func gridSample(
    _ mode: String, _ padding: String, aligned: Int, image: [Int] = [2, 5, 7, 9],
    size: [Int] = [6, 5]
  ) -> OperatorCase {
    OperatorCase(
      "grid sample \(mode) \(padding)" + (aligned == 1 ? " aligned" : ""), "GridSample", opset: 20,
      [.frame(image), .frame([image[0]] + size + [2], -2.4...2.4)],
      [
        "mode": .string(mode), "padding_mode": .string(padding), "align_corners": .int(aligned),
      ], positions)
  }

  private static let manyImages = gridSample(
    "linear", "zeros", aligned: 0, image: [3, 33, 19, 21], size: [23, 17])

  /// A grid that comes of the image itself, names of opset 16.
  private static let deformed = OperatorCase(
    "grid sample by computed offsets 1×3×8×9", opset: 16,
    inputs: [
      .frame([1, 3, 8, 9]).named("x"), .weight([2, 3, 3, 3], -0.3...0.3).named("w"),
    ],
    nodes: [
      OnnxWriter.Node("Conv", ["x", "w"], ["offsets"], ["pads": .ints([1, 1, 1, 1])]),
      OnnxWriter.Node("Tanh", ["offsets"], ["bounded"]),
      OnnxWriter.Node("Transpose", ["bounded"], ["grid"], ["perm": .ints([0, 2, 3, 1])]),
      OnnxWriter.Node(
        "GridSample", ["x", "grid"], ["y"],
        ["mode": .string("bilinear"), "padding_mode": .string("border")]),
    ], positions)

  private static let scatters: [OperatorCase] =
    ["none", "add", "mul", "max", "min"].flatMap { (reduction) -> [OperatorCase] in
      // An element twice only where the order does not matter.
      let again = reduction == "none" ? 1 : 3
      return [
        OperatorCase(
          "scatter rows \(reduction)", "ScatterND", opset: 18,
          [.frame([4, 3, 2]), .ints([3, 1], [3, -3, again == 1 ? 0 : 3]), .frame([3, 3, 2])],
          ["reduction": .string(reduction)], .sum),
        OperatorCase(
          "scatter elements \(reduction)", "ScatterElements", opset: 18,
          [
            .frame([3, 4]), .ints([2, 3], [0, 2, 1, 2, again == 1 ? 1 : 2, -1]), .frame([2, 3]),
          ], ["axis": .int(0), "reduction": .string(reduction)], .sum),
      ]
    } + [
      OperatorCase(
        "scatter pixels", "ScatterND", opset: 16,
        [
          .frame([2, 3, 4, 5]), .ints([2, 2, 3], [0, 0, 1, 0, 2, 3, 1, 1, 1, 1, 0, 0]),
          .frame([2, 2, 5]),
        ], .moved),
      OperatorCase(
        "scatter all rows", "ScatterND", opset: 16,
        [.frame([3, 4]), .ints([3, 1], [2, 0, 1]), .frame([3, 4])], .moved),
      OperatorCase(
        "scatter along columns", "ScatterElements", opset: 16,
        [
          .frame([1, 3, 4, 5]), .ints([1, 3, 4, 2], (0..<24).map { $0 % 2 * 3 }),
          .frame([1, 3, 4, 2]),
        ], ["axis": .int(-1)], .moved),
    ]

  private static let oldScatter = OperatorCase(
    "scatter of opset 9", "Scatter", opset: 9,
    [.frame([3, 4]), .ints([1, 4], [0, 2, 1, 2]), .frame([1, 4])], [:], .moved)
}
