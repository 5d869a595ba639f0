extension OperatorCase {
  static let poolCases: [OperatorCase] = [
    poolForms, specialPools, signalPools, globalPools,
  ].flatMap(\.self).inContexts(Context.allCases)

  private static let poolForms: [OperatorCase] = ["MaxPool", "AveragePool"].flatMap {
    (opType) -> [OperatorCase] in
    [
      pool(opType, [2, 16, 17, 19], [3, 3], strides: [2, 2], pads: [1, 1, 1, 1]),
      pool(opType, [1, 5, 9, 8], [2, 2], strides: [2, 2]),
      pool(opType, [1, 5, 9, 8], [2, 2], strides: [2, 2], ceil: true),
      pool(opType, [1, 20, 11, 12], [3, 3], strides: [2, 2], ceil: true),
      pool(opType, [1, 7, 10, 11], [3, 2], strides: [3, 2], pads: [1, 0, 0, 1], ceil: true),
      pool(opType, [1, 19, 9, 9], [5, 5], pads: [2, 2, 2, 2]),
      pool(opType, [1, 19, 9, 11], [1, 1], strides: [3, 2]),
      pool(opType, [2, 3, 13, 12], [2, 3], strides: [4, 5]),
      pool(opType, [1, 8, 12, 13], [3, 3], pads: [0, 2, 1, 0]),
      pool(opType, [1, 8, 13, 14], [3, 2], strides: [2, 2], auto: "SAME_UPPER"),
      pool(opType, [1, 8, 13, 14], [2, 4], strides: [2, 3], auto: "SAME_LOWER"),
      pool(opType, [1, 8, 9, 10], [3, 3], strides: [2, 2], auto: "VALID"),
      pool(opType, [1, 1, 7, 9], [3, 3], pads: [1, 1, 1, 1]),
      pool(opType, [1, 6, 1, 1], [3, 3], pads: [1, 1, 1, 1]),
      pool(opType, [1, 33, 6, 7], [6, 7]),
      pool(opType, [1, 6, 12, 13], [3, 2], dilations: [2, 3], pads: [1, 1, 2, 0]),
    ]
  }

  private static let specialPools: [OperatorCase] = [
    pool(
      "AveragePool", [1, 6, 9, 10], [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], counts: true),
    pool(
      "AveragePool", [1, 6, 10, 9], [3, 3], strides: [2, 2], pads: [1, 0, 0, 2], ceil: true,
      counts: true),
    pool("AveragePool", [1, 6, 9, 10], [3, 3], counts: true, auto: "SAME_LOWER"),
    pool("MaxPool", [1, 6, 11, 11], [3, 3], strides: [2, 2], dilations: [2, 2], ceil: true),
  ]

  /// N×C×W: attributes have one value per axis.
  private static let signalPools: [OperatorCase] = ["MaxPool", "AveragePool"].flatMap {
    (opType) -> [OperatorCase] in
    let forms: [(String, [Int], Attributes)] = [
      ("k3 s2 p1,1", [2, 6, 17], ["strides": .ints([2]), "pads": .ints([1, 1])]),
      ("k3 s2 ceil", [1, 5, 12], ["strides": .ints([2]), "ceil_mode": .int(1)]),
      ("k3 SAME_LOWER", [1, 4, 9], ["auto_pad": .string("SAME_LOWER")]),
    ]
    return forms.map { (title, dims, attributes) in
      OperatorCase(
        "\(opType.lowercased()) of signals \(title)", opType, [.frame(dims)],
        attributes.merging(["kernel_shape": .ints([3])]) { own, _ in own },
        opType == "MaxPool" ? .moved : .sum)
    }
  }

  private static let globalPools: [OperatorCase] = ["GlobalAveragePool", "GlobalMaxPool"].flatMap {
    opType in
    [[1, 20, 7, 9], [2, 5, 1, 1], [2, 3, 31, 33], [1, 6, 5], [1, 4, 3, 5, 2]].map {
      OperatorCase(opType.lowercased(), opType, [.frame($0)], .sum)
    }
  }

  private static func pool(
    _ opType: String, _ x: [Int], _ kernel: [Int], strides: [Int] = [1, 1],
    dilations: [Int] = [1, 1], pads: [Int] = [0, 0, 0, 0], ceil: Bool = false, counts: Bool = false,
    auto: String? = nil
  ) -> OperatorCase {
    var title = "\(opType.lowercased()) \(kernel[0])x\(kernel[1]) s\(strides[0])x\(strides[1])"
    title += " d\(dilations[0])x\(dilations[1]) "
    title += auto ?? "p" + pads.map(String.init).joined(separator: ",")
    var attributes: Attributes = ["kernel_shape": .ints(kernel), "strides": .ints(strides)]
    if dilations != [1, 1] { attributes["dilations"] = .ints(dilations) }
    if let auto { attributes["auto_pad"] = .string(auto) } else { attributes["pads"] = .ints(pads) }
    if ceil {
      attributes["ceil_mode"] = .int(1)
      title += " ceil"
    }
    if counts {
      attributes["count_include_pad"] = .int(1)
      title += " counts padding"
    }
    // Only since opset 19 may an average be dilated.
    let opset = opType == "AveragePool" && dilations != [1, 1] ? 19 : 17
    return OperatorCase(
      title, opType, opset: opset, [.frame(x)], attributes, opType == "MaxPool" ? .moved : .sum)
  }
}
