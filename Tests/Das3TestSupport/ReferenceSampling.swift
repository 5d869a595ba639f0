/// Reading at computed positions, writing at given ones, rounding to small integers.
extension Reference {
  static let samplings: [String: Body] = [
    "GridSample": { [gridSample($0)] },
    "ScatterND": { node in
      let (data, indices, updates) = (node.x, node[1], node[2])
      let outer = Array(indices.dims.dropLast())
      let depth = indices.dims[outer.count]
      return [
        scattered(node, data) { combine in
          _ = ReferenceTensor(updates.dims) { at in
            let first = (0..<depth).map { k in
              let index = Int(indices[Array(at[..<outer.count]) + [k]])
              return index < 0 ? index + data.dims[k] : index
            }
            combine(first + at[outer.count...], updates[at])
            return 0
          }
        }
      ]
    },
    "ScatterElements": { [scatterElements($0)] },
    "Scatter": { [scatterElements($0)] },
    "QuantizeLinear": { node in
      // Cases state the type, which the definition takes from the zero point.
      let isSigned = node.int("output_dtype", 2) == 3
      let (low, high): (Double, Double) = isSigned ? (-128, 127) : (0, 255)
      return [
        quantization(node) { x, scale, zero in
          min(max((x / scale).rounded(.toNearestOrEven) + zero, low), high)
        }
      ]
    },
    "DequantizeLinear": { [quantization($0) { q, scale, zero in (q - zero) * scale }] },
  ]

  private static func quantization(
    _ node: ReferenceNode, _ body: (Double, Double, Double) -> Double
  ) -> ReferenceTensor {
    let axis = node.axis(1, rank: node.x.dims.count)
    return ReferenceTensor(node.x.dims) { at in
      func own(_ tensor: ReferenceTensor?) -> Double {
        tensor.map { $0.values[$0.values.count > 1 ? at[axis] : 0] } ?? 0
      }
      return body(node.x[at], own(node[1]), own(node.optional(2)))
    }
  }

  private static func scatterElements(_ node: ReferenceNode) -> ReferenceTensor {
    let (data, indices, updates) = (node.x, node[1], node[2])
    let axis = node.axis(0, rank: data.dims.count)
    return scattered(node, data) { combine in
      _ = ReferenceTensor(updates.dims) { at in
        var place = at
        place[axis] = Int(indices[at]) < 0 ? Int(indices[at]) + data.dims[axis] : Int(indices[at])
        combine(place, updates[at])
        return 0
      }
    }
  }

  /// `body` gives every update and where it goes.
  private static func scattered(
    _ node: ReferenceNode, _ data: ReferenceTensor,
    _ body: (@escaping ([Int], Double) -> Void) -> Void
  ) -> ReferenceTensor {
    let reduction = node.string("reduction", "none")
    var y = data
    withoutActuallyEscaping({ (place: [Int], value: Double) in
      switch reduction {
      case "add": y[place] += value
      case "mul": y[place] *= value
      case "max": y[place] = max(y[place], value)
      case "min": y[place] = min(y[place], value)
      default: y[place] = value
      }
    }) { body($0) }
    return y
  }

  private static func gridSample(_ node: ReferenceNode) -> ReferenceTensor {
    let (x, grid) = (node.x, node[1])
    let mode = node.string("mode", "linear")
    let padding = node.string("padding_mode", "zeros")
    let isAligned = node.int("align_corners", 0) != 0

    func reflected(_ position: Double, _ low: Double, _ high: Double) -> Double {
      let range = high - low
      guard range > 0 else { return low }
      var p = position
      while p < low || p > high { p = p < low ? 2 * low - p : 2 * high - p }
      return p
    }
    /// Positions along one axis and what they count.
    func taps(_ value: Double, _ size: Int) -> [(Int, Double)] {
      let (low, high) = isAligned ? (0, Double(size - 1)) : (-0.5, Double(size) - 0.5)
      var p = low + (value + 1) / 2 * (high - low)
      if mode == "nearest" { p = p.rounded(.toNearestOrEven) }
      if p < low || p > high {
        // A cubic looks around the position itself (PyTorch, ONNX Runtime).
        if padding == "border", !["cubic", "bicubic"].contains(mode) {
          p = min(max(p, 0), Double(size - 1))
        }
        if padding == "reflection" { p = reflected(p, low, high) }
      }
      let first = Int(p.rounded(.down))
      let all: [(Int, Double)]
      switch mode {
      case "nearest": all = [(first, 1)]
      case "linear", "bilinear":
        let part = p - Double(first)
        all = [(first, 1 - part), (first + 1, part)]
      default:
        all = (first - 1...first + 2).map { k in
          let (t, a) = (abs(p - Double(k)), -0.75)
          return (
            k,
            t <= 1
              ? (a + 2) * t * t * t - (a + 3) * t * t + 1
              : a * t * t * t - 5 * a * t * t + 8 * a * t - 4 * a
          )
        }
      }
      return all.compactMap { k, weight in
        if k >= 0, k < size { return (k, weight) }
        if padding == "zeros" { return nil }
        let inside = padding == "border" ? Double(k) : reflected(Double(k), low, high)
        return (min(max(Int(inside), 0), size - 1), weight)
      }
    }
    return ReferenceTensor([x.dims[0], x.dims[1], grid.dims[1], grid.dims[2]]) { at in
      let rows = taps(grid[[at[0], at[2], at[3], 1]], x.dims[2])
      let columns = taps(grid[[at[0], at[2], at[3], 0]], x.dims[3])
      return rows.reduce(0) { sum, row in
        sum + columns.reduce(0) { $0 + row.1 * $1.1 * x[[at[0], at[1], row.0, $1.0]] }
      }
    }
  }
}
