/// The same elements in row-major order, in another shape.
package struct Reshape: OperatorRules {
  package var shape: Shape
  /// The element type of the result; nil = that of the input.
  package var type: ElementType?

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    let target = try shape.validated()
    guard target.elementCount == inputs[0].shape.elementCount else {
      throw .shape("\(inputs[0].shape) cannot become \(target)")
    }
    return ValueInfo(target, type ?? inputs[0].type)
  }

  var facts: OperatorFacts { .view(spacing: .kept, placement: .never) }

  func folded(_ inputs: [ConstantTensor], _ result: ValueInfo) -> ConstantTensor? {
    result.type == .float32
      ? ConstantTensor(shape: result.shape, floats: inputs[0].floats)
      : ConstantTensor(shape: result.shape, type: result.type, ints: inputs[0].ints)
  }

  func lower(_ node: Graph.Node, by planner: inout Planner) {
    let x = planner.view(of: node.inputs[0])
    if let view = x.reshaped(shape) { return planner.place(node.output, view) }
    // A copy is needed. It keeps the order of the runs in memory, and puts the dimensions of each
    // run in row-major order.
    let runs = ReshapeGroup.groups(from: x.shape, to: shape).map(\.source)
    func outermost(_ run: Range<Int>) -> Int {
      run.filter { x.shape[$0] > 1 }.map { x.strides[$0] }.min() ?? .max
    }
    let order = runs.sorted { outermost($0) > outermost($1) }.flatMap { Array($0) }
    let moved = planner.copy(x, order: order)
    planner.place(node.output, moved.reshaped(shape) ?? moved)
  }
}

extension GraphBuilder {
  static let reshapeImporters: [String: Importer] = [
    "Reshape": .ofInput(configuration: [1]) { (builder, node, x) throws(Das3Error) in
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
      return try builder.reshape(x, dims)
    },
    "Flatten": .ofInput { (builder, node, x) throws(Das3Error) in
      let shape = builder.shape(x)
      let axis = try node.int("axis", default: 1)
      let split = axis == shape.rank ? axis : try shape.axis(axis)
      let outer = shape.dims[..<split].reduce(1, *)
      return try builder.reshape(x, [outer, shape.dims[split...].reduce(1, *)])
    },
    "Squeeze": .ofInput(configuration: [1]) { (builder, node, x) throws(Das3Error) in
      let shape = builder.shape(x)
      let listed = try builder.intsFromAttributeOrInput(node, "axes", 1)
      let axes = Set(try shape.axes(listed ?? (0..<shape.rank).filter { shape[$0] == 1 }))
      guard axes.allSatisfy({ shape[$0] == 1 }) else {
        throw .shape("axes \(axes.sorted()) of \(shape); expected sizes of 1")
      }
      return try builder.reshape(
        x, (0..<shape.rank).filter { !axes.contains($0) }.map { shape[$0] })
    },
    "Unsqueeze": .ofInput(configuration: [1]) { (builder, node, x) throws(Das3Error) in
      let shape = builder.shape(x)
      let listed = try builder.intsFromAttributeOrInput(node, "axes", 1) ?? []
      let rank = shape.rank + listed.count
      guard rank <= Shape.maximumRank else { throw .unsupported("\(rank) dimensions") }
      let target = Shape([Int](repeating: 1, count: rank))
      let axes = Set(try target.axes(listed))
      guard axes.count == listed.count else { throw .shape("axes \(listed) repeat one") }
      var remaining = shape.dims[...]
      let dims = (0..<rank).map { axes.contains($0) ? 1 : remaining.removeFirst() }
      return try builder.reshape(x, dims)
    },
  ]
}
