import Glibc

// Computes element-wise operators on constants, as in shape arithmetic of exporters.
extension Unary {
  func folded(_ inputs: [ConstantTensor], _ result: ValueInfo) -> ConstantTensor? {
    let x = inputs[0]
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
    // Shape arithmetic does not use the activations of layers.
    case .elu, .selu, .hardSigmoid, .hardSwish, .softplus, .softsign, .mish, .gelu, .geluTanh, .not:
      return nil
    }
  }
}

extension Binary {
  func folded(_ inputs: [ConstantTensor], _ result: ValueInfo) throws(Das3Error) -> ConstantTensor?
  {
    let (x, y) = (inputs[0], inputs[1])
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

  /// nil = the runtime computes it, or it is a division by zero.
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
