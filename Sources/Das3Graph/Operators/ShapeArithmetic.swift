/// ONNX operators that only rename, describe or create: they leave at most a `Reshape` behind.
extension GraphBuilder {
  static let shapeImporters: [String: Importer] = [
    "Identity": { (builder, node) throws(Das3Error) in
      try builder.bind(node, builder.input(node, 0))
    },
    "Dropout": { (builder, node) throws(Das3Error) in
      if let mode = try builder.configuration(node, 2, "training_mode"), mode.ints.first != 0,
        try builder.configuration(node, 1, "ratio")?.floats.first ?? 0.5 != 0
      {
        throw .unsupported("training_mode; expected inference")
      }
      if builder.model.opset < 7, try node.int("is_test", default: 0) == 0 {
        throw .unsupported("is_test 0; expected inference")
      }
      let x = try builder.input(node, 0)
      try builder.bind(node, x)
      guard node.outputs.count > 1, !node.outputs[1].isEmpty else { return }
      let shape = builder.shape(x)
      try builder.reserve(shape.elementCount)
      let mask = [Int64](repeating: 1, count: shape.elementCount)
      try builder.bind(
        node, builder.constant(ConstantTensor(shape: shape, type: .bool, ints: mask)), output: 1)
    },
    "Constant": { (builder, node) throws(Das3Error) in try builder.importConstant(node) },
    "If": { (builder, node) throws(Das3Error) in try builder.importBranch(node) },
    "ConstantOfShape": { (builder, node) throws(Das3Error) in
      guard let sizes = try builder.configuration(node, 0, "input")?.ints else {
        throw .format("the shape is missing")
      }
      let shape = try Shape(sizes.map { Int($0) }).validated()
      var value = ConstantTensor(scalar: 0)
      if case .tensor(let tensor)? = node.attributes["value"]?.value { value = tensor }
      guard value.shape.elementCount == 1 else {
        throw .shape("value is \(value.shape); expected one element")
      }
      let scalar = value.selecting([0], shape: [])
      try builder.bind(
        node, builder.emit(.expand(Expand(shape: shape)), [builder.constant(scalar)]))
    },
    "Shape": { (builder, node) throws(Das3Error) in
      let x = try builder.input(node, 0)
      let dims = builder.shape(x).dims
      func position(_ name: String, _ fallback: Int) throws(Das3Error) -> Int {
        let value = try node.int(name, default: fallback)
        return min(max(value < 0 ? value + dims.count : value, 0), dims.count)
      }
      let start = try position("start", 0)
      let end = try position("end", dims.count)
      let kept = Array(dims[start..<max(start, end)])
      try builder.bind(node, builder.constant(ConstantTensor(vector: kept)))
    },
    "EyeLike": { (builder, node) throws(Das3Error) in
      let x = try builder.input(node, 0)
      let shape = builder.shape(x)
      guard shape.rank == 2 else { throw .shape("input is \(shape); expected a matrix") }
      let diagonal = try node.int("k", default: 0)
      try builder.reserve(shape.elementCount)
      let ones = (0..<shape.elementCount).map {
        $0 % shape[1] == ($0 / shape[1]).addingReportingOverflow(diagonal).partialValue
      }
      let isFloat = [1, 10, 11, 16].contains(try node.int("dtype", default: 1))
      try builder.bind(
        node,
        builder.constant(
          isFloat
            ? ConstantTensor(shape: shape, floats: ones.map { $0 ? 1 : 0 })
            : ConstantTensor(shape: shape, ints: ones.map { $0 ? 1 : 0 })))
    },
    "Size": { (builder, node) throws(Das3Error) in
      let x = try builder.input(node, 0)
      let count = builder.shape(x).elementCount
      try builder.bind(node, builder.constant(ConstantTensor(shape: [], ints: [Int64(count)])))
    },
    "Range": { (builder, node) throws(Das3Error) in try builder.importRange(node) },
    "Reshape": { (builder, node) throws(Das3Error) in
      let x = try builder.input(node, 0)
      let shape = builder.shape(x)
      var dims = try builder.configuration(node, 1, "shape")?.ints.map { Int($0) } ?? []
      if try node.int("allowzero", default: 0) == 0 {
        for (axis, size) in dims.enumerated() where size == 0 {
          guard axis < shape.rank else {
            throw .shape("shape \(dims) copies axis \(axis) of \(shape)")
          }
          dims[axis] = shape[axis]
        }
      }
      let open = dims.indices.filter { dims[$0] == -1 }
      guard open.count <= 1, dims.allSatisfy({ $0 >= -1 }) else {
        throw .shape("shape \(dims); expected at most one -1 and no other negative size")
      }
      if let axis = open.first {
        dims[axis] = 1
        let known = try Shape(dims).validated().elementCount
        guard known > 0, shape.elementCount % known == 0 else {
          throw .shape("\(shape) does not divide into \(dims) with axis \(axis) open")
        }
        dims[axis] = shape.elementCount / known
      }
      try builder.bind(node, builder.reshape(x, dims))
    },
    "Flatten": { (builder, node) throws(Das3Error) in
      let x = try builder.input(node, 0)
      let shape = builder.shape(x)
      let axis = try node.int("axis", default: 1)
      let split = axis == shape.rank ? axis : try shape.axis(axis)
      let outer = shape.dims[..<split].reduce(1, *)
      try builder.bind(node, builder.reshape(x, [outer, shape.dims[split...].reduce(1, *)]))
    },
    "Squeeze": { (builder, node) throws(Das3Error) in
      let x = try builder.input(node, 0)
      let shape = builder.shape(x)
      var axes: Set<Int> = []
      if let listed = try builder.intsFromAttributeOrInput(node, "axes", 1) {
        for axis in listed { axes.insert(try shape.axis(axis)) }
      } else {
        axes = Set((0..<shape.rank).filter { shape[$0] == 1 })
      }
      guard axes.allSatisfy({ shape[$0] == 1 }) else {
        throw .shape("axes \(axes.sorted()) of \(shape); expected sizes of 1")
      }
      try builder.bind(
        node, builder.reshape(x, (0..<shape.rank).filter { !axes.contains($0) }.map { shape[$0] }))
    },
    "Unsqueeze": { (builder, node) throws(Das3Error) in
      let x = try builder.input(node, 0)
      let shape = builder.shape(x)
      let listed = try builder.intsFromAttributeOrInput(node, "axes", 1) ?? []
      let rank = shape.rank + listed.count
      guard rank <= Shape.maximumRank else { throw .unsupported("\(rank) dimensions") }
      let target = Shape([Int](repeating: 1, count: rank))
      var axes: Set<Int> = []
      for axis in listed { axes.insert(try target.axis(axis)) }
      guard axes.count == listed.count else { throw .shape("axes \(listed) repeat one") }
      var remaining = shape.dims[...]
      let dims = (0..<rank).map { axes.contains($0) ? 1 : remaining.removeFirst() }
      try builder.bind(node, builder.reshape(x, dims))
    },
  ]

