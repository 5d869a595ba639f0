extension OperatorCase {
  static let normalizationCases: [OperatorCase] =
    (batchNorms + instanceNorms + groupNorms + layerNorms).inContexts(Context.allCases)
    + [layerNormStatistics] + parameterViews

  private static let normTolerance = Tolerance(
    absolute: 3e-6, relative: 2e-6, "a mean is subtracted, then the rest divided by its deviation")

  private static let batchNorms: [OperatorCase] = [
    [1, 8, 7, 9], [2, 19, 5, 3], [1, 1, 5, 7], [3, 6], [2, 6, 7], [2, 4, 3, 5, 2], [1, 5, 1, 1],
  ].map { dims in
    let c = dims[1]
    return OperatorCase(
      "batchnorm", "BatchNormalization",
      [
        .frame(dims), .weight([c], 0.5...1.5), .weight([c]), .weight([c]), .weight([c], 0.2...2),
      ], ["epsilon": .float(1e-3)], normTolerance)
  }

  private static let instanceNorms: [OperatorCase] = [
    [1, 8, 7, 9], [2, 5, 11, 3], [1, 1, 5, 7], [2, 3, 17], [1, 4, 3, 5, 2],
  ].map { dims in
    OperatorCase(
      "instancenorm", "InstanceNormalization",
      [.frame(dims, 1...3), .weight([dims[1]]), .weight([dims[1]])], ["epsilon": .float(1e-4)],
      normTolerance)
  }

  private static let groupNorms: [OperatorCase] = [
    ([1, 8, 7, 9], 2, 21), ([2, 6, 5, 3], 3, 21), ([2, 6, 5, 3], 1, 21), ([1, 6, 5, 3], 6, 18),
    ([1, 12, 4, 5], 4, 18), ([1, 6, 11], 2, 21),
  ].map { dims, groups, opset in
    let count = opset < 21 ? groups : dims[1]
    return OperatorCase(
      "groupnorm g\(groups) opset \(opset)", "GroupNormalization", opset: opset,
      [.frame(dims, -1...3), .weight([count]), .weight([count])], ["num_groups": .int(groups)],
      normTolerance)
  }

  private static let layerNorms: [OperatorCase] = [
    ([2, 7, 32], -1), ([1, 5, 3, 19], -1), ([2, 3, 4, 5], 2), ([2, 3, 4, 5], 1), ([3, 8], 0),
    ([2, 3, 4, 5], -3),
  ].flatMap { dims, axis in
    let slice = Array(dims[(axis < 0 ? axis + dims.count : axis)...])
    return [true, false].map { hasShift in
      OperatorCase(
        "layernorm axis \(axis)\(hasShift ? "" : " no shift")", "LayerNormalization",
        [.frame(dims, -1...3), .weight(slice)] + (hasShift ? [.weight(slice)] : []),
        ["axis": .int(axis)], normTolerance)
    }
  }

  /// Scales that skip every second value of a parameter, shifts that repeat one value.
  private static let parameterViews: [OperatorCase] = [
    ("BatchNormalization", [2, 6, 5, 7]), ("InstanceNormalization", [2, 6, 5, 7]),
    ("LayerNormalization", [2, 3, 6]),
  ].map { opType, dims in
    let statistics = opType == "BatchNormalization" ? ["mean", "variance"] : []
    return OperatorCase(
      "\(opType.lowercased()) with views of parameters",
      inputs: [
        .frame(dims, 1...3).named("x"), .weight([12], 0.5...1.5).named("long"),
        .weight([1]).named("one"), .ints([0]).named("zero"), .ints([12]).named("end"),
        .ints([2]).named("two"), .ints([6]).named("six"),
      ] + statistics.map { .weight([6], 0.2...2).named($0) },
      nodes: [
        node("Slice", ["long", "zero", "end", "zero", "two"], "scale"),
        node("Expand", ["one", "six"], "shift"),
        node(opType, ["x", "scale", "shift"] + statistics, "y"),
      ], normTolerance)
  }

  private static let layerNormStatistics = OperatorCase(
    "layernorm with mean and inverse deviation", "LayerNormalization",
    [.frame([2, 5, 16], 0...2), .weight([16]), .weight([16])], outputCount: 3, normTolerance)
}
