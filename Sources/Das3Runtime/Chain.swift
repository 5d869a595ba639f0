internal import CKernels
import Das3Graph

/// A chain of element-wise stages in the form that C kernels take, with each normalisation folded
/// into y·a + b.
@safe struct Chain {
  /// For each stage its operand; nil where it has none or is a normalisation.
  private let operands: [Memory.Place?]
  /// For each stage its normalisation; nil where it is another function.
  private let foldPlaces: [Int?]
  /// The stages without operands, by which an implementation is chosen.
  private(set) var kernelChain = d3k_chain()
  /// Of its normalisations, in order; their results lie one after the other.
  private let folds: [NormalizationFold]
  /// Whether an operand of a normalisation changes with the frame, so that it is folded in each
  /// run.
  let isDynamic: Bool

  /// - Throws: never for planned chains; an internal error where one is too long.
  init(_ stages: some Collection<Plan.Stage>, _ plan: Plan) throws(Das3Error) {
    guard stages.count <= Int(D3K_MAX_STAGES) else {
      throw Das3Error(.internal, "a chain of \(stages.count) stages")
    }
    folds = stages.compactMap { stage in
      guard case .normalize(let epsilon) = stage.function else { return nil }
      return NormalizationFold(stage.operands, epsilon)
    }
    var foldCount = 0
    (operands, foldPlaces) = stages.reduce(into: ([], [])) { result, stage in
      if case .normalize = stage.function {
        result.0.append(nil)
        result.1.append(foldCount)
        foldCount += 1
      } else {
        result.0.append(stage.operands.first.map { Memory.Place($0) })
        result.1.append(nil)
      }
    }
    isDynamic = folds.contains { !$0.operands.allSatisfy(plan.isStatic) }
    kernelChain.count = Int32(stages.count)
    for (index, stage) in stages.enumerated() {
      var entry = unsafe d3k_stage()
      switch stage.function {
      case .unary(let unary):
        unsafe entry.kind = unary.kind.kernelKind
        unsafe (entry.a, entry.b) = (unary.a, unary.b)
      case .binary(let kind, let isReversed): unsafe entry.kind = kind.kernelKind(isReversed)
      case .normalize: unsafe entry.kind = Int32(D3K_AFFINE.rawValue)
      }
      switch stage.extent {
      case .none, .scalar: unsafe entry.extent = Int32(D3K_SCALAR.rawValue)
      case .channel: unsafe entry.extent = Int32(D3K_CHANNEL.rawValue)
      case .full:
        unsafe entry.extent = Int32(D3K_FULL.rawValue)
        unsafe entry.operand_stride = Int64(stage.operands[0].rows?.stride ?? 0)
      }
      unsafe withUnsafeMutablePointer(to: &kernelChain.stages) {
        unsafe UnsafeMutableRawPointer($0).assumingMemoryBound(to: d3k_stage.self)[index] = entry
      }
    }
  }

  var preparedByteCount: Int { folds.reduce(0) { $0 + $1.byteCount } }

  func prepare(_ memory: borrowing Memory, _ prepared: UnsafeMutableRawPointer) {
    var next = unsafe prepared
    for fold in folds {
      unsafe fold.compute(memory, next)
      unsafe next += fold.byteCount
    }
  }

  /// With its operands, and the normalisations as they were prepared.
  func resolved(_ memory: borrowing Memory, _ prepared: UnsafeMutableRawPointer) -> d3k_chain {
    var chain = kernelChain
    unsafe withUnsafeMutablePointer(to: &chain.stages) {
      let entries = unsafe UnsafeMutableRawPointer($0).assumingMemoryBound(to: d3k_stage.self)
      for index in operands.indices {
        if let operand = operands[index] {
          unsafe entries[index].operand = unsafe UnsafePointer(memory.pointer(operand))
        } else if let fold = unsafe fold(of: index, prepared) {
          unsafe entries[index].operand = unsafe UnsafePointer(fold.factor)
          unsafe entries[index].operand2 = unsafe UnsafePointer(fold.offset)
        }
      }
    }
    return chain
  }

  /// The address of the folded normalisation; nil where the stage is another function.
  func fold(of stage: Int, _ prepared: UnsafeMutableRawPointer) -> NormalizationFold.Result? {
    guard let place = foldPlaces[stage] else { return nil }
    let before = folds[..<place].reduce(0) { $0 + $1.byteCount }
    return unsafe folds[place].result(prepared + before)
  }
}

/// Folds statistics, scale and shift of a normalisation into one multiplication and one addition:
/// factor = scale / √(variance + ε), offset = shift − mean · factor.
@safe struct NormalizationFold {
  /// Scale, shift, mean, variance.
  let operands: [Plan.View]
  private let epsilon: Float
  private let channelCount: Int
  let byteCount: Int

