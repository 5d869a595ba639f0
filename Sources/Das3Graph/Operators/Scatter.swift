/// ScatterND and ScatterElements at indices that are known at load.
///
/// They are lowered to concatenation, indexing and element-wise operators, which also give the
/// derivatives by data and updates.
extension GraphBuilder {
  static let scatterImporters: [String: Importer] = [
    "ScatterND": Importer(configuration: [1]) { (builder, node) throws(Das3Error) in
      try builder.importScatterND(node)
    },
    "ScatterElements": scatterElements,
    // The name of ScatterElements up to opset 10.
    "Scatter": scatterElements,
  ]

  private static let scatterElements = Importer(configuration: [1]) {
    (builder, node) throws(Das3Error) in try builder.importScatterElements(node)
  }

  /// The most updates of one element: each takes a pass over the data.
  private static let maximumRepetition = 64

  private mutating func importScatterND(_ node: Node) throws(Das3Error) -> ValueID {
    let (data, updates) = (try input(node, 0), try input(node, 2))
    let shape = shape(data)
    let indices = try indices(node)
    guard let width = indices.shape.dims.last, width >= 1, width <= shape.rank,
      self.shape(updates).dims == Array(indices.shape.dims.dropLast() + shape.dims[width...])
    else {
      throw .shape(
        "indices \(indices.shape) and updates \(self.shape(updates)) for data of \(shape)")
    }
    let positions = try positions(indices, width: width, in: shape)
    let rest = Array(shape.dims[width...])
    let flat = try reshape(data, [shape.dims[..<width].reduce(1, *)] + rest)
    let rows = try reshape(updates, [positions.count] + rest)
    let result = try scatter(flat, rows, positions, node.string("reduction", default: "none"))
    return try reshape(result, shape.dims)
  }

  private mutating func importScatterElements(_ node: Node) throws(Das3Error) -> ValueID {
    let (data, updates) = (try input(node, 0), try input(node, 2))
    let shape = shape(data)
    let axis = try shape.axis(node.int("axis", default: 0))
    let indices = try indices(node)
    guard indices.shape == self.shape(updates), indices.shape.rank == shape.rank,
      zip(indices.shape.dims, shape.dims).enumerated().allSatisfy({ $0 == axis || $1.0 <= $1.1 })
    else {
      throw .shape(
        "indices \(indices.shape) and updates \(self.shape(updates)) for data of \(shape)")
    }
    let count = indices.shape.elementCount
    try reserve(count)
    let along = try indices.ints.positions(below: shape[axis])
    let (own, strides) = (indices.shape.contiguousStrides, shape.contiguousStrides)
    let positions = (0..<count).map { element in
      var position = along[element] * strides[axis]
      for other in shape.dims.indices where other != axis {
        position += element / own[other] % indices.shape[other] * strides[other]
      }
      return Int32(position)
    }
    let result = try scatter(
      reshape(data, [shape.elementCount]), reshape(updates, [count]), positions,
      node.string("reduction", default: "none"))
    return try reshape(result, shape.dims)
  }

  /// Replaces the rows of `data` P×… at `positions` by those of `updates` U×…, or combines both.
  private mutating func scatter(
    _ data: ValueID, _ updates: ValueID, _ positions: [Int32], _ reduction: String
  ) throws(Das3Error) -> ValueID {
    guard !positions.isEmpty else { return data }
    let count = shape(data)[0]
    try reserve(count)
    let unchanged = [[Int32]?](repeating: nil, count: shape(data).rank - 1)
    func combining(_ kind: Binary.Kind, _ neutral: Float) throws(Das3Error) -> ValueID {
      var result = data
      for table in try passes(positions, count) {
        let rows = try emit(.index(Index(tables: [table] + unchanged, fill: neutral)), [updates])
        result = try binary(kind, result, rows)
      }
      return result
    }
    switch reduction {
    case "none":
      // The last update of an element is the one that remains.
      var table = (0..<count).map { Int32($0) }
      for (row, position) in positions.enumerated() { table[Int(position)] = Int32(count + row) }
      if table.allSatisfy({ $0 >= count }) {
        let rows = [table.map { $0 - Int32(count) }] + unchanged
        return try emit(.index(Index(tables: rows)), [updates])
      }
      let both = try emit(.concat(Concat(axis: 0)), [data, updates])
      return try emit(.index(Index(tables: [table] + unchanged)), [both])
    case "add": return try combining(.add, 0)
    case "mul": return try combining(.multiply, 1)
    case "max": return try combining(.maximum, -.infinity)
    case "min": return try combining(.minimum, .infinity)
    default: throw .format("reduction is '\(reduction)'; expected none, add, mul, max or min")
    }
  }

  /// Tables that have for each element of the data the row of an update, or −1.
  ///
  /// Each row is in exactly one table.
  private mutating func passes(_ positions: [Int32], _ count: Int) throws(Das3Error) -> [[Int32]] {
    var tables: [[Int32]] = []
    var depths = [Int](repeating: 0, count: count)
    for (row, position) in positions.enumerated() {
      let depth = depths[Int(position)]
      depths[Int(position)] += 1
      if depth == tables.count {
        guard depth < Self.maximumRepetition else {
          throw .unsupported(
            "more than \(Self.maximumRepetition) updates of one element; expected fewer")
        }
        try reserve(count)
        tables.append([Int32](repeating: -1, count: count))
      }
      tables[depth][Int(position)] = Int32(row)
    }
    return tables
  }
}
