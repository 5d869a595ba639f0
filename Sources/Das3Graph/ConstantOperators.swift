import Glibc

/// Operators that are computed while the graph is made, where all their inputs are known.
///
/// Exporters write them to make masks, position tables and indices.
extension GraphBuilder {
  /// Computes the outputs of a node from the node, its first input and all its inputs; nil stands
  /// for an optional input that is left out.
  typealias Evaluator =
    @Sendable (OnnxModel.Node, ConstantTensor, [ConstantTensor?]) throws(Das3Error)
    -> [ConstantTensor]

  static let evaluators: [String: Evaluator] = [
    "Tan": floats(tanf), "Asin": floats(asinf),
    "Acos": floats(acosf), "Atan": floats(atanf), "Sinh": floats(sinhf), "Cosh": floats(coshf),
    "Asinh": floats(asinhf), "Acosh": floats(acoshf), "Atanh": floats(atanhf),
    "IsNaN": { (_, x, _) in
      [ConstantTensor(shape: x.shape, type: .bool, ints: x.floats.map { $0.isNaN ? 1 : 0 })]
    },
    "IsInf": { (node, x, inputs) throws(Das3Error) in
      let positive = try node.int("detect_positive", default: 1) != 0
      let negative = try node.int("detect_negative", default: 1) != 0
      let ints = x.floats.map { value -> Int64 in
        value.isInfinite && (value > 0 ? positive : negative) ? 1 : 0
      }
      return [ConstantTensor(shape: x.shape, type: .bool, ints: ints)]
    },
    "BitwiseAnd": integers(&), "BitwiseOr": integers(|), "BitwiseXor": integers(^),
    "NonZero": { (_, x, _) throws(Das3Error) in
      let found = x.floats.indices.filter { x.floats[$0] != 0 }
      let rank = max(1, x.shape.rank)
      let strides = x.shape.rank == 0 ? [1] : x.shape.contiguousStrides
      let dims = x.shape.rank == 0 ? [1] : x.shape.dims
      var ints: [Int64] = []
      for axis in 0..<rank { ints += found.map { Int64($0 / strides[axis] % dims[axis]) } }
      return [ConstantTensor(shape: Shape([rank, found.count]), ints: ints)]
    },
    "CumSum": { (node, x, inputs) throws(Das3Error) in
      let axis = try x.shape.axis(Int(required(inputs, 1).ints.first ?? 0))
      let isExclusive = try node.int("exclusive", default: 0) != 0
      let isReversed = try node.int("reverse", default: 0) != 0
      let (count, step) = (x.shape[axis], x.shape.contiguousStrides[axis])
      func summed<T: AdditiveArithmetic>(_ values: [T], _ add: (T, T) -> T) -> [T] {
        var result = values
        for start in values.indices where start / step % count == 0 {
          var sum = T.zero
          for place in 0..<count {
            let index = start + (isReversed ? count - 1 - place : place) * step
            if isExclusive { result[index] = sum }
            sum = add(sum, values[index])
            if !isExclusive { result[index] = sum }
          }
        }
        return result
      }
      switch x.storage {
      case .ints(let values):
        return [ConstantTensor(shape: x.shape, type: x.type, ints: summed(values, &+))]
      case .floats(let values): return [ConstantTensor(shape: x.shape, floats: summed(values, +))]
      }
    },
    "Trilu": { (node, x, inputs) throws(Das3Error) in
      guard x.shape.rank >= 2 else { throw .shape("input is \(x.shape); expected a matrix") }
      let diagonal = inputs.count > 1 ? inputs[1]?.ints.first ?? 0 : 0
      let isUpper = try node.int("upper", default: 1) != 0
      let (rows, columns) = (x.shape[x.shape.rank - 2], x.shape[x.shape.rank - 1])
      let indices = (0..<x.shape.elementCount).map { index -> Int in
        let (row, column) = (Int64(index / columns % rows), Int64(index % columns))
        let above = column.subtractingReportingOverflow(row).partialValue
        return (isUpper ? above >= diagonal : above <= diagonal) ? index : -1
      }
      return [x.selecting(indices, shape: x.shape)]
    },
    "OneHot": { (node, indices, inputs) throws(Das3Error) in
      let values = try required(inputs, 2)
      guard let depth = try required(inputs, 1).ints.first, (1..<1 << 24).contains(depth),
        values.shape.elementCount == 2
      else { throw .shape("depth or values are not as expected") }
      var dims = indices.shape.dims
      let axis = try Shape(dims + [1]).axis(node.int("axis", default: -1))
      dims.insert(Int(depth), at: axis)
      let shape = try Shape(dims).validated()
      let inner = dims[(axis + 1)...].reduce(1, *)
      let places = (0..<shape.elementCount).map { index -> Int in
        let (outer, rest) = index.quotientAndRemainder(dividingBy: inner * Int(depth))
        let wanted = indices.ints[outer * inner + rest % inner]
        return (wanted < 0 ? wanted + depth : wanted) == Int64(rest / inner) ? 1 : 0
      }
      return [values.selecting(places, shape: shape)]
    },
    "TopK": { (node, x, inputs) throws(Das3Error) in
      let axis = try x.shape.axis(node.int("axis", default: -1))
      let isLargest = try node.int("largest", default: 1) != 0
      guard let k = try required(inputs, 1).ints.first, (0...Int64(x.shape[axis])).contains(k)
      else { throw .shape("k is not from 0 to \(x.shape[axis])") }
      var dims = x.shape.dims
      dims[axis] = Int(k)
      let (shape, step) = (Shape(dims), x.shape.contiguousStrides[axis])
      let values = x.floats
      var chosen = [Int](repeating: 0, count: shape.elementCount)
      var ranks = [Int64](repeating: 0, count: shape.elementCount)
      for start in values.indices where start / step % x.shape[axis] == 0 {
        let order = (0..<x.shape[axis]).sorted { a, b in
          let (p, q) = (values[start + a * step], values[start + b * step])
          return p == q ? a < b : (p > q) == isLargest
        }
        let first = start / (step * x.shape[axis]) * step * Int(k) + start % step
        for rank in 0..<Int(k) {
          chosen[first + rank * step] = start + order[rank] * step
          ranks[first + rank * step] = Int64(order[rank])
        }
      }
      return [x.selecting(chosen, shape: shape), ConstantTensor(shape: shape, ints: ranks)]
    },
    "Compress": { (node, x, inputs) throws(Das3Error) in
      let kept = try required(inputs, 1).ints.enumerated().filter { $0.element != 0 }.map(\.offset)
      guard node.attributes["axis"] != nil else {
        guard kept.last ?? 0 < x.shape.elementCount else { throw .shape("the condition is longer") }
        return [x.selecting(kept, shape: [kept.count])]
      }
      let axis = try x.shape.axis(node.int("axis", default: 0))
      guard kept.last ?? 0 < x.shape[axis] else { throw .shape("the condition is longer") }
      var dims = x.shape.dims
      dims[axis] = kept.count
      return [try x.gathered(along: axis, Shape(dims)) { _, place in kept[place] }]
    },
    "GatherElements": { (node, x, inputs) throws(Das3Error) in
      let indices = try required(inputs, 1)
      let axis = try x.shape.axis(node.int("axis", default: 0))
      guard indices.shape.rank == x.shape.rank,
        x.shape.dims.indices.allSatisfy({ $0 == axis || indices.shape[$0] <= x.shape[$0] })
      else { throw .shape("indices are \(indices.shape) for an input of \(x.shape)") }
      let wanted = try indices.ints.positions(below: x.shape[axis])
      return [try x.gathered(along: axis, indices.shape) { index, _ in wanted[index] }]
    },
  ]

