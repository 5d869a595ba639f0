extension Reference {
  static let movements: [String: Body] = [
    "Concat": { node in
      let tensors = node.inputs.compactMap(\.self)
      let axis = node.axis(0, rank: node.x.dims.count)
      var dims = node.x.dims
      dims[axis] = tensors.reduce(0) { $0 + $1.dims[axis] }
      return [
        ReferenceTensor(dims, isInteger: node.x.isInteger) { at in
          var at = at
          for tensor in tensors {
            if at[axis] < tensor.dims[axis] { return tensor[at] }
            at[axis] -= tensor.dims[axis]
          }
          return .nan
        }
      ]
    },
    "Split": { split($0) },
    "Slice": { [slice($0)] },
    "Pad": { [pad($0)] },
    "Tile": { node in
      let x = node.x
      let dims = zip(x.dims, node[1].ints).map { $0 * $1 }
      return [moved(x, dims) { zip($0, x.dims).map { $0 % $1 } }]
    },
    "Expand": { node in
      let dims = ReferenceTensor.broadcastDims([node.x.dims, node[1].ints])
      return [ReferenceTensor(dims, isInteger: node.x.isInteger) { node.x.broadcast(at: $0) }]
    },
    "Transpose": { node in
      let x = node.x
      let order = node.ints("perm") ?? x.dims.indices.reversed()
      return [
        moved(x, order.map { x.dims[$0] }) { at in
          x.dims.indices.map { axis in zip(order, at).first { $0.0 == axis }?.1 ?? 0 }
        }
      ]
    },
    "Gather": { node in
      let (x, indices) = (node.x, node[1])
      let axis = node.axis(0, rank: x.dims.count)
      let dims = x.dims[..<axis] + indices.dims + x.dims[(axis + 1)...]
      return [
        moved(x, Array(dims)) { at in
          let inner = Array(at[axis..<axis + indices.dims.count])
          let index = Int(indices[inner])
          return Array(at[..<axis]) + [index < 0 ? index + x.dims[axis] : index]
            + at[(axis + inner.count)...]
        }
      ]
    },
    "GatherND": { node in
      let (x, indices) = (node.x, node[1])
      let outer = Array(indices.dims.dropLast())
      let depth = indices.dims[outer.count]
      return [
        moved(x, outer + x.dims[depth...]) { at in
          let first = (0..<depth).map { k in
            let index = Int(indices[Array(at[..<outer.count]) + [k]])
            return index < 0 ? index + x.dims[k] : index
          }
          return first + at[outer.count...]
        }
      ]
    },
    "DepthToSpace": { node in
      let x = node.x
      let b = node.int("blocksize", 1)
      let depth = x.dims[1] / (b * b)
      let isColumnRow = node.string("mode", "DCR") == "CRD"
      return [
        moved(x, [x.dims[0], depth, x.dims[2] * b, x.dims[3] * b]) { at in
          let place = at[2] % b * b + at[3] % b
          let channel = isColumnRow ? at[1] * b * b + place : place * depth + at[1]
          return [at[0], channel, at[2] / b, at[3] / b]
        }
      ]
    },
    "SpaceToDepth": { node in
      let x = node.x
      let b = node.int("blocksize", 1)
      return [
        moved(x, [x.dims[0], x.dims[1] * b * b, x.dims[2] / b, x.dims[3] / b]) { at in
          let place = at[1] / x.dims[1]
          return [at[0], at[1] % x.dims[1], at[2] * b + place / b, at[3] * b + place % b]
        }
      ]
    },
  ]

  /// `source` says where the element at an index comes from.
  private static func moved(_ x: ReferenceTensor, _ dims: [Int], _ source: ([Int]) -> [Int])
    -> ReferenceTensor
  {
    ReferenceTensor(dims, isInteger: x.isInteger) { x[source($0)] }
  }

  private static func split(_ node: ReferenceNode) -> [ReferenceTensor] {
    let x = node.x
    let axis = node.axis(0, rank: x.dims.count)
    var sizes = node.ints("split", orInput: 1) ?? []
    if sizes.isEmpty {
      let parts = node.int("num_outputs", node.outputCount)
      let size = Int((Double(x.dims[axis]) / Double(parts)).rounded(.up))
      sizes = [Int](repeating: size, count: parts - 1)
      sizes.append(x.dims[axis] - size * (parts - 1))
    }
    var start = 0
    return sizes.map { size in
      let first = start
      start += size
      var dims = x.dims
      dims[axis] = size
      return moved(x, dims) { at in
        var at = at
        at[axis] += first
        return at
      }
    }
  }

  /// NumPy's slices: ends are clamped, negative ones count from the end.
  private static func slice(_ node: ReferenceNode) -> ReferenceTensor {
    let x = node.x
    let starts = node.ints("starts", orInput: 1) ?? []
    let ends = node.ints("ends", orInput: 2) ?? []
    let axes = node.ints("axes", orInput: 3) ?? Array(starts.indices)
    let steps = node.optional(4)?.ints ?? starts.map { _ in 1 }
    var kept = x.dims.map { Array(0..<$0) }
    for k in starts.indices {
      let axis = axes[k] < 0 ? axes[k] + x.dims.count : axes[k]
      let size = x.dims[axis]
      var start = starts[k] < 0 ? starts[k] + size : starts[k]
      var end = ends[k] < 0 ? ends[k] + size : ends[k]
      if steps[k] > 0 {
        (start, end) = (min(max(start, 0), size), min(max(end, 0), size))
      } else {
        (start, end) = (min(max(start, 0), size - 1), min(max(end, -1), size - 1))
      }
      kept[axis] = Array(stride(from: start, to: end, by: steps[k]))
    }
    return moved(x, kept.map(\.count)) { at in zip(kept, at).map { $0[$1] } }
  }

  private static func pad(_ node: ReferenceNode) -> ReferenceTensor {
    let x = node.x
    let rank = x.dims.count
    let pads = node.ints("pads", orInput: 1) ?? []
    let axes = node.optional(3)?.ints.map { $0 < 0 ? $0 + rank : $0 } ?? Array(0..<rank)
    let fill = node.optional(2)?.values[0] ?? node.float("value", 0)
    let mode = node.string("mode", "constant")
    var before = [Int](repeating: 0, count: rank)
    var dims = x.dims
    for (k, axis) in axes.enumerated() {
      before[axis] = pads[k]
      dims[axis] += pads[k] + pads[k + axes.count]
    }
    return ReferenceTensor(dims) { at in
      var source = zip(at, before).map { $0 - $1 }
      for axis in source.indices {
        let size = x.dims[axis]
        switch mode {
        case "edge": source[axis] = min(max(source[axis], 0), size - 1)
        case "wrap":
          while source[axis] < 0 { source[axis] += size }
          while source[axis] >= size { source[axis] -= size }
        case "reflect":
          while source[axis] < 0 || source[axis] >= size {
            source[axis] = source[axis] < 0 ? -source[axis] : 2 * (size - 1) - source[axis]
          }
        default: if source[axis] < 0 || source[axis] >= size { return fill }
        }
      }
      return x[source]
    }
  }
}
