import Foundation

extension Reference {
  static let reductions: [String: Body] = [
    "ReduceSum": reduce { $0.reduce(0, +) },
    "ReduceMean": reduce { $0.reduce(0, +) / Double($0.count) },
    "ReduceMax": reduce { $0.reduce(-.infinity) { max($0, $1) } },
    "ReduceMin": reduce { $0.reduce(.infinity) { min($0, $1) } },
    "ReduceL1": reduce { $0.reduce(0) { $0 + abs($1) } },
    "ReduceL2": reduce { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() },
    "ReduceProd": reduce { $0.reduce(1, *) },
    "ReduceSumSquare": reduce { $0.reduce(0) { $0 + $1 * $1 } },
    "ReduceLogSum": reduce { log($0.reduce(0, +)) },
    "ReduceLogSumExp": reduce { values in
      let top = values.reduce(-.infinity) { max($0, $1) }
      return top + log(values.reduce(0) { $0 + exp($1 - top) })
    },
    "ArgMax": { node in
      let takesLast = node.int("select_last_index", 0) != 0
      let axis = node.axis(0, rank: node.x.dims.count)
      var y = reduced(node.x, [axis], keepsDims: node.int("keepdims", 1) != 0) { values in
        var best = 0
        for k in values.indices
        where values[k] > values[best] || takesLast && values[k] == values[best] {
          best = k
        }
        return Double(best)
      }
      y.isInteger = true
      return [y]
    },
    "Softmax": { [softmax($0) { values, top, sum in exp(values - top) / sum }] },
    "LogSoftmax": { [softmax($0) { values, top, sum in values - top - log(sum) }] },
  ]

  private static func reduce(_ body: @escaping @Sendable ([Double]) -> Double) -> Body {
    { node in
      let rank = node.x.dims.count
      let listed = node.ints("axes", orInput: 1) ?? []
      if listed.isEmpty, node.int("noop_with_empty_axes", 0) != 0 { return [node.x] }
      let axes = listed.isEmpty ? Array(0..<rank) : listed.map { $0 < 0 ? $0 + rank : $0 }
      var y = reduced(node.x, axes, keepsDims: node.int("keepdims", 1) != 0, body)
      y.isInteger = node.x.isInteger
      return [y]
    }
  }

  private static func reduced(
    _ x: ReferenceTensor, _ axes: [Int], keepsDims: Bool, _ body: ([Double]) -> Double
  ) -> ReferenceTensor {
    let kept = x.dims.indices.map { axes.contains($0) ? 1 : x.dims[$0] }
    let inner = x.dims.indices.map { axes.contains($0) ? x.dims[$0] : 1 }
    let y = ReferenceTensor(kept) { at in
      body(ReferenceTensor(inner) { k in x[zip(at, k).map { $0 + $1 }] }.values)
    }
    return keepsDims
      ? y : y.reshaped(x.dims.indices.filter { !axes.contains($0) }.map { x.dims[$0] })
  }

  private static func softmax(
    _ node: ReferenceNode, _ body: (_ x: Double, _ top: Double, _ sum: Double) -> Double
  ) -> ReferenceTensor {
    var x = node.x
    let dims = x.dims
    var axis = node.axis(node.opset < 13 ? 1 : -1, rank: dims.count)
    if node.opset < 13 {
      x = x.reshaped([dims[..<axis].reduce(1, *), dims[axis...].reduce(1, *)])
      axis = 1
    }
    let top = reduced(x, [axis], keepsDims: true) { $0.reduce(-.infinity) { max($0, $1) } }
    let spread = ReferenceTensor(x.dims) { exp(x[$0] - top.broadcast(at: $0)) }
    let sum = reduced(spread, [axis], keepsDims: true) { $0.reduce(0, +) }
    return ReferenceTensor(x.dims) {
      body(x[$0], top.broadcast(at: $0), sum.broadcast(at: $0))
    }.reshaped(dims)
  }
}
