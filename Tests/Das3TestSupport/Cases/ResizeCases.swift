extension OperatorCase {
  static let resizeCases: [OperatorCase] = [
    linearResizes, nearestResizes, otherResizes, upsamples, cubicResizes, antialiased,
    axisResizes,
    Array(placed.inContexts(Context.allCases).dropFirst(placed.count)),
  ].flatMap(\.self)

  private static let placed: [OperatorCase] = [
    resize([1, 5, 7, 9], "linear", "half_pixel", scales: [1, 1, 2, 2]),
    resize([2, 8, 6, 5], "linear", "align_corners", sizes: [2, 8, 13, 11]),
    resize([1, 5, 7, 9], "nearest", "asymmetric", scales: [1, 1, 2, 2], rounding: "floor"),
    resize([1, 5, 7, 9], "nearest", "half_pixel", sizes: [1, 5, 3, 4]),
    resize([2, 5, 7, 9], "cubic", "half_pixel", sizes: [2, 5, 13, 6]),
    filtered("linear antialias", [2, 5, 17, 9], [2, 5, 6, 11], ["antialias": .int(1)]),
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

  private static let cubicResizes: [OperatorCase] =
    modes.flatMap { (mode) -> [OperatorCase] in
      targets.prefix(4).map { resize([2, 3, 7, 5], "cubic", mode, sizes: $0) }
    } + [
      filtered(
        "cubic a -0.5", [1, 3, 6, 7], [1, 3, 11, 4],
        ["mode": .string("cubic"), "cubic_coeff_a": .float(-0.5)]),
      filtered(
        "cubic exclude_outside", [1, 3, 6, 7], [1, 3, 11, 4],
        ["mode": .string("cubic"), "exclude_outside": .int(1)]),
      filtered("cubic to 1", [1, 3, 1, 7], [1, 3, 4, 1], ["mode": .string("cubic")]),
      OperatorCase(
        "resize cubic crop", "Resize",
        [
          .frame([1, 2, 5, 6]), .floats([0, 0, 0.25, 0.125, 1, 1, 1.25, 0.75]), .none,
          .ints([1, 2, 7, 5]),
        ],
        [
          "mode": .string("cubic"), "extrapolation_value": .float(-3),
          "coordinate_transformation_mode": .string("tf_crop_and_resize"),
        ], .sum),
    ]

  private static let antialiased: [OperatorCase] = ["linear", "cubic"].flatMap {
    (mode) -> [OperatorCase] in
    [
      ([1, 3, 17, 23], [1, 3, 5, 9], [:]), ([1, 3, 17, 23], [1, 3, 29, 4], [:]),
      ([2, 33, 19, 8], [2, 33, 1, 3], ["exclude_outside": .int(1)]),
      (
        [1, 3, 16, 12], [1, 3, 5, 6],
        ["coordinate_transformation_mode": .string("align_corners")]
      ),
    ].map { (from: [Int], to: [Int], attributes: Attributes) in
      var attributes = attributes
      attributes["antialias"] = .int(1)
      attributes["mode"] = .string(mode)
      var title = "\(mode) antialias to \(to)"
      if attributes.count > 2 { title += " with \(attributes.keys.sorted())" }
      return filtered(title, from, to, attributes)
    }
  }

  /// Linear and cubic along axes that are no height and width.
  private static let axisResizes: [OperatorCase] = [
    filtered("linear of a signal", [2, 3, 7], [2, 3, 12], [:]),
    filtered("linear of a signal downwards", [1, 5, 11], [1, 5, 4], [:]),
    filtered("linear of a plane", [7, 5], [4, 9], [:]),
    filtered("linear channels last", [1, 5, 7, 3], [1, 9, 4, 3], [:]),
    filtered("linear of a volume", [1, 2, 4, 5, 3], [1, 2, 7, 3, 6], [:]),
    filtered("cubic of a signal", [2, 3, 7], [2, 3, 12], ["mode": .string("cubic")]),
    filtered("cubic channels last", [2, 5, 7, 3], [2, 9, 4, 3], ["mode": .string("cubic")]),
    filtered("linear of all axes", [2, 3, 4, 5], [3, 2, 6, 4], [:]),
  ]

  private static func filtered(
    _ title: String, _ from: [Int], _ to: [Int], _ attributes: Attributes
  ) -> OperatorCase {
    OperatorCase(
      "resize \(title)", "Resize", opset: 18, [.frame(from), .none, .none, .ints(to)],
      ["mode": .string("linear")].merging(attributes) { $1 }, .sum)
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
      title, "Resize", opset: opset, inputs, attributes,
      mode == "nearest" ? .moved : mode == "cubic" ? .sum : .function)
  }
}
