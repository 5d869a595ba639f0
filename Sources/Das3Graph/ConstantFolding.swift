import Glibc

/// Computes a node whose inputs are all constants: what an exporter wrote as shape arithmetic.
extension Operator {
  /// Larger results are computed by the runtime, once per model; integers, which say where data
  /// goes, must be known at once.
  static func largestFoldedCount(_ type: ElementType) -> Int {
    type == .float32 ? 1 << 18 : 1 << 22
  }

  /// The value, or nil where the operator is not worth folding.
  func folded(_ inputs: [ConstantTensor], result: ValueInfo) throws(Das3Error) -> ConstantTensor? {
    switch self {
    case .unary(let op): return op.folded(inputs[0], result)
    case .binary(let op): return try op.folded(inputs[0], inputs[1], result)
    case .select: return selected(inputs, result)
    case .reduce(let op): return op.folded(inputs[0], result)
    case .concat(let op): return concatenated(inputs, op.axis, result)
    case .slice(let op):
      return inputs[0].moved(
        to: result.shape, offset: zip(op.starts, inputs[0].shape.contiguousStrides).dot,
        strides: zip(op.steps, inputs[0].shape.contiguousStrides).map { $0 * $1 })
    case .index(let op): return indexed(inputs[0], op, result.shape)
    case .transpose(let op):
      let strides = inputs[0].shape.contiguousStrides
      return inputs[0].moved(to: result.shape, strides: op.order.map { strides[$0] })
    case .reshape:
      return result.type == .float32
        ? ConstantTensor(shape: result.shape, floats: inputs[0].floats)
        : ConstantTensor(shape: result.shape, type: result.type, ints: inputs[0].ints)
    case .expand:
      return inputs[0].moved(
        to: result.shape, strides: inputs[0].shape.broadcastStrides(to: result.shape))
    case .conv, .convTranspose, .batchNorm, .layerNorm, .groupNorm, .maxPool, .averagePool,
      .argMax, .softmax, .resize, .resample, .gridSample, .matMul:
      return nil
    }
  }

  private func selected(_ inputs: [ConstantTensor], _ result: ValueInfo) -> ConstantTensor {
    let shape = result.shape
    let condition = inputs[0].broadcast(to: shape).ints
    let (a, b) = (inputs[1].broadcast(to: shape), inputs[2].broadcast(to: shape))
    if case .ints(let x) = a.storage, case .ints(let y) = b.storage {
      return ConstantTensor(
        shape: shape, type: result.type,
        ints: condition.indices.map { condition[$0] != 0 ? x[$0] : y[$0] })
    }
    let (x, y) = (a.floats, b.floats)
    return ConstantTensor(
      shape: shape, floats: condition.indices.map { condition[$0] != 0 ? x[$0] : y[$0] })
  }

  private func concatenated(_ inputs: [ConstantTensor], _ axis: Int, _ result: ValueInfo)
    -> ConstantTensor
  {
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

  private func indexed(_ input: ConstantTensor, _ op: Index, _ shape: Shape) -> ConstantTensor {
    let strides = input.shape.contiguousStrides
    var indices = [0]
    for axis in shape.dims.indices {
      let table = op.tables[axis]?.map { Int($0) } ?? Array(0..<shape[axis])
      indices = indices.flatMap { base in
        table.map { base < 0 || $0 < 0 ? -1 : base + $0 * strides[axis] }
      }
    }
    return input.selecting(indices, shape: shape, fill: op.fill)
  }
}

extension ConstantTensor {
  /// The elements at offset + Σ position · stride.
  fileprivate func moved(to shape: Shape, offset: Int = 0, strides: [Int]) -> ConstantTensor {
    guard shape.elementCount > 0 else { return selecting([], shape: shape) }
    var indices = [offset]
    for axis in shape.dims.indices {
      indices = indices.flatMap { base in (0..<shape[axis]).map { base + $0 * strides[axis] } }
    }
    return selecting(indices, shape: shape)
  }