  static func required(_ inputs: [ConstantTensor?], _ index: Int) throws(Das3Error)
    -> ConstantTensor
  {
    guard index < inputs.count, let tensor = inputs[index] else {
      throw .format("input \(index) is missing")
    }
    return tensor
  }

  private static func floats(_ function: @escaping @Sendable (Float) -> Float) -> Evaluator {
    { (_, x, _) in [ConstantTensor(shape: x.shape, floats: x.floats.map(function))] }
  }

  private static func integers(_ function: @escaping @Sendable (Int64, Int64) -> Int64) -> Evaluator
  {
    { (_, x, inputs) throws(Das3Error) in
      let y = try required(inputs, 1)
      guard let shape = x.shape.broadcast(with: y.shape) else {
        throw .shape("\(x.shape) and \(y.shape) do not broadcast")
      }
      let pairs = zip(x.broadcast(to: shape).ints, y.broadcast(to: shape).ints)
      return [ConstantTensor(shape: shape, type: x.type, ints: pairs.map(function))]
    }
  }
}

extension ConstantTensor {
  /// A tensor of `shape` with the elements of this one.
  ///
  /// `place` maps the index of an element of the result, and its position on `axis`, to the
  /// position on `axis` that is read.
  fileprivate func gathered(
    along axis: Int, _ shape: Shape, _ place: (_ index: Int, _ position: Int) -> Int
  ) throws(Das3Error) -> ConstantTensor {
    let (from, to) = (self.shape.contiguousStrides, try shape.validated().contiguousStrides)
    let indices = (0..<shape.elementCount).map { index in
      shape.dims.indices.reduce(0) { sum, dimension in
        let position = index / to[dimension] % shape[dimension]
        return sum + (dimension == axis ? place(index, position) : position) * from[dimension]
      }
    }
    return selecting(indices, shape: shape)
  }
}

extension [Int64] {
  /// The indices, of which negative ones count from the end; throws where one is outside the
  /// dimension.
  func positions(below size: Int) throws(Das3Error) -> [Int] {
    var result: [Int] = []
    result.reserveCapacity(count)
    for index in self {
      guard index >= -size, index < size else {
        throw .shape("index \(index) is outside a dimension of \(size)")
      }
      result.append(Int(index < 0 ? index + Int64(size) : index))
    }
    return result
  }
}
