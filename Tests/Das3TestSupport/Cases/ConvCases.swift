extension OperatorCase {
  typealias Attributes = [String: OnnxWriter.Attribute]

  /// Convolutions alone, then the same reading views and joined by what follows.
  static let convCases: [OperatorCase] =
    (convForms + signalForms).inContexts(Context.allCases) + [dynamicWeights, biasOnly]

  /// N×C×W: attributes have one value per axis.
  private static let signalForms: [OperatorCase] = [
    signal("Conv", [1, 1, 37], [1, 1, 5], ["pads": .ints([2, 2])]),
    signal("Conv", [2, 6, 19], [10, 6, 3], ["strides": .ints([2]), "pads": .ints([1, 0])]),
    signal("Conv", [2, 6, 19], [12, 2, 3], ["dilations": .ints([3])], groups: 3),
    signal("Conv", [1, 8, 20], [8, 1, 4], ["auto_pad": .string("SAME_UPPER")], groups: 8),
    signal(
      "ConvTranspose", [2, 6, 7], [6, 4, 3], ["strides": .ints([2]), "pads": .ints([1, 0])]),
    signal(
      "ConvTranspose", [1, 6, 7], [6, 2, 3],
      ["strides": .ints([3]), "output_padding": .ints([1])], groups: 2),
    signal(
      "ConvTranspose", [1, 4, 5], [4, 3, 3],
      ["strides": .ints([2]), "output_shape": .ints([10])]),
    signal(
      "ConvTranspose", [1, 4, 5], [4, 3, 4],
      ["strides": .ints([2]), "auto_pad": .string("SAME_LOWER")]),
  ]

  private static func signal(
    _ opType: String, _ x: [Int], _ w: [Int], _ attributes: Attributes, groups: Int = 1
  ) -> OperatorCase {
    var title = "\(opType.lowercased()) of signals k\(w[2])"
    for (name, value) in attributes.sorted(by: { $0.key < $1.key }) {
      title += " \(name) \(text(value))"
    }
    var attributes = attributes
    attributes["group"] = .int(groups)
    let outputs = opType == "Conv" ? w[0] : w[1] * groups
    return OperatorCase(
      "\(title) g\(groups)", opType, [.frame(x), .weight(w), .weight([outputs])], attributes, .sum)
  }

  private static let convForms: [OperatorCase] = [
    conv([1, 8, 13, 15], [19, 8, 3, 3], pads: [1, 1, 1, 1]),
    conv(
      [2, 6, 17, 19], [9, 2, 3, 5], strides: [2, 1], dilations: [1, 2], pads: [1, 0, 2, 1],
      groups: 3),
    conv([1, 3, 17, 23], [16, 3, 3, 3], strides: [2, 2], pads: [1, 1, 1, 1]),
    conv([2, 3, 19, 15], [32, 3, 7, 7], strides: [2, 2], pads: [3, 3, 3, 3], hasBias: false),
    conv([1, 16, 9, 7], [19, 16, 1, 1]),
    conv([1, 16, 9, 7], [20, 16, 1, 1], hasBias: false),
    conv([2, 24, 7, 5], [40, 24, 1, 1], strides: [2, 2]),
    conv([1, 5, 11, 11], [7, 5, 1, 1], pads: [1, 1, 1, 1]),
    conv([1, 12, 9, 11], [20, 12, 1, 3], pads: [0, 1, 0, 1]),
    conv([1, 12, 9, 11], [19, 12, 5, 1], pads: [2, 0, 2, 0]),
    conv([1, 4, 13, 17], [8, 4, 7, 7], pads: [3, 3, 3, 3]),
    conv([1, 8, 12, 13], [8, 2, 3, 3], pads: [1, 1, 1, 1], groups: 4),
    conv([2, 8, 11, 9], [12, 2, 3, 3], pads: [1, 1, 1, 1], groups: 4),
    conv([1, 12, 7, 9], [6, 4, 1, 1], groups: 3),
    conv([1, 50, 9, 13], [10, 5, 3, 3], pads: [1, 1, 1, 1], groups: 10),
    conv([2, 64, 7, 9], [48, 4, 3, 3], pads: [1, 1, 1, 1], groups: 16, hasBias: false),
    conv([1, 32, 9, 8], [16, 2, 3, 3], strides: [2, 1], dilations: [1, 2], groups: 16),
    conv([1, 24, 6, 11], [8, 3, 1, 5], pads: [0, 2, 0, 2], groups: 8),
    conv([1, 48, 5, 6], [8, 6, 2, 2], groups: 8), conv([1, 16, 9, 9], [32, 1, 3, 3], groups: 16),
    conv([1, 40, 9, 9], [20, 20, 1, 1], groups: 2, hasBias: false),
    conv([1, 32, 8, 9], [32, 8, 3, 3], strides: [2, 1], pads: [1, 1, 1, 1], groups: 4),
    conv([1, 16, 11, 13], [16, 1, 3, 3], pads: [1, 1, 1, 1], groups: 16),
    conv([2, 19, 9, 10], [19, 1, 3, 3], strides: [2, 2], pads: [1, 1, 1, 1], groups: 19),
    conv(
      [1, 20, 12, 17], [20, 1, 3, 3], dilations: [4, 4], pads: [4, 4, 4, 4], groups: 20,
      hasBias: false),
    conv([1, 9, 9, 13], [9, 1, 5, 5], strides: [1, 2], pads: [2, 2, 2, 2], groups: 9),
    conv([1, 10, 9, 13], [10, 1, 1, 3], dilations: [1, 3], pads: [0, 3, 0, 3], groups: 10),
    conv([1, 6, 9, 11], [12, 1, 3, 3], pads: [1, 1, 1, 1], groups: 6),
    conv([1, 16, 8, 9], [32, 1, 3, 3], strides: [2, 2], pads: [0, 0, 1, 1], groups: 16),
    conv([1, 8, 21, 19], [16, 8, 3, 3], dilations: [4, 2], pads: [4, 2, 4, 2]),
    conv([1, 16, 15, 15], [16, 16, 3, 3], dilations: [16, 16], pads: [16, 16, 16, 16]),
    conv([1, 8, 10, 11], [8, 8, 3, 3], strides: [3, 2], pads: [0, 2, 1, 0]),
    conv([1, 4, 9, 9], [6, 4, 3, 3], pads: [-1, 0, 0, -1]),
    conv([1, 24, 1, 1], [20, 24, 1, 1]),
    conv([1, 8, 1, 1], [8, 8, 3, 3], pads: [1, 1, 1, 1]),
    conv([2, 8, 1, 1], [8, 1, 3, 3], pads: [1, 1, 1, 1], groups: 8),
    conv([1, 1, 9, 9], [1, 1, 3, 3], pads: [1, 1, 1, 1]),
    conv([1, 1, 8, 9], [5, 1, 3, 3], hasBias: false),
    conv([1, 7, 1, 33], [5, 7, 1, 5], pads: [0, 2, 0, 2]),
    conv([1, 64, 6, 7], [64, 64, 3, 3], pads: [1, 1, 1, 1]),
    conv([1, 20, 26, 35], [24, 20, 3, 3], pads: [1, 1, 1, 1]),
    conv(
      [2, 33, 13, 14], [40, 33, 3, 3], dilations: [2, 1], pads: [2, 0, 1, 2], hasBias: false),
    conv([1, 8, 13, 14], [8, 8, 3, 3], strides: [2, 2], autoPad: "SAME_UPPER"),
    conv([1, 8, 13, 14], [8, 8, 4, 2], strides: [3, 1], autoPad: "SAME_LOWER"),
    conv(
      [1, 8, 14, 11], [8, 1, 2, 4], strides: [1, 2], dilations: [2, 1], groups: 8,
      autoPad: "SAME_LOWER"),
    conv([1, 8, 9, 10], [8, 8, 3, 3], strides: [2, 2], autoPad: "VALID"),
  ]

  /// A convolution named like "conv 3x5 s2x1 d1x2 p1,0,2,1 g3 o9 2×6×17×19".
  static func conv(
    _ x: [Int], _ w: [Int], strides: [Int] = [1, 1], dilations: [Int] = [1, 1],
    pads: [Int] = [0, 0, 0, 0], groups: Int = 1, hasBias: Bool = true, autoPad: String? = nil
  ) -> OperatorCase {
    var title = "conv \(w[2])x\(w[3]) s\(strides[0])x\(strides[1]) d\(dilations[0])x\(dilations[1])"
    title += " " + (autoPad ?? "p" + pads.map(String.init).joined(separator: ","))
    title += " g\(groups) o\(w[0])" + (hasBias ? "" : " no bias")
    var attributes: Attributes = [
      "strides": .ints(strides), "dilations": .ints(dilations), "group": .int(groups),
      "kernel_shape": .ints(Array(w[2...])),
    ]
    if let autoPad {
      attributes["auto_pad"] = .string(autoPad)
    } else {
      attributes["pads"] = .ints(pads)
    }
    let inputs: [Input] = [.frame(x), .weight(w)] + (hasBias ? [.weight([w[0]])] : [])
    let isFiltered = w[2...] == [3, 3] && strides == [1, 1] && groups == 1 && x[1] >= 12
    return OperatorCase(title, "Conv", inputs, attributes, isFiltered ? .filtered : .sum)
  }

  private static let dynamicWeights = OperatorCase(
    "conv with weights made at run time", "Conv",
    [.frame([1, 6, 9, 8]), .frame([10, 6, 3, 3]), .frame([10])],
    ["pads": .ints([1, 1, 1, 1])], .sum)

  private static let biasOnly = OperatorCase(
    "conv with a bias made at run time", "Conv",
    [.frame([1, 6, 9, 8]), .weight([10, 6, 3, 3]), .frame([10])],
    ["strides": .ints([2, 2])], .sum)
}
