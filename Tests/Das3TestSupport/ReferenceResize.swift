extension Reference {
  static let resizes: [String: Body] = [
    "Resize": { [resize($0)] },
    "Upsample": { [resize($0)] },
  ]

  /// One resized axis: size, scale and region of interest.
  private struct Axis {
    var input: Int
    var output: Int
    var scale: Double
    var start = 0.0
    var end = 1.0
  }

  private static func resize(_ node: ReferenceNode) -> ReferenceTensor {
    let x = node.x
    let rank = x.dims.count
    let isLegacy = node.node.opType == "Upsample" || node.opset == 10
    let listed = node.ints("axes")?.map { $0 < 0 ? $0 + rank : $0 } ?? Array(0..<rank)
    let sizes = isLegacy ? nil : node.optional(3)?.ints
    let scales = node.floats("scales") ?? node.optional(isLegacy ? 1 : 2)?.values
    let region = isLegacy ? nil : node.optional(1)?.values
    var axes = x.dims.map { Axis(input: $0, output: $0, scale: 1) }
    for (k, axis) in listed.enumerated() {
      let size = Double(x.dims[axis])
      if let sizes {
        axes[axis].output = sizes[k]
        axes[axis].scale = Double(sizes[k]) / size
      } else if let scales {
        axes[axis].scale = scales[k]
        axes[axis].output = Int((size * scales[k]).rounded(.down))
      }
      if let region, region.count == 2 * listed.count {
        (axes[axis].start, axes[axis].end) = (region[k], region[k + listed.count])
      }
    }
    let policy = node.string("keep_aspect_ratio_policy", "stretch")
    if policy != "stretch" {
      let all = listed.map { axes[$0].scale }
      let scale = all.dropFirst().reduce(all[0]) {
        policy == "not_larger" ? min($0, $1) : max($0, $1)
      }
      for axis in listed {
        axes[axis].scale = scale
        axes[axis].output = Int((Double(axes[axis].input) * scale).rounded())
      }
    }
    let mode = node.string(
      "coordinate_transformation_mode", isLegacy ? "asymmetric" : "half_pixel")
    let rounding = node.string("nearest_mode", isLegacy ? "floor" : "round_prefer_floor")
    let isNearest = node.string("mode", "nearest") == "nearest"
    let fill = node.float("extrapolation_value", 0)
    return ReferenceTensor(axes.map(\.output)) { at in
      var corners: [(index: [Int], weight: Double)] = [([], 1)]
      for (axis, k) in zip(axes, at) {
        let position = source(mode, axis, Double(k))
        let last = axis.input - 1
        if mode == "tf_crop_and_resize", position < 0 || position > Double(last) { return fill }
        if isNearest {
          let nearest = min(max(rounded(position, rounding), 0), last)
          corners = corners.map { ($0.index + [nearest], $0.weight) }
        } else {
          let weights = weights(node, axis, position)
          corners = corners.flatMap { corner in
            weights.map { (corner.index + [min(max($0.0, 0), last)], corner.weight * $0.1) }
          }
        }
      }
      return corners.reduce(0) { $0 + ($1.weight == 0 ? 0 : x[$1.index] * $1.weight) }
    }
  }

  /// What every position counts: the filter, stretched where antialiasing asks for it.
  private static func weights(_ node: ReferenceNode, _ axis: Axis, _ position: Double)
    -> [(Int, Double)]
  {
    if axis.input == axis.output, axis.scale == 1 { return [(Int(position), 1)] }
    let isCubic = node.string("mode", "") == "cubic"
    let stretch = node.int("antialias", 0) == 0 ? 1 : max(1, 1 / axis.scale)
    let a = node.float("cubic_coeff_a", -0.75)
    func filter(_ t: Double) -> Double {
      guard isCubic else { return max(0, 1 - t) }
      if t <= 1 { return (a + 2) * t * t * t - (a + 3) * t * t + 1 }
      return t < 2 ? a * t * t * t - 5 * a * t * t + 8 * a * t - 4 * a : 0
    }
    let reach = Int((2 * stretch).rounded(.up)) + 1
    let middle = Int(position.rounded())
    var result = (middle - reach...middle + reach).map {
      ($0, filter(abs(Double($0) - position) / stretch))
    }
    if node.int("exclude_outside", 0) != 0 {
      result = result.filter { (0..<axis.input).contains($0.0) }
    }
    let sum = result.reduce(0) { $0 + $1.1 }
    return result.map { ($0.0, $0.1 / sum) }.filter { $0.1 != 0 }
  }

  private static func source(_ mode: String, _ axis: Axis, _ k: Double) -> Double {
    let (input, output) = (Double(axis.input), Double(axis.output))
    // tf_half_pixel_for_nn would move even what keeps its size.
    if axis.scale == 1, mode != "tf_crop_and_resize" { return k }
    switch mode {
    case "half_pixel_symmetric":
      let adjustment = output / (axis.scale * input)
      return input / 2 * (1 - adjustment) + (k + 0.5) / axis.scale - 0.5
    case "pytorch_half_pixel": return output > 1 ? (k + 0.5) / axis.scale - 0.5 : 0
    case "align_corners": return output > 1 ? k * (input - 1) / (output - 1) : 0
    case "asymmetric": return k / axis.scale
    case "tf_half_pixel_for_nn": return (k + 0.5) / axis.scale
    case "tf_crop_and_resize":
      let (first, last) = (axis.start * (input - 1), axis.end * (input - 1))
      return output > 1 ? first + k * (last - first) / (output - 1) : (first + last) / 2
    default: return (k + 0.5) / axis.scale - 0.5
    }
  }

  private static func rounded(_ position: Double, _ mode: String) -> Int {
    let low = position.rounded(.down)
    let part = position - low
    switch mode {
    case "floor": return Int(low)
    case "ceil": return Int(position.rounded(.up))
    case "round_prefer_ceil": return Int(part < 0.5 ? low : low + 1)
    default: return Int(part <= 0.5 ? low : low + 1)
    }
  }
}
