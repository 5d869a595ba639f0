extension Reference {
  static let normalizations: [String: Body] = [
    "BatchNormalization": { node in
      let epsilon = node.float("epsilon", 1e-5)
      let (scale, shift, mean, variance) = (node[1], node[2], node[3], node[4])
      let x = node.x
      return [
        ReferenceTensor(x.dims) { at in
          let c = at[1]
          let centred = x[at] - mean.values[c]
          return centred / (variance.values[c] + epsilon).squareRoot() * scale.values[c]
            + shift.values[c]
        }
      ]
    },
    "InstanceNormalization": { node in [groupNorm(node, groups: node.x.dims[1])] },
    "GroupNormalization": { node in [groupNorm(node, groups: node.int("num_groups", 1))] },
    "LayerNormalization": { node in
      let x = node.x
      let axis = node.axis(-1, rank: x.dims.count)
      let epsilon = node.float("epsilon", 1e-5)
      let count = x.dims[axis...].reduce(1, *)
      var y = x
      var means: [Double] = []
      var inverses: [Double] = []
      for start in stride(from: 0, to: x.values.count, by: count) {
        let (mean, inverse) = statistics(x.values[start..<start + count], epsilon)
        means.append(mean)
        inverses.append(inverse)
        for k in 0..<count {
          let scale = node[1].values[k]
          let shift = node.optional(2)?.values[k] ?? 0
          y.values[start + k] = (x.values[start + k] - mean) * inverse * scale + shift
        }
      }
      let rest = [Int](repeating: 1, count: x.dims.count - axis)
      let outer = Array(x.dims[..<axis]) + rest
      return [y, ReferenceTensor(outer, means), ReferenceTensor(outer, inverses)]
    },
  ]

  private static func statistics(_ values: ArraySlice<Double>, _ epsilon: Double)
    -> (mean: Double, inverse: Double)
  {
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
    return (mean, 1 / (variance + epsilon).squareRoot())
  }

  private static func groupNorm(_ node: ReferenceNode, groups: Int) -> ReferenceTensor {
    let x = node.x
    let channels = x.dims[1]
    let pixels = x.dims[2...].reduce(1, *)
    let perGroup = channels / groups
    let count = perGroup * pixels
    // Opset 18 gives scale and shift per group, later ones per channel.
    let isPerGroup = node.node.opType == "GroupNormalization" && node.opset < 21
    var y = x
    for start in stride(from: 0, to: x.values.count, by: count) {
      let (mean, inverse) = statistics(x.values[start..<start + count], node.float("epsilon", 1e-5))
      for k in start..<start + count {
        let channel = k / pixels % channels
        let place = isPerGroup ? channel / perGroup : channel
        y.values[k] = (x.values[k] - mean) * inverse * node[1].values[place] + node[2].values[place]
      }
    }
    return y
  }
}