  func broadcast(to shape: Shape) -> ConstantTensor {
    self.shape == shape ? self : moved(to: shape, strides: self.shape.broadcastStrides(to: shape))
  }
}

extension Shape {
  /// Strides that read this dense tensor as the larger `shape`; 0 where a dimension repeats.
  package func broadcastStrides(to shape: Shape) -> [Int] {
    let extended = extended(to: shape.rank)
    let strides = extended.contiguousStrides
    return shape.dims.indices.map { extended[$0] == 1 ? 0 : strides[$0] }
  }
}

extension Zip2Sequence where Sequence1 == [Int], Sequence2 == [Int] {
  fileprivate var dot: Int { reduce(0) { $0 + $1.0 * $1.1 } }
}

extension Unary {
  fileprivate func folded(_ x: ConstantTensor, _ result: ValueInfo) -> ConstantTensor? {
    if case .ints(let values) = x.storage {
      let ints: [Int64]
      switch kind {
      case .not: ints = values.map { $0 == 0 ? 1 : 0 }
      case .toBool: ints = values.map { $0 == 0 ? 0 : 1 }
      case .abs: ints = values.map { $0 < 0 ? 0 &- $0 : $0 }
      case .negate: ints = values.map { 0 &- $0 }
      case .relu: ints = values.map { max(0, $0) }
      case .sign: ints = values.map { $0.signum() }
      case .floor, .ceil, .round, .truncate, .quantize: ints = values
      case .clip:
        let (low, high) = (Int64(clamping: a), Int64(clamping: b))
        ints = values.map { min(max($0, low), high) }
      default: return nil
      }
      return ConstantTensor(shape: x.shape, type: result.type, ints: ints)
    }
    let values = x.floats
    func floats(_ function: (Float) -> Float) -> ConstantTensor {
      ConstantTensor(shape: x.shape, floats: values.map(function))
    }
    switch kind {
    case .truncate:
      return ConstantTensor(shape: x.shape, ints: values.map { Int64(clamping: $0) })
    case .toBool:
      return ConstantTensor(shape: x.shape, type: .bool, ints: values.map { $0 == 0 ? 0 : 1 })
    case .abs: return floats { Swift.abs($0) }
    case .negate: return floats { -$0 }
    case .relu: return floats { max(0, $0) }
    case .floor: return floats { $0.rounded(.down) }
    case .ceil: return floats { $0.rounded(.up) }
    case .round, .quantize: return floats { $0.rounded(.toNearestOrEven) }
    case .sqrt: return floats { $0.squareRoot() }
    case .reciprocal: return floats { 1 / $0 }
    case .clip: return floats { min(max($0, a), b) }
    case .leakyRelu: return floats { $0 < 0 ? a * $0 : $0 }
    case .sigmoid: return floats { 1 / (1 + expf(-$0)) }
    case .tanh: return floats(tanhf)
    case .erf: return floats(erff)
    case .exp: return floats(expf)
    case .sin: return floats(sinf)
    case .cos: return floats(cosf)
    case .log: return floats(logf)
    case .sign: return floats { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 }
    // Activations of layers; nobody does arithmetic on shapes with them.
    case .elu, .selu, .hardSigmoid, .hardSwish, .softplus, .softsign, .mish, .gelu, .geluTanh, .not:
      return nil
    }
  }
}

extension Binary {
  fileprivate func folded(_ x: ConstantTensor, _ y: ConstantTensor, _ result: ValueInfo)
    throws(Das3Error) -> ConstantTensor?
  {
    let (left, right) = (x.broadcast(to: result.shape), y.broadcast(to: result.shape))
    if case .ints(let a) = left.storage, case .ints(let b) = right.storage {
      var ints: [Int64] = []
      ints.reserveCapacity(a.count)
      for (p, q) in zip(a, b) {
        guard let value = integer(p, q) else {
          if q == 0 { throw .shape("division of \(p) by zero in shape arithmetic") }
          return nil
        }
        ints.append(value)
      }
      return ConstantTensor(shape: result.shape, type: result.type, ints: ints)
    }
    let pairs = zip(left.floats, right.floats)
    if result.type == .bool {
      var ints: [Int64] = []
      for (p, q) in pairs {
        guard let value = comparison(p, q) else { return nil }
        ints.append(value ? 1 : 0)
      }
      return ConstantTensor(shape: result.shape, type: .bool, ints: ints)
    }
    var floats: [Float] = []
    for (p, q) in pairs {
      guard let value = real(p, q) else { return nil }
      floats.append(value)
    }
    return ConstantTensor(shape: result.shape, floats: floats)
  }

