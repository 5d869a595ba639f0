/// Tensors one after the other along `axis`.
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

  func lower(_ node: Graph.Node, by planner: inout Planner) { planner.lowerConcat(node, self) }
}

/// Every `steps[k]`-th element from `starts[k]`, `counts[k]` of them; steps may be negative.
package struct Slice: OperatorRules {
  package var starts: [Int]
  package var steps: [Int]
  package var counts: [Int]

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    ValueInfo(Shape(counts), inputs[0].type)
  }

  var facts: OperatorFacts { .view(spacing: .enlarged, placement: .never) }

  func folded(_ inputs: [ConstantTensor], _ result: ValueInfo) -> ConstantTensor? {
    let x = inputs[0].shape.contiguousStrides
    return inputs[0].moved(
      to: result.shape, offset: zip(starts, x).reduce(0) { $0 + $1.0 * $1.1 },
      strides: zip(steps, x).map { $0 * $1 })
  }

  func lower(_ node: Graph.Node, by planner: inout Planner) {
    planner.place(node.output, planner.view(of: node.inputs[0]).sliced(self))
  }
}

/// y[i, j, …] = x[tables[0][i], tables[1][j], …], or `fill` where a table says −1; nil = as it is.
///
/// Padding of every mode, gathering, tiling and nearest resizing.
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

/// Dimension k of the result is dimension `order[k]` of the input.
package struct Transpose: OperatorRules {
  package var order: [Int]

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    guard order.sorted() == Array(0..<inputs[0].shape.rank) else {
      throw .shape("perm \(order) is not a permutation for \(inputs[0].shape)")
    }
    return ValueInfo(Shape(order.map { inputs[0].shape[$0] }), inputs[0].type)
  }

  var facts: OperatorFacts { .view(spacing: .kept, placement: .never) }

  func folded(_ inputs: [ConstantTensor], _ result: ValueInfo) -> ConstantTensor? {
    let strides = inputs[0].shape.contiguousStrides
    return inputs[0].moved(to: result.shape, strides: order.map { strides[$0] })
  }

  func lower(_ node: Graph.Node, by planner: inout Planner) {
    planner.place(node.output, planner.view(of: node.inputs[0]).transposed(order))
  }
}

/// The same elements, row-major, in another shape.
package struct Reshape: OperatorRules {
  package var shape: Shape
  /// What the elements mean afterwards; nil = what they meant.
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

  func lower(_ node: Graph.Node, by planner: inout Planner) { planner.lowerReshape(node, self) }
}

/// Repeats dimensions of size 1 to `shape` (which already includes the input's own sizes).
package struct Expand: OperatorRules {
  package var shape: Shape

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    guard inputs[0].shape.broadcast(with: shape) == shape else {
      throw .shape("\(inputs[0].shape) does not expand to \(shape)")
    }
    return ValueInfo(shape, inputs[0].type)
  }

  var facts: OperatorFacts { .view(spacing: .kept, placement: .never) }

  func folded(_ inputs: [ConstantTensor], _ result: ValueInfo) -> ConstantTensor? {
    inputs[0].moved(
      to: result.shape, strides: inputs[0].shape.broadcastStrides(to: result.shape))
  }

  func lower(_ node: Graph.Node, by planner: inout Planner) {
    planner.place(node.output, planner.view(of: node.inputs[0]).expanded(to: shape))
  }
}
