/// Concatenation along `axis`.
package struct Concat: OperatorRules {
  package var axis: Int

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    var result = inputs[0]
    for input in inputs.dropFirst() {
      var expected = input.shape.dims
      guard expected.count == result.shape.rank else {
        throw .shape("\(input.shape) beside \(result.shape)")
      }
      expected[axis] = result.shape[axis]
      guard expected == result.shape.dims else {
        throw .shape("\(input.shape) does not fit beside \(result.shape) along axis \(axis)")
      }
      result.shape.dims[axis] += input.shape[axis]
    }
    return result
  }

  var facts: OperatorFacts { .view(spacing: .kept, placement: .always) }

  func folded(_ inputs: [ConstantTensor], _ result: ValueInfo) -> ConstantTensor? {
    let outer = result.shape.dims[..<axis].reduce(1, *)
    func joined<T>(_ parts: [[T]]) -> [T] {
      var result: [T] = []
      result.reserveCapacity(parts.reduce(0) { $0 + $1.count })
      for row in 0..<outer {
        for part in parts {
          let length = part.count / max(1, outer)
          result.append(contentsOf: part[row * length..<(row + 1) * length])
        }
      }
      return result
    }
    if inputs.allSatisfy({ $0.type != .float32 }) {
      return ConstantTensor(
        shape: result.shape, type: result.type, ints: joined(inputs.map(\.ints)))
    }
    return ConstantTensor(shape: result.shape, floats: joined(inputs.map(\.floats)))
  }

  func lower(_ node: Graph.Node, by planner: inout Planner) {
    let inputs = node.inputs.map { planner.view(of: $0) }
    let isStatic = planner.isStatic(inputs)
    let shape = planner.graph.values[node.output].shape
    let whole: Plan.View
    if let placed = planner.views[node.output] {
      whole = placed
    } else if shape.rank == 4, planner.placements[node.output] != nil {
      whole = planner.destination(node.output, isStatic: isStatic)
    } else {
      let model = inputs.first { $0.rows != nil && !$0.isEmpty }
      let order = model?.memoryOrder ?? Array(0..<shape.rank)
      let isImage = shape.rank == 4 && inputs.contains { $0.pixelStride != nil }
      whole = planner.allocate(
        shape,
        order: isImage
          ? Planner.channelsLastOrder(4) : Planner.completed(order, rank: shape.rank),
        isStatic: isStatic)
    }
    planner.place(node.output, whole)
    var start = 0
    for input in inputs {
      let slice = Slice(of: shape, along: axis, from: start, count: input.shape[axis])
      let part = whole.sliced(slice)
      start += input.shape[axis]
      // No copy is needed where the step that made the input has written it here.
      if input.buffer != part.buffer || input.offset != part.offset || isStatic {
        planner.emit(.copy, node.name, [input], part)
      }
    }
  }
}

extension GraphBuilder {
  static let concatImporters: [String: Importer] = [
    "Concat": Importer { (builder, node) throws(Das3Error) in
      guard !node.inputs.isEmpty else { throw .format("no inputs") }
      let inputs = try builder.inputs(node, 0..<node.inputs.count)
      let axis = try builder.shape(inputs[0]).axis(node.int("axis", default: 0))
      return try inputs.count == 1 ? inputs[0] : builder.emit(.concat(Concat(axis: axis)), inputs)
    }
  ]
}