  private func comparison<T: Comparable & ExpressibleByIntegerLiteral>(_ p: T, _ q: T) -> Bool? {
    switch kind {
    case .equal: p == q
    case .less: p < q
    case .greater: p > q
    case .lessOrEqual: p <= q
    case .greaterOrEqual: p >= q
    case .and: p != 0 && q != 0
    case .or: p != 0 || q != 0
    case .xor: (p != 0) != (q != 0)
    default: nil
    }
  }

  /// nil = not folded, or a division by zero.
  private func integer(_ p: Int64, _ q: Int64) -> Int64? {
    switch kind {
    case .add: return p &+ q
    case .subtract: return p &- q
    case .multiply: return p &* q
    case .minimum: return min(p, q)
    case .maximum: return max(p, q)
    case .divide, .integerDivide:
      return q == 0 ? nil : p.dividedReportingOverflow(by: q).partialValue
    case .remainder: return q == 0 ? nil : p.remainderReportingOverflow(dividingBy: q).partialValue
    case .modulo:
      guard q != 0 else { return nil }
      let rest = p.remainderReportingOverflow(dividingBy: q).partialValue
      return rest != 0 && (rest < 0) != (q < 0) ? rest + q : rest
    case .power:
      guard q >= 0, q < 64 else { return 0 }
      return (0..<q).reduce(1) { product, _ in product &* p }
    case .prelu: return p < 0 ? p &* q : p
    case .equal, .less, .greater, .lessOrEqual, .greaterOrEqual, .and, .or, .xor:
      return comparison(p, q).map { $0 ? 1 : 0 }
    }
  }

  private func real(_ p: Float, _ q: Float) -> Float? {
    switch kind {
    case .add: p + q
    case .subtract: p - q
    case .multiply: p * q
    case .divide: p / q
    case .minimum: min(p, q)
    case .maximum: max(p, q)
    case .prelu: p < 0 ? p * q : p
    case .power: powf(p, q)
    case .remainder: q == 0 ? .nan : fmodf(p, q)
    case .modulo: q == 0 ? .nan : p - (p / q).rounded(.down) * q
    case .integerDivide: (p / q).rounded(.towardZero)
    case .equal, .less, .greater, .lessOrEqual, .greaterOrEqual, .and, .or, .xor: nil
    }
  }
}

extension Reduce {
  fileprivate func folded(_ x: ConstantTensor, _ result: ValueInfo) -> ConstantTensor? {
    let kept = x.shape.dims.indices.filter { !axes.contains($0) }
    let strides = x.shape.contiguousStrides
    let order = kept + axes
    let ordered =
      order == Array(x.shape.dims.indices)
      ? x : x.moved(to: Shape(order.map { x.shape[$0] }), strides: order.map { strides[$0] })
    let length = axes.reduce(1) { $0 * x.shape[$1] }
    guard length > 0 else { return nil }
    func rows<T>(_ values: [T], _ combine: (ArraySlice<T>) -> T) -> [T] {
      stride(from: 0, to: values.count, by: length).map { combine(values[$0..<$0 + length]) }
    }
    switch (ordered.storage, kind) {
    case (.ints(let values), .sum):
      return ConstantTensor(shape: result.shape, ints: rows(values) { $0.reduce(0, &+) })
    case (.ints(let values), .product):
      return ConstantTensor(shape: result.shape, ints: rows(values) { $0.reduce(1, &*) })
    case (.ints(let values), .max):
      return ConstantTensor(
        shape: result.shape, type: x.type, ints: rows(values) { $0.max() ?? 0 })
    case (.ints(let values), .min):
      return ConstantTensor(
        shape: result.shape, type: x.type, ints: rows(values) { $0.min() ?? 0 })
    case (.floats(let values), .sum):
      return ConstantTensor(shape: result.shape, floats: rows(values) { $0.reduce(0, +) })
    case (.floats(let values), .product):
      return ConstantTensor(shape: result.shape, floats: rows(values) { $0.reduce(1, *) })
    case (.floats(let values), .mean):
      return ConstantTensor(
        shape: result.shape,
        floats: rows(values) { Float($0.reduce(0) { $0 + Double($1) } / Double(length)) })
    case (.floats(let values), .max):
      return ConstantTensor(shape: result.shape, floats: rows(values) { $0.max() ?? 0 })
    case (.floats(let values), .min):
      return ConstantTensor(shape: result.shape, floats: rows(values) { $0.min() ?? 0 })
    default: return nil
    }
  }
}
