extension OperatorCase {
  static let reshapeCases: [OperatorCase] =
    (reshapes + flattens + squeezes).inContexts(Context.allCases)

  private static let reshapes: [OperatorCase] = [
    ([2, 6, 5, 7], [2, 6, 35]), ([2, 6, 5, 7], [2, 3, 2, 5, 7]), ([2, 6, 5, 7], [12, 35]),
    ([2, 6, 5, 7], [0, 0, -1]), ([2, 6, 5, 7], [-1]), ([2, 6, 5, 7], [2, 210]),
    ([2, 6, 4, 9], [2, 6, 9, 4]), ([2, 6, 4, 9], [2, 24, 9]), ([2, 6, 4, 9], [4, 3, 2, 2, 3, 3]),
    ([3, 8], [3, 2, 4]), ([3, 8], [8, 3]), ([2, 35, 6], [2, 5, 7, 6]), ([1, 6, 1, 1], [6]),
    ([2, 3, 2, 5, 7], [2, 6, 5, 7]), ([24], [1, 2, 3, 4]), ([1, 1, 1, 1], [1]),
  ].map { (dims: [Int], target: [Int]) in
    OperatorCase("reshape to \(target) of", "Reshape", [.frame(dims), .ints(target)], .moved)
  }

  private static let flattens: [OperatorCase] = [0, 1, 2, 3, -1].map {
    OperatorCase(
      "flatten axis \($0)", "Flatten", [.frame([2, 3, 5, 4])], ["axis": .int($0)], .moved)
  }

  private static let squeezes: [OperatorCase] = [
    OperatorCase("squeeze 2,3", "Squeeze", [.frame([2, 6, 1, 1]), .ints([2, 3])], .moved),
    OperatorCase("squeeze", "Squeeze", [.frame([1, 6, 1, 5])], .moved),
    OperatorCase(
      "squeeze opset 11", "Squeeze", opset: 11, [.frame([1, 6, 1, 5])], ["axes": .ints([-2])],
      .moved),
    OperatorCase("unsqueeze 0,-1", "Unsqueeze", [.frame([3, 5]), .ints([0, -1])], .moved),
    OperatorCase("unsqueeze 2", "Unsqueeze", [.frame([2, 3, 4, 5]), .ints([2])], .moved),
    OperatorCase(
      "unsqueeze opset 11", "Unsqueeze", opset: 11, [.frame([3, 5])], ["axes": .ints([1])], .moved),
  ]
}
