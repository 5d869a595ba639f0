/// y = scale · a·b over the last two dimensions, with broadcasting of the others.
///
/// a …×M×K, b …×K×N, both of rank ≥ 2.
package struct MatMul: OperatorRules {
  package var scale: Float = 1

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    let (a, b) = (inputs[0].shape, inputs[1].shape)
    guard a.rank >= 2, b.rank >= 2, a.dims[a.rank - 1] == b.dims[b.rank - 2],
      let batch = Shape(a.dims.dropLast(2)).broadcast(with: Shape(b.dims.dropLast(2)))
    else { throw .shape("\(a) times \(b)") }
    return ValueInfo(Shape(batch.dims + [a.dims[a.rank - 2], b.dims[b.rank - 1]]))
  }

  var facts: OperatorFacts {
    .layer(
      .product, spacing: .ofFirstInput, placement: .never,
      multiplyAdds: { (inputs, output) in
        Double(output.elementCount) * Double(inputs[0].dims.last ?? 1)
      },
      derivative: { (step, dy, planner) in planner.differentiateProduct(step, self, dy) })
  }

  func folded(_: [ConstantTensor], _: ValueInfo) -> ConstantTensor? { nil }

  func lower(_ node: Graph.Node, by planner: inout Planner) {
    let inputs = node.inputs.map { planner.view(of: $0) }
    planner.finish(
      node, inputs, order: Array(0..<planner.graph.values[node.output].shape.rank), absorbs: true)
  }
}

extension ConstantTensor {
  /// Whether it is a matrix whose rows, or else its columns, are means of a few neighbours, as exporters
  /// write an adaptive pooling: then it is no weight.
  var isMeanOfNeighbours: Bool {
    guard shape.rank == 2, shape.elementCount > 0 else { return false }
    let (rows, columns) = (shape[0], shape[1])
    let values = floats
    func areMeans(_ count: Int, _ length: Int, _ value: (Int, Int) -> Float) -> Bool {
      (0..<count).allSatisfy { line in
        let terms = (0..<length).filter { value(line, $0) != 0 }
        guard let first = terms.first, let last = terms.last, 2 * terms.count <= length else {
          return false
        }
        let sum = terms.reduce(0) { $0 + value(line, $1) }
        return last - first < terms.count && terms.allSatisfy { value(line, $0) > 0 }
          && abs(sum - 1) < 1e-3
      }
    }
    return areMeans(rows, columns) { values[$0 * columns + $1] }
      || areMeans(columns, rows) { values[$1 * columns + $0] }
  }
}

extension Shape {
  fileprivate init(_ dims: ArraySlice<Int>) { self.init(Array(dims)) }
}

extension GraphBuilder {
  static let productImporters: [String: Importer] = [
    "MatMul": Importer(weights: [0, 1]) { (builder, node) throws(Das3Error) in
      let (a, b) = (try builder.input(node, 0), try builder.input(node, 1))
      let (left, right) = (builder.shape(a), builder.shape(b))
      guard left.rank > 0, right.rank > 0 else { throw .shape("\(left) times \(right)") }
      // A vector on the left is a row, one on the right a column; its dimension of 1 is removed
      // later.
      let y = try builder.product(
        builder.reshape(a, left.rank == 1 ? [1] + left.dims : left.dims),
        builder.reshape(b, right.rank == 1 ? right.dims + [1] : right.dims))
      var dims = builder.shape(y).dims
      if right.rank == 1 { dims.removeLast() }
      if left.rank == 1 { dims.remove(at: dims.count - (right.rank == 1 ? 1 : 2)) }
      return try builder.reshape(y, dims)
    },
    "Gemm": Importer(weights: [1, 2]) { (builder, node) throws(Das3Error) in
      var (a, b) = (try builder.input(node, 0), try builder.input(node, 1))
      guard builder.shape(a).rank == 2, builder.shape(b).rank == 2 else {
        throw .shape("\(builder.shape(a)) times \(builder.shape(b)); expected matrices")
      }
      if try node.int("transA", default: 0) != 0 { a = try builder.transpose(a, [1, 0]) }
      if try node.int("transB", default: 0) != 0 { b = try builder.transpose(b, [1, 0]) }
      let alpha = try node.float("alpha", default: 1)
      var y = try builder.emit(.matMul(MatMul(scale: alpha)), [a, b])
      if var c = try builder.optionalInput(node, 2) {
        let beta = try node.float("beta", default: 1)
        if beta != 1 {
          let factor = builder.scalar(beta)
          c = try builder.binary(.multiply, c, factor)
        }
        let shape = builder.shape(y)
        y = try builder.binary(.add, y, c)
        guard builder.shape(y) == shape else { throw .shape("C does not broadcast to \(shape)") }
      }
      return y
    },
    "Einsum": Importer { (builder, node) throws(Das3Error) in try builder.importEinsum(node) },
  ]