  init(_ operands: [Plan.View], _ epsilon: Float) {
    (self.operands, self.epsilon) = (operands, epsilon)
    channelCount = operands[0].shape.elementCount
    byteCount = 3 * 4 * Plan.aligned(channelCount)
  }

  /// The result: one factor and one offset for each channel.
  @unsafe struct Result {
    let factor, offset: UnsafeMutablePointer<Float>
    /// 1 / √(variance + ε).
    let inverseDeviation: UnsafeMutablePointer<Float>
  }

  /// In `byteCount` bytes.
  func result(_ bytes: UnsafeMutableRawPointer) -> Result {
    let factor = unsafe bytes.assumingMemoryBound(to: Float.self)
    let count = Plan.aligned(channelCount)
    return unsafe Result(
      factor: factor, offset: factor + count, inverseDeviation: factor + 2 * count)
  }

  func compute(_ memory: borrowing Memory, _ bytes: UnsafeMutableRawPointer) {
    let (scale, shift) = unsafe (memory.pointer(operands[0]), memory.pointer(operands[1]))
    let (mean, variance) = unsafe (memory.pointer(operands[2]), memory.pointer(operands[3]))
    let result = unsafe result(bytes)
    for channel in 0..<channelCount {
      let deviation = unsafe (variance[channel] + epsilon).squareRoot()
      let value = unsafe scale[channel] / deviation
      unsafe result.inverseDeviation[channel] = 1 / deviation
      unsafe result.factor[channel] = value
      unsafe result.offset[channel] = unsafe shift[channel] - mean[channel] * value
    }
  }
}

extension Unary.Kind {
  var kernelKind: Int32 {
    let kind: d3k_stage_kind =
      switch self {
      case .relu: D3K_RELU
      case .leakyRelu: D3K_LEAKY_RELU
      case .elu: D3K_ELU
      case .selu: D3K_SELU
      case .clip: D3K_CLIP
      case .hardSigmoid: D3K_HARD_SIGMOID
      case .hardSwish: D3K_HARD_SWISH
      case .sigmoid: D3K_SIGMOID
      case .tanh: D3K_TANH
      case .softplus: D3K_SOFTPLUS
      case .softsign: D3K_SOFTSIGN
      case .mish: D3K_MISH
      case .erf: D3K_ERF
      case .gelu: D3K_GELU
      case .geluTanh: D3K_GELU_TANH
      case .exp: D3K_EXP
      case .log: D3K_LOG
      case .sqrt: D3K_SQRT
      case .abs: D3K_ABS
      case .negate: D3K_NEG
      case .reciprocal: D3K_RECIPROCAL
      case .floor: D3K_FLOOR
      case .ceil: D3K_CEIL
      case .round: D3K_ROUND
      case .quantize: D3K_QUANTIZE
      case .sin: D3K_SIN
      case .cos: D3K_COS
      case .sign: D3K_SIGN
      case .not: D3K_NOT
      case .truncate: D3K_TRUNC
      case .toBool: D3K_TO_BOOL
      }
    return Int32(kind.rawValue)
  }
}

extension Binary.Kind {
  /// `isReversed`: the running value is the second operand.
  func kernelKind(_ isReversed: Bool) -> Int32 {
    let kind: d3k_stage_kind =
      switch self {
      case .add: D3K_ADD
      case .subtract: isReversed ? D3K_RSUB : D3K_SUB
      case .multiply: D3K_MUL
      case .divide: isReversed ? D3K_RDIV : D3K_DIV
      case .minimum: D3K_MIN
      case .maximum: D3K_MAX
      case .power: isReversed ? D3K_RPOW : D3K_POW
      case .prelu: isReversed ? D3K_RPRELU : D3K_PRELU
      case .modulo: isReversed ? D3K_RMOD : D3K_MOD
      case .remainder: isReversed ? D3K_RFMOD : D3K_FMOD
      case .integerDivide: isReversed ? D3K_RINT_DIV : D3K_INT_DIV
      case .equal: D3K_EQUAL
      case .less: isReversed ? D3K_GREATER : D3K_LESS
      case .greater: isReversed ? D3K_LESS : D3K_GREATER
      case .lessOrEqual: isReversed ? D3K_GREATER_EQUAL : D3K_LESS_EQUAL
      case .greaterOrEqual: isReversed ? D3K_LESS_EQUAL : D3K_GREATER_EQUAL
      case .and: D3K_AND
      case .or: D3K_OR
      case .xor: D3K_XOR
      }
    return Int32(kind.rawValue)
  }
}
