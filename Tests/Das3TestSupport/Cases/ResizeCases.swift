extension OperatorCase {
  static let resizeCases: [OperatorCase] = [
    linearResizes, nearestResizes, otherResizes, upsamples,
    Array(placed.inContexts(Context.allCases).dropFirst(placed.count)),
  ].flatMap(\.self)

  private static let placed: [OperatorCase] = [
    resize([1, 5, 7, 9], "linear", "half_pixel", scales: [1, 1, 2, 2]),
    resize([2, 8, 6, 5], "linear", "align_corners", sizes: [2, 8, 13, 11]),
    resize([1, 5, 7, 9], "nearest", "asymmetric", scales: [1, 1, 2, 2], rounding: "floor"),
    resize([1, 5, 7, 9], "nearest", "half_pixel", sizes: [1, 5, 3, 4]),
  ]

  private static let modes = [
    "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric",
  ]
  private static let targets: [[Int]] = [
    [2, 3, 14, 10], [2, 3, 3, 2], [2, 3, 7, 11], [2, 3, 21, 5], [2, 3, 1, 1], [2, 3, 17, 23],
  ]
  /// Exact in float32, so that the size they give is beyond doubt.
  private static let scales: [[Float]] = [
    [1, 1, 2, 2], [1, 1, 0.5, 0.5], [1, 1, 1.5, 2.5], [1, 1, 0.75, 3],
  ]

  private static let linearResizes: [OperatorCase] = modes.flatMap { (mode) -> [OperatorCase] in
    // With rounded sizes "the resized length" of align_corners has two readings.
    let exact = mode == "align_corners" ? [2, 3, 8, 4] : [2, 3, 7, 5]
    return targets.map { resize([2, 3, 7, 5], "linear", mode, sizes: $0) }
      + scales.map { resize(exact, "linear", mode, scales: $0) }
  }

  private static let nearestResizes: [OperatorCase] = (modes + ["tf_half_pixel_for_nn"]).flatMap {
    (mode) -> [OperatorCase] in
    ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"].flatMap {
      (rounding) -> [OperatorCase] in
      targets.prefix(4).map {
        resize([2, 3, 7, 5], "nearest", mode, sizes: $0, rounding: rounding)
      } + [resize([2, 3, 8, 4], "nearest", mode, scales: [1, 1, 2, 0.5], rounding: rounding)]
    }
  }

  private static let otherResizes: [OperatorCase] = [
    OperatorCase(
      "resize linear axes 2,3 sizes 9,8", "Resize", opset: 18,
      [.frame([1, 4, 5, 6]), .none, .none, .ints([9, 8])],
      ["mode": .string("linear"), "axes": .ints([2, 3])], .function),
    OperatorCase(
      "resize nearest axes -1 scale 2", "Resize", opset: 18,
      [.frame([3, 4, 5]), .none, .floats([2])], ["axes": .ints([-1])], .moved),
    OperatorCase(
      "resize nearest of channels", "Resize",
      [.frame([1, 3, 4, 5]), .none, .floats([2, 2, 1, 1])],
      .moved),
    OperatorCase(
      "resize linear not_larger", "Resize", opset: 18,
      [.frame([1, 2, 5, 6]), .none, .none, .ints([10, 18])],
      [
        "mode": .string("linear"), "axes": .ints([2, 3]),
        "keep_aspect_ratio_policy": .string("not_larger"),
      ], .function),
    OperatorCase(
      "resize nearest not_smaller", "Resize", opset: 18,
      [.frame([1, 2, 5, 6]), .none, .none, .ints([10, 18])],
      ["axes": .ints([2, 3]), "keep_aspect_ratio_policy": .string("not_smaller")], .moved),
    OperatorCase(
      "resize linear crop", "Resize",
      [
        .frame([1, 2, 5, 6]), .floats([0, 0, 0.25, 0.125, 1, 1, 1.25, 0.75]), .none,
        .ints([1, 2, 7, 5]),
      ],
      [
        "mode": .string("linear"), "extrapolation_value": .float(-3),
        "coordinate_transformation_mode": .string("tf_crop_and_resize"),
      ], .function),
    OperatorCase(
      "resize nearest crop", "Resize",
      [
        .frame([1, 2, 5, 6]), .floats([0, 0, -0.25, 0.125, 1, 1, 1, 1.5]), .none,
        .ints([1, 2, 7, 5]),
      ],
      [
        "extrapolation_value": .float(10),
        "coordinate_transformation_mode": .string("tf_crop_and_resize"),
      ], .moved),
    OperatorCase(
      "resize opset 10 linear", "Resize", opset: 10,
      [.frame([1, 3, 5, 4]), .floats([1, 1, 2, 1.5])],
      ["mode": .string("linear")], .function),
    OperatorCase(
      "resize opset 10 nearest", "Resize", opset: 10,
      [.frame([1, 3, 5, 4]), .floats([1, 1, 2, 0.5])],
      .moved),
  ]

  private static let upsamples: [OperatorCase] = [
    OperatorCase(
      "upsample nearest 2", "Upsample", opset: 9, [.frame([1, 3, 5, 4]), .floats([1, 1, 2, 2])],
      .moved),
    OperatorCase(
      "upsample linear 3x2", "Upsample", opset: 9, [.frame([2, 3, 5, 4]), .floats([1, 1, 3, 2])],
      ["mode": .string("linear")], .function),
    OperatorCase(
      "upsample opset 7 nearest 2x3", "Upsample", opset: 7, [.frame([1, 3, 5, 4])],
      ["scales": .floats([1, 1, 2, 3])], .moved),
  ]

  private static func resize(
    _ dims: [Int], _ mode: String, _ coordinates: String, sizes: [Int]? = nil,
    scales: [Float]? = nil, rounding: String? = nil
  ) -> OperatorCase {
    var title = "resize \(mode) \(coordinates)"
    var attributes: Attributes = [
      "mode": .string(mode), "coordinate_transformation_mode": .string(coordinates),
    ]
    if let rounding {
      attributes["nearest_mode"] = .string(rounding)
      title += " \(rounding)"
    }
    var inputs: [Input] = [.frame(dims), .none]
    if let sizes {
      title += " to \(sizes[2])×\(sizes[3]) of"
      inputs += [.none, .ints(sizes)]
    } else if let scales {
      title += " by \(scales[2])×\(scales[3]) of"
      inputs.append(.floats(scales))
    }
    // tf_half_pixel_for_nn was removed at 13; 11 wants the region even where it does not matter.
    let opset =
      coordinates == "half_pixel_symmetric" ? 19 : coordinates == "tf_half_pixel_for_nn" ? 11 : 17
    if opset == 11 { inputs[1] = .floats([Float](repeating: 0, count: 2 * dims.count)) }
    if opset == 11, sizes != nil {
      inputs[2] = Input(dims: [0], role: .configuration, values: .floats([]))
    }
    return OperatorCase(
      title, "Resize", opset: opset, inputs, attributes, mode == "nearest" ? .moved : .function)
  }
}
