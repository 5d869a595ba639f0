extension OperatorCase {
  static let reductionCases: [OperatorCase] = [
    means, otherReductions, [reduction("ReduceMean", [1, 3, 211, 173], [2, 3], keepsDims: true)],
    Array(
      [reduction("ReduceMax", [2, 5, 7, 6], [2, 3], keepsDims: true)]
        .inContexts(Context.allCases).dropFirst()),
    empty, argMaxes, softmaxes.inContexts(Context.allCases), largeSoftmaxes, flattenedSoftmaxes,
  ].flatMap(\.self)

  private static let means: [OperatorCase] = axisSets.flatMap { (dims, axes) -> [OperatorCase] in
    [true, false].map { reduction("ReduceMean", dims, axes, keepsDims: $0) }
  }

  private static let otherReductions: [OperatorCase] = kinds.flatMap { (kind) -> [OperatorCase] in
    let sets: [[Int]] = [[1], [2, 3], [3], [0, 2], []]
    return sets.map { reduction(kind.0, [2, 5, 7, 6], $0, keepsDims: $0 != [1]) }
  }

  /// Of no images, and of images without rows: memory of zeros has another product.
  private static let empty: [OperatorCase] = [[0, 4, 8, 8], [2, 4, 0, 8]].flatMap { dims in
    [[], [0, 1], [2, 3]].map { reduction("ReduceProd", dims, $0, keepsDims: true) }
  }

  private static let axisSets: [([Int], [Int])] = [
    ([2, 5, 7, 6], [0]), ([2, 5, 7, 6], [1]), ([2, 5, 7, 6], [2]), ([2, 5, 7, 6], [3]),
    ([2, 5, 7, 6], [0, 1]), ([2, 5, 7, 6], [0, 3]), ([2, 5, 7, 6], [1, 2]),
    ([2, 5, 7, 6], [1, 3]),
    ([2, 5, 7, 6], [1, 2, 3]), ([2, 5, 7, 6], [0, 2, 3]), ([2, 5, 7, 6], [0, 1, 2, 3]),
    ([2, 5, 7, 6], [-1, -2]), ([1, 5, 1, 6], [2]), ([1, 5, 1, 6], [0, 2]), ([9, 33], [0]),
    ([9, 33], [1]), ([3, 4, 5], [1]), ([2, 3, 2, 3, 2], [1, 3]), ([7], [0]),
  ]
  private static let kinds: [(String, ClosedRange<Float>)] = [
    ("ReduceSum", -1...1), ("ReduceMax", -1...1), ("ReduceMin", -1...1), ("ReduceL1", -1...1),
    ("ReduceL2", -1...1), ("ReduceProd", 0.9...1.1), ("ReduceSumSquare", -1...1),
    ("ReduceLogSum", 0.1...1), ("ReduceLogSumExp", -1...1),
  ]

  private static func reduction(_ opType: String, _ dims: [Int], _ axes: [Int], keepsDims: Bool)
    -> OperatorCase
  {
    let list = axes.isEmpty ? "all" : axes.map(String.init).joined(separator: ",")
    let range = kinds.first { $0.0 == opType }?.1 ?? -1...1
    var attributes: Attributes = ["keepdims": .int(keepsDims ? 1 : 0)]
    // Sums take their axes as an input since 13, the others since 18.
    if opType == "ReduceSum" {
      let inputs: [Input] = [.frame(dims, range)] + (axes.isEmpty ? [] : [.ints(axes)])
      return OperatorCase(
        "\(opType.lowercased()) \(list) keeps \(keepsDims)", opType, inputs, attributes, .sum)
    }
    if !axes.isEmpty { attributes["axes"] = .ints(axes) }
    return OperatorCase(
      "\(opType.lowercased()) \(list) keeps \(keepsDims)", opType, [.frame(dims, range)],
      attributes,
      Tolerance(absolute: 1e-6, relative: 1e-5, "products and sums of up to 420 terms"))
  }

  private static let searches: [([Int], Int)] = [
    ([2, 5, 7, 6], 0), ([2, 5, 7, 6], 1), ([2, 5, 7, 6], 2), ([2, 19, 7, 6], -1),
    ([1, 19, 9, 11], 1), ([9, 33], 1), ([9, 33], 0), ([7], 0),
  ]

  private static let argMaxes: [OperatorCase] =
    searches.flatMap { (dims, axis) -> [OperatorCase] in
      [true, false].map { keepsDims in
        OperatorCase(
          "argmax axis \(axis) keeps \(keepsDims)", "ArgMax", [.frame(dims)],
          ["axis": .int(axis), "keepdims": .int(keepsDims ? 1 : 0)], .moved)
      }
    } + ties

  private static let ties: [OperatorCase] = [0, 1].map { last in
    OperatorCase(
      "argmax of ties, last \(last)", "ArgMax",
      [.frame([2, 6], floats: [1, 3, 3, 2, 3, 0, 5, 5, 5, 5, 5, 5])],
      ["axis": .int(1), "select_last_index": .int(last)], .moved)
  }

  private static let softmaxAxes: [([Int], Int)] = [
    ([2, 19, 5, 7], 1), ([2, 5, 7, 6], 0), ([2, 5, 7, 6], 2), ([2, 5, 7, 6], -1), ([3, 65], 1),
    ([3, 65], 0), ([2, 3, 9, 9], 3), ([1, 1, 4, 4], 1), ([11], 0),
  ]

  private static let softmaxes: [OperatorCase] = ["Softmax", "LogSoftmax"].flatMap {
    (opType) -> [OperatorCase] in
    softmaxAxes.map { dims, axis in
      OperatorCase(
        "\(opType.lowercased()) axis \(axis)", opType, [.frame(dims, -10...10)],
        ["axis": .int(axis)], .function)
    }
  }

  private static let largeSoftmaxes: [OperatorCase] = ["Softmax", "LogSoftmax"].map { opType in
    let values: [Float] = [10000, 10001, -10000, -1e30, 80, -80]
    return OperatorCase(
      "\(opType.lowercased()) of large values", opType, [.frame([2, 3], floats: values)],
      ["axis": .int(1)], .function)
  }

  private static let flattenedSoftmaxes: [OperatorCase] = ["Softmax", "LogSoftmax"].flatMap {
    (opType) -> [OperatorCase] in
    [1, 2, 3].map { axis in
      OperatorCase(
        "\(opType.lowercased()) opset 11 axis \(axis)", opType, opset: 11,
        [.frame([2, 3, 5, 4], -4...4)], ["axis": .int(axis)], .function)
    }
  }
}
