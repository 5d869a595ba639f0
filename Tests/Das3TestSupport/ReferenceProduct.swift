extension Reference {
  static let products: [String: Body] = [
    "MatMul": { node in [product(node.x, node[1])] },
    "Gemm": { node in
      let (a, b) = (node.x, node[1])
      let (turnsA, turnsB) = (node.int("transA", 0) != 0, node.int("transB", 0) != 0)
      let inner = a.dims[turnsA ? 0 : 1]
      let (alpha, beta) = (node.float("alpha", 1), node.float("beta", 1))
      let c = node.optional(2)
      return [
        ReferenceTensor([a.dims[turnsA ? 1 : 0], b.dims[turnsB ? 0 : 1]]) { at in
          var sum = 0.0
          for k in 0..<inner {
            sum += a[turnsA ? [k, at[0]] : [at[0], k]] * b[turnsB ? [at[1], k] : [k, at[1]]]
          }
          return alpha * sum + beta * (c?.broadcast(at: at) ?? 0)
        }
      ]
    },
    "Einsum": { [einsum($0)] },
  ]

  private static func product(_ a: ReferenceTensor, _ b: ReferenceTensor) -> ReferenceTensor {
    let left = a.dims.count == 1 ? a.reshaped([1] + a.dims) : a
    let right = b.dims.count == 1 ? b.reshaped(b.dims + [1]) : b
    let batch = ReferenceTensor.broadcastDims(
      [left.dims.dropLast(2), right.dims.dropLast(2)].map(Array.init))
    let (rows, inner) = (left.dims[left.dims.count - 2], left.dims[left.dims.count - 1])
    let columns = right.dims[right.dims.count - 1]
    let y = ReferenceTensor(batch + [rows, columns]) { at in
      let outer = Array(at.dropLast(2))
      let (i, j) = (at[at.count - 2], at[at.count - 1])
      return (0..<inner).reduce(0) {
        $0 + left.broadcast(at: outer + [i, $1]) * right.broadcast(at: outer + [$1, j])
      }
    }
    let ends = (a.dims.count == 1 ? [] : [rows]) + (b.dims.count == 1 ? [] : [columns])
    return y.reshaped(batch + ends)
  }

  /// Every combination of all letters, added where the result's letters say.
  private static func einsum(_ node: ReferenceNode) -> ReferenceTensor {
    let equation = node.string("equation", "").filter { $0 != " " }
    let sides = equation.split(separator: "-", omittingEmptySubsequences: false)
    let terms = sides[0].split(separator: ",").map(Array.init)
    let all = terms.flatMap { $0 }
    let result =
      sides.count > 1
      ? Array(sides[1].dropFirst())
      : Set(all).filter { letter in all.count { $0 == letter } == 1 }.sorted()
    let letters = Array(Set(all)).sorted()
    var sizes: [Character: Int] = [:]
    let tensors = terms.indices.map { node[$0] }
    for (term, tensor) in zip(terms, tensors) {
      for (letter, size) in zip(term, tensor.dims) { sizes[letter] = size }
    }
    func places(_ term: [Character]) -> [Int] { term.compactMap { letters.firstIndex(of: $0) } }
    let reads = terms.map(places)
    let writes = places(result)
    var y = ReferenceTensor(result.map { sizes[$0] ?? 1 }) { _ in 0 }
    _ = ReferenceTensor(letters.map { sizes[$0] ?? 1 }) { at in
      let value = zip(tensors, reads).reduce(1.0) { $0 * $1.0[$1.1.map { at[$0] }] }
      y[writes.map { at[$0] }] += value
      return 0
    }
    return y
  }
}