  private mutating func importConstant(_ node: OnnxModel.Node) throws(Das3Error) {
    for (name, attribute) in node.attributes {
      switch (name, attribute.value) {
      case ("value", .tensor(let tensor)): return try bind(node, constant(tensor))
      case ("value_float", .float(let value)):
        return try bind(node, constant(ConstantTensor(scalar: value)))
      case ("value_floats", .floats(let values)):
        return try bind(node, constant(ConstantTensor(shape: [values.count], floats: values)))
      case ("value_int", .int(let value)):
        return try bind(node, constant(ConstantTensor(shape: [], ints: [Int64(value)])))
      case ("value_ints", .ints(let values)):
        return try bind(node, constant(ConstantTensor(vector: values)))
      default: continue
      }
    }
    throw .unsupported("a constant without a numeric value")
  }

  private mutating func importRange(_ node: OnnxModel.Node) throws(Das3Error) {
    var bounds: [ConstantTensor] = []
    for (index, name) in ["start", "limit", "delta"].enumerated() {
      guard let tensor = try configuration(node, index, name), tensor.shape.elementCount == 1 else {
        throw .format("\(name) is missing or not one value")
      }
      bounds.append(tensor)
    }
    if bounds[0].type == .float32 {
      let (start, limit, delta) = (bounds[0].floats[0], bounds[1].floats[0], bounds[2].floats[0])
      let steps = ((limit - start) / delta).rounded(.up)
      guard delta != 0, steps.isFinite, steps < Float(1 << 24) else {
        throw .shape("range from \(start) to \(limit) by \(delta)")
      }
      try reserve(Int(max(0, steps)))
      let values = (0..<Int(max(0, steps))).map { start + Float($0) * delta }
      return try bind(node, constant(ConstantTensor(shape: [values.count], floats: values)))
    }
    let (start, limit, delta) = (bounds[0].ints[0], bounds[1].ints[0], bounds[2].ints[0])
    let (room, overflow) = limit.subtractingReportingOverflow(start)
    guard delta != 0, !overflow, room.magnitude / delta.magnitude < 1 << 24 else {
      throw .shape("range from \(start) to \(limit) by \(delta)")
    }
    try reserve(Int(room.magnitude / delta.magnitude))
    let values = Array(stride(from: start, to: limit, by: Int64.Stride(delta)))
    try bind(node, constant(ConstantTensor(shape: [values.count], ints: values)))
  }
}
