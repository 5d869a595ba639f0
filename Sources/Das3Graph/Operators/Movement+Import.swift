extension GraphBuilder {
  static let movementImporters: [String: Importer] = [
    "Concat": { (builder, node) throws(Das3Error) in
      guard !node.inputs.isEmpty else { throw .format("no inputs") }
      let inputs = try builder.inputs(node, 0..<node.inputs.count)
      let axis = try builder.shape(inputs[0]).axis(node.int("axis", default: 0))
      try builder.bind(
        node, inputs.count == 1 ? inputs[0] : builder.emit(.concat(Concat(axis: axis)), inputs))
    },
    "Split": { (builder, node) throws(Das3Error) in try builder.importSplit(node) },
    "Slice": { (builder, node) throws(Das3Error) in try builder.importSlice(node) },
    "Pad": { (builder, node) throws(Das3Error) in try builder.importPad(node) },
    "Tile": { (builder, node) throws(Das3Error) in
      let x = try builder.input(node, 0)
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
      try builder.bind(node, builder.emit(.index(Index(tables: tables)), [x]))
    },
    "Gather": { (builder, node) throws(Das3Error) in try builder.importGather(node) },
    "GatherND": { (builder, node) throws(Das3Error) in try builder.importGatherND(node) },
    "Transpose": { (builder, node) throws(Das3Error) in
      let x = try builder.input(node, 0)
      let order = try node.ints("perm") ?? (0..<builder.shape(x).rank).reversed()
      try builder.bind(node, builder.transpose(x, order))
    },
    "GridSample": { (builder, node) throws(Das3Error) in try builder.importGridSample(node) },
    "Resize": { (builder, node) throws(Das3Error) in try builder.importResize(node) },
    "Upsample": { (builder, node) throws(Das3Error) in try builder.importResize(node) },
    "DepthToSpace": { (builder, node) throws(Das3Error) in
      let x = try builder.input(node, 0)
      let s = builder.shape(x)
      let block = try node.int("blocksize", default: 0)
      guard s.rank == 4, block > 0, block < 1 << 12, s[1] % (block * block) == 0 else {
        throw .shape("input is \(s) with blocksize \(block)")
      }
      let depth = s[1] / (block * block)
      let isColumnRow = try node.string("mode", default: "DCR") == "CRD"
      let split =
        isColumnRow
        ? [s[0], depth, block, block, s[2], s[3]] : [s[0], block, block, depth, s[2], s[3]]
      let moved = try builder.transpose(
        builder.reshape(x, split), isColumnRow ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2])
      try builder.bind(node, builder.reshape(moved, [s[0], depth, s[2] * block, s[3] * block]))
    },
    "SpaceToDepth": { (builder, node) throws(Das3Error) in
      let x = try builder.input(node, 0)
      let s = builder.shape(x)
      let block = try node.int("blocksize", default: 0)
      guard s.rank == 4, block > 0, s[2] % block == 0, s[3] % block == 0 else {
        throw .shape("input is \(s) with blocksize \(block)")
      }
      let split = try builder.reshape(x, [s[0], s[1], s[2] / block, block, s[3] / block, block])
      let moved = try builder.transpose(split, [0, 3, 5, 1, 2, 4])
      try builder.bind(
        node, builder.reshape(moved, [s[0], s[1] * block * block, s[2] / block, s[3] / block]))
    },
    "Expand": { (builder, node) throws(Das3Error) in
      let x = try builder.input(node, 0)
      let target = Shape(try builder.configuration(node, 1, "shape")?.ints.map { Int($0) } ?? [])
      guard let shape = builder.shape(x).broadcast(with: try target.validated()) else {
        throw .shape("\(builder.shape(x)) and \(target) do not broadcast")
      }
      try builder.bind(
        node, shape == builder.shape(x) ? x : builder.emit(.expand(Expand(shape: shape)), [x]))
    },
  ]

  private mutating func importSplit(_ node: OnnxModel.Node) throws(Das3Error) {
    let x = try input(node, 0)
    let shape = shape(x)
    let axis = try shape.axis(node.int("axis", default: 0))
    var sizes = try intsFromAttributeOrInput(node, "split", 1) ?? []
    if sizes.isEmpty {
      let parts = try node.int("num_outputs", default: node.outputs.count)
      guard parts > 0, parts <= max(1, shape[axis]) else {
        throw .shape("\(shape) cannot be split into \(parts) along axis \(axis)")
      }
      try reserve(parts)
      let size = (shape[axis] + parts - 1) / parts
      sizes = (0..<parts).map { max(0, min(size, shape[axis] - $0 * size)) }
    }
    guard sizes.allSatisfy({ $0 >= 0 && $0 <= shape[axis] }), sizes.reduce(0, +) == shape[axis],
      sizes.count >= node.outputs.count
    else { throw .shape("split \(sizes) of \(shape) along axis \(axis)") }
    var start = 0
    for index in node.outputs.indices {
      var slice = Slice(
        starts: [Int](repeating: 0, count: shape.rank),
        steps: [Int](repeating: 1, count: shape.rank), counts: shape.dims)
      slice.starts[axis] = start
      slice.counts[axis] = sizes[index]
      start += sizes[index]
      try bind(node, emit(.slice(slice), [x]), output: index)
    }
  }

  private mutating func importSlice(_ node: OnnxModel.Node) throws(Das3Error) {
    let x = try input(node, 0)
    let shape = shape(x)
    let starts = try intsFromAttributeOrInput(node, "starts", 1) ?? []
    let ends = try intsFromAttributeOrInput(node, "ends", 2) ?? []
    let axes = try intsFromAttributeOrInput(node, "axes", 3) ?? Array(starts.indices)
    let steps =
      try configuration(node, 4, "steps")?.ints.map { Int($0) }
      ?? [Int](repeating: 1, count: starts.count)
    guard starts.count == ends.count, axes.count == starts.count, steps.count == starts.count else {
      throw .shape(
        "\(starts.count) starts, \(ends.count) ends, \(axes.count) axes, \(steps.count) steps")
    }
    var slice = Slice(
      starts: [Int](repeating: 0, count: shape.rank),
      steps: [Int](repeating: 1, count: shape.rank), counts: shape.dims)
    for position in starts.indices {
      let axis = try shape.axis(axes[position], called: "axes entry")
      let size = shape[axis]
      let step = steps[position]
      guard step != 0, step > -(1 << 31), step < 1 << 31 else { throw .shape("step is \(step)") }
      func clamped(_ value: Int, _ range: ClosedRange<Int>) -> Int {
        let index = value < 0 ? max(value, -(1 << 40)) + size : value
        return min(max(index, range.lowerBound), range.upperBound)
      }
      let start: Int
      let count: Int
      if step > 0 {
        start = clamped(starts[position], 0...size)
        let end = clamped(ends[position], 0...size)
        count = max(0, (end - start + step - 1) / step)
      } else {
        let last = max(-1, size - 1)
        start = clamped(starts[position], min(0, last)...last)
        let end = clamped(ends[position], -1...last)
        count = max(0, (end - start + step + 1) / step)
      }
      slice.starts[axis] = count == 0 ? 0 : start
      // The step of a single element would only make strides grow.
      slice.steps[axis] = count > 1 ? step : 1
      slice.counts[axis] = count
    }
    try bind(node, emit(.slice(slice), [x]))
  }

  private mutating func importPad(_ node: OnnxModel.Node) throws(Das3Error) {
    let x = try input(node, 0)
    let shape = shape(x)
    let pads = try intsFromAttributeOrInput(node, "pads", 1) ?? []
    let listed = try configuration(node, 3, "axes")?.ints.map { Int($0) }
    var axes: [Int] = []
    for axis in listed ?? Array(0..<shape.rank) { axes.append(try shape.axis(axis)) }
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
    try bind(node, emit(.index(Index(tables: tables, fill: fill)), [x]))
  }

  private mutating func importGather(_ node: OnnxModel.Node) throws(Das3Error) {
    let x = try input(node, 0)
    let shape = shape(x)
    let axis = try shape.axis(node.int("axis", default: 0))
    guard let indices = try configuration(node, 1, "indices") else {
      throw .format("indices are missing")
    }
    try reserve(indices.shape.elementCount)
    var tables = [[Int32]?](repeating: nil, count: shape.rank)
    tables[axis] = try indices.ints.positions(below: shape[axis]).map(Int32.init)
    let gathered = try emit(.index(Index(tables: tables)), [x])
    let dims = shape.dims[..<axis] + indices.shape.dims + shape.dims[(axis + 1)...]
    try bind(node, reshape(gathered, Array(dims)))
  }

  /// Indexed dimensions are made one; the index tuples become positions in it.
  private mutating func importGatherND(_ node: OnnxModel.Node) throws(Das3Error) {
    let x = try input(node, 0)
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
    try bind(node, reshape(gathered, Array(indices.shape.dims.dropLast()) + rest))
  }
}

extension GraphBuilder {
  /// Tuples of `width` indices into the first dimensions, as positions in all of these made one.
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
