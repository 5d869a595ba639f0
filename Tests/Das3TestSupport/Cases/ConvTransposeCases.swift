extension OperatorCase {
  static let convTransposeCases: [OperatorCase] = convTransposeForms.inContexts(Context.allCases)

  private static let convTransposeForms: [OperatorCase] = [
    convTranspose([1, 8, 5, 7], [8, 6, 3, 3]),
    convTranspose([1, 16, 25, 24], [16, 20, 3, 3], pads: [1, 1, 1, 1]),
    convTranspose([2, 8, 5, 7], [8, 19, 2, 2], strides: [2, 2]),
    convTranspose(
      [1, 16, 6, 5], [16, 20, 3, 3], strides: [2, 2], pads: [1, 1, 1, 1], extra: [1, 1]),
    convTranspose([1, 4, 5, 6], [4, 5, 4, 4], strides: [2, 2], pads: [1, 1, 1, 1]),
    convTranspose(
      [1, 19, 5, 6], [19, 1, 4, 4], strides: [2, 2], pads: [1, 1, 1, 1], groups: 19),
    convTranspose([1, 6, 4, 5], [6, 4, 3, 2], strides: [3, 1], pads: [0, 1, 2, 0]),
    convTranspose([1, 6, 4, 5], [6, 4, 2, 2], strides: [3, 3], extra: [2, 1]),
    convTranspose([2, 6, 5, 4], [6, 3, 3, 3], dilations: [2, 3], pads: [1, 2, 0, 1]),
    convTranspose([1, 6, 5, 4], [6, 3, 3, 3], strides: [2, 3], dilations: [2, 1], groups: 2),
    convTranspose([2, 9, 4, 5], [9, 2, 3, 3], strides: [2, 2], groups: 3, hasBias: false),
    convTranspose([1, 8, 1, 1], [8, 5, 3, 3], strides: [2, 2]),
    convTranspose([1, 8, 4, 4], [8, 5, 1, 1], strides: [2, 2]),
    convTranspose([1, 4, 5, 5], [4, 3, 3, 3], strides: [3, 3], shape: [14, 16]),
    convTranspose(
      [1, 4, 5, 5], [4, 3, 3, 3], strides: [2, 2], shape: [10, 10], autoPad: "SAME_UPPER"),
    convTranspose([1, 4, 5, 5], [4, 3, 4, 3], strides: [2, 2], autoPad: "SAME_UPPER"),
    convTranspose([1, 4, 5, 5], [4, 3, 4, 3], strides: [2, 2], autoPad: "SAME_LOWER"),
    convTranspose([1, 4, 5, 5], [4, 3, 3, 3], strides: [2, 2], autoPad: "VALID"),
  ]

  private static func convTranspose(
    _ x: [Int], _ w: [Int], strides: [Int] = [1, 1], dilations: [Int] = [1, 1], pads: [Int]? = nil,
    extra: [Int]? = nil, groups: Int = 1, hasBias: Bool = true, shape: [Int]? = nil,
    autoPad: String? = nil
  ) -> OperatorCase {
    func list(_ values: [Int]) -> String { values.map(String.init).joined(separator: ",") }
    var title = "convtranspose \(w[2])x\(w[3]) s\(strides[0])x\(strides[1])"
    title += " d\(dilations[0])x\(dilations[1])"
    var attributes: Attributes = [
      "strides": .ints(strides), "dilations": .ints(dilations), "group": .int(groups),
    ]
    for (name, values) in [("pads", pads), ("output_padding", extra), ("output_shape", shape)] {
      guard let values else { continue }
      attributes[name] = .ints(values)
      title += " \(name) \(list(values))"
    }
    if let autoPad {
      attributes["auto_pad"] = .string(autoPad)
      title += " \(autoPad)"
    }
    title += " g\(groups) o\(w[1] * groups)" + (hasBias ? "" : " no bias")
    let inputs: [Input] =
      [.frame(x), .weight(w)] + (hasBias ? [.weight([w[1] * groups])] : [])
    let isFiltered = w[2...] == [3, 3] && strides == [1, 1] && groups == 1 && x[1] >= 12
    return OperatorCase(title, "ConvTranspose", inputs, attributes, isFiltered ? .filtered : .sum)
  }
}