  /// A product of matrices; weighted sums along one axis where one of them is constant and has few
  /// other elements than 0.
  ///
  /// Exporters write an adaptive pooling as products with such matrices, a band in each.
  private mutating func product(_ a: ValueID, _ b: ValueID) throws(Das3Error) -> ValueID {
    let (left, right) = (shape(a), shape(b))
    if left.dims.last == right.dims.suffix(2).first {
      if left.rank == 2, let table = sparseTable(a, isLeft: true) {
        return try emit(.resample(Resample(axis: right.rank - 2, table: table)), [b])
      }
      if right.rank == 2, let table = sparseTable(b, isLeft: false) {
        return try emit(.resample(Resample(axis: left.rank - 1, table: table)), [a])
      }
    }
    return try emit(.matMul(MatMul()), [a, b])
  }

  /// The terms of each row of a constant matrix on the left of a product, or of each column of one on
  /// the right; nil where it is not constant or dense.
  private func sparseTable(_ id: ValueID, isLeft: Bool) -> Resample.Table? {
    guard let tensor = constant(behind: id), tensor.type == .float32 else { return nil }
    let (rows, columns) = (tensor.shape[0], tensor.shape[1])
    let values = tensor.floats
    guard values.count(where: { $0 != 0 }) <= values.count / 4 else { return nil }
    var table = Resample.Table()
    for place in 0..<(isLeft ? rows : columns) {
      table.append(
        (0..<(isLeft ? columns : rows)).map { inner in
          let value = values[isLeft ? place * columns + inner : inner * columns + place]
          return (inner, Double(value))
        })
    }
    return table
  }

  /// Imports an Einsum of one or two tensors.
  ///
  /// Letters of both tensors and of the result become batch dimensions, letters that the result
  /// lacks become the inner dimension of a matrix product.
  private mutating func importEinsum(_ node: Node) throws(Das3Error) -> ValueID {
    let equation = try node.string("equation", default: "").filter { $0 != " " }
    guard !equation.contains(".") else { throw .unsupported("ellipsis in '\(equation)'") }
    let sides = equation.split(separator: ">", omittingEmptySubsequences: false)
    let terms = sides[0].filter { $0 != "-" }.split(separator: ",").map(Array.init)
    guard terms.count == node.inputs.count, (1...2).contains(terms.count),
      terms.allSatisfy({ Set($0).count == $0.count })
    else { throw .unsupported("'\(equation)'; expected a product of at most two tensors") }
    let letters = terms.flatMap { $0 }
    let result =
      sides.count == 2
      ? Array(sides[1]) : letters.filter { l in letters.filter { $0 == l }.count == 1 }.sorted()
    guard Set(result).count == result.count, Set(result).isSubset(of: Set(letters)) else {
      throw .format("'\(equation)'")
    }
    var ids = try inputs(node, 0..<terms.count)
    var axes = terms
    for index in ids.indices {
      guard shape(ids[index]).rank == axes[index].count else {
        throw .shape("\(shape(ids[index])) for '\(String(axes[index]))'")
      }
      // A letter that only this tensor has, and that the result lacks, is summed first.
      let other = terms.count == 2 ? Set(terms[1 - index]) : []
      let gone = axes[index].indices.filter {
        !other.contains(axes[index][$0]) && !result.contains(axes[index][$0])
      }
      guard !gone.isEmpty else { continue }
      ids[index] = try emit(
        .reduce(Reduce(kind: .sum, axes: gone, keepsDims: false)), [ids[index]])
      axes[index] = axes[index].indices.filter { !gone.contains($0) }.map { axes[index][$0] }
    }
    guard terms.count == 2 else {
      let order = result.compactMap { axes[0].firstIndex(of: $0) }
      return try transpose(ids[0], order)
    }
    let (left, right) = (axes[0], axes[1])
    let batch = result.filter { left.contains($0) && right.contains($0) }
    let rows = result.filter { left.contains($0) && !right.contains($0) }
    let columns = result.filter { !left.contains($0) && right.contains($0) }
    let inner = left.filter { !result.contains($0) }
    var sizes: [Character: Int] = [:]
    for (term, id) in zip(axes, ids) {
      for (letter, size) in zip(term, shape(id).dims) {
        guard sizes.updateValue(size, forKey: letter) ?? size == size else {
          throw .shape("'\(letter)' has two sizes in '\(equation)'")
        }
      }
    }
    func size(_ letters: [Character]) -> Int { letters.reduce(1) { $0 * (sizes[$1] ?? 1) } }
    func matrix(_ id: ValueID, _ term: [Character], _ parts: [[Character]]) throws(Das3Error)
      -> ValueID
    {
      let moved = try transpose(id, parts.joined().compactMap { term.firstIndex(of: $0) })
      return try reshape(moved, parts.map(size))
    }
    let a = try matrix(ids[0], left, [batch, rows, inner])
    let b = try matrix(ids[1], right, [batch, inner, columns])
    let y = try emit(.matMul(MatMul()), [a, b])
    let written = batch + rows + columns
    let shaped = try reshape(y, written.map { sizes[$0] ?? 1 })
    return try transpose(shaped, result.compactMap { written.firstIndex(of: $0) })
  }
}
