/// Reduces the elements along `axes` (ascending, not negative) to one value.
package struct Reduce: OperatorRules {
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

  var facts: OperatorFacts {
    let derivative: OperatorFacts.Derivative =
      switch kind {
      case .sum, .mean: .step(reads: .none)
      case .sumSquare, .l1: .step(reads: .only([0]))
      case .logSum: .step(reads: .none, readsResult: true)
      case .max, .min, .l2, .product, .logSumExp: .step(reads: .only([0]), readsResult: true)
      }
    return .kernel(spacing: .kept, placement: .never, derivative: derivative)
  }

  func folded(_ inputs: [ConstantTensor], _ result: ValueInfo) -> ConstantTensor? {
    let x = inputs[0]
    let kept = x.shape.dims.indices.filter { !axes.contains($0) }
    let order = kept + axes
    let ordered =
      order == Array(x.shape.dims.indices) ? x : x.viewed { $0.transposed(order) }
    let length = axes.reduce(1) { $0 * x.shape[$1] }
    guard length > 0 else { return nil }
    func rows<T>(_ values: [T], _ combine: (ArraySlice<T>) -> T) -> [T] {
      stride(from: 0, to: values.count, by: length).map { combine(values[$0..<$0 + length]) }
    }
    func extremes<T: Comparable & ExpressibleByIntegerLiteral>(_ values: [T]) -> [T]? {
      switch kind {
      case .max: rows(values) { $0.max() ?? 0 }
      case .min: rows(values) { $0.min() ?? 0 }
      default: nil
      }
    }
    switch ordered.storage {
    case .ints(let values):
      let ints: [Int64]? =
        switch kind {
        case .sum: rows(values) { $0.reduce(0, &+) }
        case .product: rows(values) { $0.reduce(1, &*) }
        default: extremes(values)
        }
      return ints.map { ConstantTensor(shape: result.shape, type: x.type, ints: $0) }
    case .floats(let values):
      let floats: [Float]? =
        switch kind {
        case .sum: rows(values) { $0.reduce(0, +) }
        case .product: rows(values) { $0.reduce(1, *) }
        case .mean: rows(values) { Float($0.reduce(0) { $0 + Double($1) } / Double(length)) }
        default: extremes(values)
        }
      return floats.map { ConstantTensor(shape: result.shape, floats: $0) }
    }
  }

  func lower(_ node: Graph.Node, by planner: inout Planner) {
    planner.lowerReduction(node, axes, keepsDims: keepsDims)
  }
}

/// The index of the largest value along `axis`.
package struct ArgMax: OperatorRules {
  package var axis: Int
  package var keepsDims: Bool
  package var selectsLast: Bool

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    var dims = inputs[0].shape.dims
    guard dims[axis] > 0 else { throw .shape("input is \(inputs[0].shape); nothing to search") }
    if keepsDims { dims[axis] = 1 } else { dims.remove(at: axis) }
    return ValueInfo(Shape(dims), .int64)
  }

  var facts: OperatorFacts {
    .kernel(spacing: .kept, placement: .never, smoothInputs: .none, derivative: .ofOtherSteps)
  }

  func folded(_: [ConstantTensor], _: ValueInfo) -> ConstantTensor? { nil }

  func lower(_ node: Graph.Node, by planner: inout Planner) {
    planner.lowerReduction(node, [axis], keepsDims: keepsDims)
  }
}

/// exp(x) / Σ exp(x) along `axis`, or its logarithm.
package struct Softmax: OperatorRules {
  package var axis: Int
  package var isLog: Bool

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo { inputs[0] }

  var facts: OperatorFacts {
    .kernel(
      spacing: .kept, placement: .never, inPlace: .forward,
      derivative: .step(reads: .none, readsResult: true))
  }

  func folded(_: [ConstantTensor], _: ValueInfo) -> ConstantTensor? { nil }
  func lower(_ node: Graph.Node, by planner: inout Planner) { planner.lowerAlong(axis, node) }
}

extension GraphBuilder {
  static let reductionImporters: [String: Importer] = [
    "ReduceSum": reduce(.sum), "ReduceMean": reduce(.mean), "ReduceMax": reduce(.max),
    "ReduceMin": reduce(.min), "ReduceL1": reduce(.l1), "ReduceL2": reduce(.l2),
    "ReduceProd": reduce(.product), "ReduceSumSquare": reduce(.sumSquare),
    "ReduceLogSum": reduce(.logSum), "ReduceLogSumExp": reduce(.logSumExp),
    "ArgMax": .ofInput { (builder, node, x) throws(Das3Error) in
      let operation = ArgMax(
        axis: try builder.shape(x).axis(node.int("axis", default: 0)),
        keepsDims: try node.int("keepdims", default: 1) != 0,
        selectsLast: try node.int("select_last_index", default: 0) != 0)
      return try builder.emit(.argMax(operation), [x])
    },
    "Softmax": softmax(isLog: false), "LogSoftmax": softmax(isLog: true),
  ]

  private static func reduce(_ kind: Reduce.Kind) -> Importer {
    .ofInput(configuration: [1]) { (builder, node, x) throws(Das3Error) in
      let rank = builder.shape(x).rank
      let listed = try builder.intsFromAttributeOrInput(node, "axes", 1) ?? []
      if listed.isEmpty, try node.int("noop_with_empty_axes", default: 0) != 0 { return x }
      let axes = try builder.shape(x).axes(
        listed.isEmpty ? Array(0..<rank) : listed, called: "axes entry")
      let operation = Reduce(
        kind: kind, axes: Set(axes).sorted(),
        keepsDims: try node.int("keepdims", default: 1) != 0)
      return try builder.emit(.reduce(operation), [x])
    }
  }

  private static func softmax(isLog: Bool) -> Importer {
    .ofInput { (builder, node, x) throws(Das3Error) in
      let shape = builder.shape(x)
      let isFlattening = builder.model.opset < 13
      let axis = try shape.axis(node.int("axis", default: isFlattening ? 1 : -1))
      guard isFlattening, axis < shape.rank - 1 else {
        let operation = Softmax(axis: axis, isLog: isLog)
        return try builder.emit(.softmax(operation), [x])
      }
      // Before opset 13 a softmax is over all dimensions from `axis` on.
      let outer = shape.dims[..<axis].reduce(1, *)
      let rows = try builder.reshape(x, [outer, shape.dims[axis...].reduce(1, *)])
      let y = try builder.emit(.softmax(Softmax(axis: 1, isLog: isLog)), [rows])
      return try builder.reshape(y, shape.dims)
    }
  }
}
