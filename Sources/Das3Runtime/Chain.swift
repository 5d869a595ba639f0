internal import CKernels
import Das3Graph

/// Element-wise stages as C kernels take them, with the normalisations folded to y·a + b.
@safe struct Chain {
  private let stages: [Plan.Stage]
  private(set) var kernelChain = d3k_chain()
  /// Of its normalisations, in order.
  private(set) var folds: [NormalizationFold] = []
  /// Whether an operand is made per frame, so that folding must be repeated.
  let isDynamic: Bool

  /// - Throws: never for planned chains; an internal error where one is too long.
  init(_ stages: some Collection<Plan.Stage>, _ plan: Plan) throws(Das3Error) {
    self.stages = Array(stages)
    guard stages.count <= Int(D3K_MAX_STAGES) else {
      throw Das3Error(.internal, "a chain of \(stages.count) stages")
    }
    isDynamic = stages.contains { stage in
      if case .normalize = stage.function { return !stage.operands.allSatisfy(plan.isStatic) }
      return false
    }
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
      unsafe setStage(index, entry)
    }
  }

  var preparedByteCount: Int {
    stages.reduce(0) { sum, stage in
      if case .normalize = stage.function {
        return sum + NormalizationFold.byteCount(stage.operands[0].shape.elementCount)
      }
      return sum
    }
  }

  mutating func bind(_ memory: borrowing Memory, prepared: UnsafeMutableRawPointer) {
    var next = unsafe prepared
    for (index, stage) in stages.enumerated() {
      var entry = unsafe self.stage(index)
      switch stage.function {
      case .unary: continue
      case .binary:
        unsafe entry.operand = unsafe UnsafePointer(memory.pointer(stage.operands[0]))
      case .normalize(let epsilon):
        let fold = unsafe NormalizationFold(stage.operands, epsilon, memory, result: next)
        unsafe next += NormalizationFold.byteCount(fold.channelCount)
        unsafe entry.operand = unsafe UnsafePointer(fold.factor)
        unsafe entry.operand2 = unsafe UnsafePointer(fold.offset)
        folds.append(fold)
      }
      unsafe setStage(index, entry)
    }
  }

  func prepare() { for fold in folds { fold.compute() } }

  private mutating func setStage(_ index: Int, _ stage: d3k_stage) {
    unsafe withUnsafeMutableBytes(of: &kernelChain.stages) {
      unsafe $0.storeBytes(
        of: stage, toByteOffset: index * MemoryLayout<d3k_stage>.stride, as: d3k_stage.self)
    }
  }

  private func stage(_ index: Int) -> d3k_stage {
    unsafe withUnsafeBytes(of: kernelChain.stages) {
      unsafe $0.load(fromByteOffset: index * MemoryLayout<d3k_stage>.stride, as: d3k_stage.self)
    }
  }
}

/// Statistics, scale and shift of a normalisation as one multiplication and addition:
/// factor = scale / √(variance + ε), offset = shift − mean · factor.
@safe struct NormalizationFold {
  let channelCount: Int
  let factor: UnsafeMutablePointer<Float>
  let offset: UnsafeMutablePointer<Float>
  /// 1 / √(variance + ε).
  let inverseDeviation: UnsafeMutablePointer<Float>
  let mean: UnsafePointer<Float>
  private let epsilon: Float
  private let scale, shift, variance: UnsafePointer<Float>

  static func byteCount(_ channelCount: Int) -> Int { 3 * 4 * Plan.aligned(channelCount) }

  /// `operands`: scale, shift, mean, variance; `result`: `byteCount` bytes.
  init(
    _ operands: [Plan.View], _ epsilon: Float, _ memory: borrowing Memory,
    result: UnsafeMutableRawPointer
  ) {
    channelCount = operands[0].shape.elementCount
    self.epsilon = epsilon
    unsafe scale = UnsafePointer(memory.pointer(operands[0]))
    unsafe shift = UnsafePointer(memory.pointer(operands[1]))
    unsafe mean = UnsafePointer(memory.pointer(operands[2]))
    unsafe variance = UnsafePointer(memory.pointer(operands[3]))
    unsafe factor = result.assumingMemoryBound(to: Float.self)
    unsafe offset = factor + Plan.aligned(channelCount)
    unsafe inverseDeviation = offset + Plan.aligned(channelCount)
  }

  func compute() {
    for channel in 0..<channelCount {
      let deviation = unsafe (variance[channel] + epsilon).squareRoot()
      let value = unsafe scale[channel] / deviation
      unsafe inverseDeviation[channel] = 1 / deviation
      unsafe factor[channel] = value
      unsafe offset[channel] = unsafe shift[channel] - mean[channel] * value
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
