/// y[i, j, …] = x[tables[0][i], tables[1][j], …], or `fill` where a table has −1.
///
/// An axis without a table (nil) is kept.
///
/// It covers all modes of padding, gathering, tiling and nearest resizing.
package struct Index: OperatorRules {
  package var tables: [[Int32]?]
  package var fill: Float = 0

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    var dims = inputs[0].shape.dims
    for (axis, table) in tables.enumerated() { if let table { dims[axis] = table.count } }
    return ValueInfo(Shape(dims), inputs[0].type)
  }

  var facts: OperatorFacts {
    .kernel(spacing: .enlarged, placement: .never, derivative: .step(reads: .none))
  }

  func folded(_ inputs: [ConstantTensor], _ result: ValueInfo) -> ConstantTensor? {
    let (input, shape) = (inputs[0], result.shape)
    let strides = input.shape.contiguousStrides
    var indices = [0]
    for axis in shape.dims.indices {
      let table = tables[axis]?.map { Int($0) } ?? Array(0..<shape[axis])
      indices = indices.flatMap { base in
        table.map { base < 0 || $0 < 0 ? -1 : base + $0 * strides[axis] }
      }
    }
    return input.selecting(indices, shape: shape, fill: fill)
  }

  func lower(_ node: Graph.Node, by planner: inout Planner) {
    let x = planner.view(of: node.inputs[0])
    let order = x.rows == nil ? Array(0..<x.shape.rank) : x.memoryOrder
    planner.finish(node, [x], order: Planner.completed(order, rank: x.shape.rank))
  }
}

extension GraphBuilder {
  static let indexImporters: [String: Importer] = [
    "Pad": .ofInput(configuration: [1, 2, 3]) { (builder, node, x) throws(Das3Error) in
      try builder.importPad(node, x)
    },
    "Tile": .ofInput(configuration: [1]) { (builder, node, x) throws(Das3Error) in
      let shape = builder.shape(x)
      let repeats = try builder.configuration(node, 1, "repeats")?.ints ?? []
      guard repeats.count == shape.rank, repeats.allSatisfy({ $0 >= 0 && $0 < 1 << 24 }) else {
        throw .shape("repeats are \(repeats) for an input of \(shape)")
      }
      var tables = [[Int32]?](repeating: nil, count: shape.rank)
      for (axis, times) in repeats.enumerated() where times != 1 {
        let size = Int32(shape[axis])
        try builder.reserve(Shape([Int(times), Int(size)]).validated().elementCount)
        tables[axis] = (0..<times).flatMap { _ in 0..<size }
      }
      return try builder.emit(.index(Index(tables: tables)), [x])
    },
    "Gather": .ofInput(configuration: [1]) { (builder, node, x) throws(Das3Error) in
      try builder.importGather(node, x)
    },
    "GatherND": .ofInput(configuration: [1]) { (builder, node, x) throws(Das3Error) in
      try builder.importGatherND(node, x)
    },
  ]

  private mutating func importPad(_ node: Node, _ x: ValueID) throws(Das3Error) -> ValueID {
    let shape = shape(x)
    let pads = try intsFromAttributeOrInput(node, "pads", 1) ?? []
    let listed = try configuration(node, 3, "axes")?.ints.map { Int($0) }
    let axes = try shape.axes(listed ?? Array(0..<shape.rank))
    guard pads.count == 2 * axes.count, pads.allSatisfy({ $0.magnitude < 1 << 24 }) else {
      throw .shape("pads \(pads) for \(axes.count) axes of \(shape)")
    }
    let mode = try node.string("mode", default: "constant")
    var tables = [[Int32]?](repeating: nil, count: shape.rank)
    for (position, axis) in axes.enumerated() {
      let (before, after) = (pads[position], pads[position + axes.count])
      guard before != 0 || after != 0 else { continue }
      let size = shape[axis]
      guard size > 0 || mode == "constant", size + before + after >= 0 else {
        throw .shape("pads \(before), \(after) for axis \(axis) of \(shape)")
      }
      try reserve(size + before + after)
      var table: [Int32] = []
      for index in -before..<max(-before, size + after) {
        switch mode {
        case "constant": table.append(index < 0 || index >= size ? -1 : Int32(index))
        case "edge": table.append(Int32(min(max(index, 0), size - 1)))
        case "wrap": table.append(Int32(((index % size) + size) % size))
        case "reflect":
          let period = max(1, 2 * (size - 1))
          let folded = ((index % period) + period) % period
          table.append(Int32(folded < size ? folded : period - folded))
        default: throw .format("mode is '\(mode)'; expected constant, edge, reflect or wrap")
        }
      }
      tables[axis] = table
    }
    var fill = try node.float("value", default: 0)
    if let value = try configuration(node, 2, "constant_value")?.floats.first { fill = value }
    return try emit(.index(Index(tables: tables, fill: fill)), [x])
  }

  private mutating func importGather(_ node: Node, _ x: ValueID) throws(Das3Error) -> ValueID {
    let shape = shape(x)
    let axis = try shape.axis(node.int("axis", default: 0))
    let indices = try indices(node)
    try reserve(indices.shape.elementCount)
    var tables = [[Int32]?](repeating: nil, count: shape.rank)
    tables[axis] = try indices.ints.positions(below: shape[axis]).map(Int32.init)
    let gathered = try emit(.index(Index(tables: tables)), [x])
    let dims = shape.dims[..<axis] + indices.shape.dims + shape.dims[(axis + 1)...]
    return try reshape(gathered, Array(dims))
  }

  /// The indexed dimensions are reshaped into one, and the tuples of indices into positions in it.
  private mutating func importGatherND(_ node: Node, _ x: ValueID) throws(Das3Error) -> ValueID {
    let shape = shape(x)
    guard let indices = try configuration(node, 1, "indices"), let width = indices.shape.dims.last
    else { throw .format("indices are missing or scalar") }
    guard try node.int("batch_dims", default: 0) == 0 else { throw .unsupported("batch_dims") }
    guard width >= 1, width <= shape.rank else {
      throw .shape("indices are \(indices.shape) for an input of \(shape)")
    }
    let positions = try positions(indices, width: width, in: shape)
    let rest = Array(shape.dims[width...])
    let flat = try reshape(x, [shape.dims[..<width].reduce(1, *)] + rest)
    let tables = [positions] + [[Int32]?](repeating: nil, count: rest.count)
    let gathered = try emit(.index(Index(tables: tables)), [flat])
    return try reshape(gathered, Array(indices.shape.dims.dropLast()) + rest)
  }

  mutating func indices(_ node: Node) throws(Das3Error) -> ConstantTensor {
    guard let indices = try configuration(node, 1, "indices") else {
      throw .format("indices are missing")
    }
    return indices
  }

  /// Turns tuples of `width` indices into positions in the first `width` dimensions, reshaped into
  /// one.
  mutating func positions(_ indices: ConstantTensor, width: Int, in shape: Shape)
    throws(Das3Error) -> [Int32]
  {
    try reserve(indices.shape.elementCount)
    let ints = indices.ints
    var positions = [Int32](repeating: 0, count: ints.count / width)
    for axis in 0..<width {
      let column = stride(from: axis, to: ints.count, by: width).map { ints[$0] }
      for (row, index) in try column.positions(below: shape[axis]).enumerated() {
        positions[row] = positions[row] * Int32(shape[axis]) + Int32(index)
      }
    }
    return positions
  }
}
