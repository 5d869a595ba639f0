/// ONNX operators that rename a value, describe a shape or create a constant.
///
/// They add no steps to a plan.
extension GraphBuilder {
  static let shapeImporters: [String: Importer] = [
    "Identity": Importer { (builder, node) throws(Das3Error) in try builder.input(node, 0) },
    "Dropout": Importer(configuration: [1, 2]) { (builder, node) throws(Das3Error) in
      if let mode = try builder.configuration(node, 2, "training_mode"), mode.ints.first != 0,
        try builder.configuration(node, 1, "ratio")?.floats.first ?? 0.5 != 0
      {
        throw .unsupported("training_mode; expected inference")
      }
      if builder.model.opset < 7, try node.int("is_test", default: 0) == 0 {
        throw .unsupported("is_test 0; expected inference")
      }
      let x = try builder.input(node, 0)
      guard node.outputs.count > 1, !node.outputs[1].isEmpty else { return x }
      let shape = builder.shape(x)
      try builder.reserve(shape.elementCount)
      let mask = [Int64](repeating: 1, count: shape.elementCount)
      try builder.bind(
        node, builder.constant(ConstantTensor(shape: shape, type: .bool, ints: mask)), output: 1)
      return x
    },
    "Constant": Importer { (builder, node) throws(Das3Error) in try builder.importConstant(node) },
    "If": Importer(configuration: [0]) { (builder, node) throws(Das3Error) in
      try builder.importBranch(node)
      return nil
    },
    "ConstantOfShape": Importer(configuration: [0]) { (builder, node) throws(Das3Error) in
      guard let sizes = try builder.configuration(node, 0, "input")?.ints else {
        throw .format("the shape is missing")
      }
      let shape = try Shape(sizes.map { Int($0) }).validated()
      var value = ConstantTensor(scalar: 0)
      if case .tensor(let tensor)? = node.attributes["value"] { value = tensor }
      guard value.shape.elementCount == 1 else {
        throw .shape("value is \(value.shape); expected one element")
      }
      let scalar = value.selecting([0], shape: [])
      return try builder.emit(.expand(Expand(shape: shape)), [builder.constant(scalar)])
    },
    "Shape": .ofInput { (builder, node, x) throws(Das3Error) in
      let dims = builder.shape(x).dims
      func position(_ name: String, _ fallback: Int) throws(Das3Error) -> Int {
        let value = try node.int(name, default: fallback)
        return min(max(value < 0 ? value + dims.count : value, 0), dims.count)
      }
      let start = try position("start", 0)
      let end = try position("end", dims.count)
      let kept = Array(dims[start..<max(start, end)])
      return builder.constant(ConstantTensor(vector: kept))
    },
    "EyeLike": .ofInput { (builder, node, x) throws(Das3Error) in
      let shape = builder.shape(x)
      guard shape.rank == 2 else { throw .shape("input is \(shape); expected a matrix") }
      let diagonal = try node.int("k", default: 0)
      try builder.reserve(shape.elementCount)
      let ones = (0..<shape.elementCount).map {
        $0 % shape[1] == ($0 / shape[1]).addingReportingOverflow(diagonal).partialValue
      }
      let isFloat = [1, 10, 11, 16].contains(try node.int("dtype", default: 1))
      return builder.constant(
        isFloat
          ? ConstantTensor(shape: shape, floats: ones.map { $0 ? 1 : 0 })
          : ConstantTensor(shape: shape, ints: ones.map { $0 ? 1 : 0 }))
    },
    "Size": .ofInput { (builder, node, x) throws(Das3Error) in
      let count = builder.shape(x).elementCount
      return builder.constant(ConstantTensor(shape: [], ints: [Int64(count)]))
    },
    "Range": Importer(configuration: [0, 1, 2]) { (builder, node) throws(Das3Error) in
      try builder.importRange(node)
    },
  ]

  private mutating func importConstant(_ node: Node) throws(Das3Error) -> ValueID {
    for (name, attribute) in node.attributes {
      switch (name, attribute) {
      case ("value", .tensor(let tensor)): return constant(tensor)
      case ("value_float", .float(let value)):
        return scalar(value)
      case ("value_floats", .floats(let values)):
        return constant(ConstantTensor(shape: [values.count], floats: values))
      case ("value_int", .int(let value)):
        return constant(ConstantTensor(shape: [], ints: [Int64(value)]))
      case ("value_ints", .ints(let values)):
        return constant(ConstantTensor(vector: values))
      default: continue
      }
    }
    throw .unsupported("a constant without a numeric value")
  }

  private mutating func importRange(_ node: Node) throws(Das3Error) -> ValueID {
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
      return constant(ConstantTensor(shape: [values.count], floats: values))
    }
    let (start, limit, delta) = (bounds[0].ints[0], bounds[1].ints[0], bounds[2].ints[0])
    let (room, overflow) = limit.subtractingReportingOverflow(start)
    guard delta != 0, !overflow, room.magnitude / delta.magnitude < 1 << 24 else {
      throw .shape("range from \(start) to \(limit) by \(delta)")
    }
    try reserve(Int(room.magnitude / delta.magnitude))
    let values = Array(stride(from: start, to: limit, by: Int64.Stride(delta)))
    return constant(ConstantTensor(shape: [values.count], ints: values))
  }
}
