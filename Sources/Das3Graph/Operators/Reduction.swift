/// One value for all elements along `axes` (ascending, not negative).
package struct Reduce: ShapeRule {
  package enum Kind: Sendable {
    case sum, mean, max, min, l1, l2, product, sumSquare, logSum, logSumExp
  }

  package var kind: Kind
  package var axes: [Int]
  package var keepsDims: Bool

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    var dims: [Int] = []
    for (axis, size) in inputs[0].shape.dims.enumerated() {
      if !axes.contains(axis) { dims.append(size) } else if keepsDims { dims.append(1) }
    }
    return ValueInfo(Shape(dims), inputs[0].type)
  }
}

/// Index of the largest value along `axis`.
package struct ArgMax: ShapeRule {
  package var axis: Int
  package var keepsDims: Bool
  package var selectsLast: Bool

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    var dims = inputs[0].shape.dims
    guard dims[axis] > 0 else { throw .shape("input is \(inputs[0].shape); nothing to search") }
    if keepsDims { dims[axis] = 1 } else { dims.remove(at: axis) }
    return ValueInfo(Shape(dims), .int64)
  }
}

/// exp(x) / Σ exp(x) along `axis`, or its logarithm.
package struct Softmax: ShapeRule {
  package var axis: Int
  package var isLog: Bool

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo { inputs[0] }
}

extension GraphBuilder {
  static let reductionImporters: [String: Importer] = [
    "ReduceSum": reduce(.sum), "ReduceMean": reduce(.mean), "ReduceMax": reduce(.max),
    "ReduceMin": reduce(.min), "ReduceL1": reduce(.l1), "ReduceL2": reduce(.l2),
    "ReduceProd": reduce(.product), "ReduceSumSquare": reduce(.sumSquare),
    "ReduceLogSum": reduce(.logSum), "ReduceLogSumExp": reduce(.logSumExp),
    "ArgMax": { (builder, node) throws(Das3Error) in
      let x = try builder.input(node, 0)
      let operation = ArgMax(
        axis: try builder.shape(x).axis(node.int("axis", default: 0)),
        keepsDims: try node.int("keepdims", default: 1) != 0,
        selectsLast: try node.int("select_last_index", default: 0) != 0)
      try builder.bind(node, builder.emit(.argMax(operation), [x]))
    },
    "Softmax": softmax(isLog: false), "LogSoftmax": softmax(isLog: true),
  ]

  private static func reduce(_ kind: Reduce.Kind) -> Importer {
    { (builder, node) throws(Das3Error) in
      let x = try builder.input(node, 0)
      let rank = builder.shape(x).rank
      let listed = try builder.intsFromAttributeOrInput(node, "axes", 1) ?? []
      if listed.isEmpty, try node.int("noop_with_empty_axes", default: 0) != 0 {
        return try builder.bind(node, x)
      }
      var axes: Set<Int> = listed.isEmpty ? Set(0..<rank) : []
      for axis in listed { axes.insert(try builder.shape(x).axis(axis, called: "axes entry")) }
      let operation = Reduce(
        kind: kind, axes: axes.sorted(), keepsDims: try node.int("keepdims", default: 1) != 0)
      try builder.bind(node, builder.emit(.reduce(operation), [x]))
    }
  }

  private static func softmax(isLog: Bool) -> Importer {
    { (builder, node) throws(Das3Error) in
      let x = try builder.input(node, 0)
      let shape = builder.shape(x)
      let isFlattening = builder.model.opset < 13
      let axis = try shape.axis(node.int("axis", default: isFlattening ? 1 : -1))
      guard isFlattening, axis < shape.rank - 1 else {
        let operation = Softmax(axis: axis, isLog: isLog)
        return try builder.bind(node, builder.emit(.softmax(operation), [x]))
      }
      // Before opset 13 all dimensions from `axis` on are one.
      let outer = shape.dims[..<axis].reduce(1, *)
      let rows = try builder.reshape(x, [outer, shape.dims[axis...].reduce(1, *)])
      let y = try builder.emit(.softmax(Softmax(axis: 1, isLog: isLog)), [rows])
      try builder.bind(node, builder.reshape(y, shape.dims))
    }
  }
}
