internal import CKernels
import Das3Graph

/// A chain of element-wise stages over rows of channels: y = chain(x).
@safe final class ElementwiseKernel: ChainedKernel {
  private let rows: Plan.View.Rows
  private let outputStride: Int64

  override init(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error) {
    guard let rows = step.inputs[0].rows, let target = step.output.rows,
      rows.channels == target.channels, rows.count == target.count
    else { throw Das3Error(.internal, "element-wise step between layouts that differ") }
    self.rows = rows
    outputStride = Int64(target.stride)
    try super.init(step, plan, options)
  }

  override func run(_ chain: UnsafePointer<d3k_chain>) {
    unsafe d3k_chain_run(
      threads, chain, x, Int64(rows.stride), y, outputStride, Int64(rows.count),
      Int64(rows.channels))
  }
}

/// A step over up to three operands with strides of their own and a result that is dense in
/// `order`.
@safe class StridedKernel: Kernel {
  let step: Plan.Step
  let threads: Int32
  let dims: [Int64]
  let strides: [[Int64]]
  private(set) var x: [UnsafePointer<Float>] = unsafe []
  private(set) var y: UnsafeMutablePointer<Float>?

  init(_ step: Plan.Step, _ options: ExecutionOptions) {
    self.step = step
    threads = Int32(options.threads)
    let rank = step.output.shape.rank
    let order = Planner.completed(step.output.memoryOrder, rank: rank)
    dims = order.map { Int64(step.output.shape[$0]) }
    strides = step.inputs.map { view in order.map { Int64(view.strides[$0]) } }
  }

  override func bind(_ memory: borrowing Memory, prepared: UnsafeMutableRawPointer) {
    unsafe x = step.inputs.map { unsafe UnsafePointer(memory.pointer($0)) }
    unsafe y = memory.pointer(step.output)
  }
}

/// y = f(a, b) with broadcasting.
@safe final class BroadcastKernel: StridedKernel {
  private let kind: Int32

  init(_ step: Plan.Step, _ binary: Binary, _ options: ExecutionOptions) {
    kind = binary.kind.kernelKind(false)
    super.init(step, options)
  }

  override func run() {
    unsafe d3k_broadcast(
      threads, kind, Int32(dims.count), dims, x[0], strides[0], x[1], strides[1], y)
  }
}

/// y = condition ? a : b with broadcasting.
@safe final class SelectKernel: StridedKernel {
  override func run() {
    unsafe d3k_where(
      threads, Int32(dims.count), dims, x[0], strides[0], x[1], strides[1], x[2], strides[2], y)
  }
}

/// The derivative of a chain: its stages are computed again in the cache, then gone through
/// backwards, with those of all operands in the same pass.
@safe final class ChainGradientKernel: GradientKernel {
  private var chain: Chain
  private var targets = d3k_chain_gradient()
  private let rows, inputRows: Plan.View.Rows

  init(_ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error) {
    guard let rows = gradient.outputGradient.rows, let inputRows = gradient.step.inputs[0].rows,
      rows.channels == inputRows.channels, rows.count == inputRows.count
    else { throw Das3Error(.internal, "element-wise derivative between layouts that differ") }
    (self.rows, self.inputRows) = (rows, inputRows)
    chain = try Chain(gradient.step.chain, plan)
    super.init(gradient, options)
  }

  override var preparedByteCount: Int { chain.preparedByteCount }
  override var scratchByteCount: Int {
    var kernelChain = chain.kernelChain
    return unsafe d3k_chain_backward_scratch_bytes(
      threads, &kernelChain, Int64(rows.count), Int64(rows.channels))
  }

  override func bind(_ memory: borrowing Memory, prepared: UnsafeMutableRawPointer) {
    unsafe super.bind(memory, prepared: prepared)
    unsafe chain.bind(memory, prepared: prepared)
    var folds = chain.folds.makeIterator()
    for (index, stage) in gradient.step.chain.enumerated() {
      var entry = unsafe d3k_stage_gradient()
      let operands = gradient.operands[index]
      if let target = operands.first ?? nil {
        unsafe entry.operand = memory.pointer(target.view)
        unsafe entry.stride = Int64(target.view.rows?.stride ?? 0)
        unsafe entry.accumulates = target.accumulates ? 1 : 0
      }
      if case .normalize = stage.function {
        if let shift = operands[1] { unsafe entry.operand2 = memory.pointer(shift.view) }
        if let fold = folds.next() {
          unsafe entry.center = fold.mean
          unsafe entry.factor = unsafe UnsafePointer(fold.inverseDeviation)
        }
      }
      unsafe withUnsafeMutableBytes(of: &targets.stages) {
        unsafe $0.storeBytes(
          of: entry, toByteOffset: index * MemoryLayout<d3k_stage_gradient>.stride,
          as: d3k_stage_gradient.self)
      }
    }
  }

  override func prepare() { chain.prepare() }

  override func run() {
    if chain.isDynamic { chain.prepare() }
    var kernelChain = chain.kernelChain
    let stride = Int64(rows.stride)
    let inputStride = Int64(gradient.inputs[0]?.view.rows?.stride ?? 0)
    unsafe d3k_chain_backward(
      threads, &kernelChain, &targets, x[0], Int64(inputRows.stride), y, stride, dy, stride, dx[0],
      inputStride, accumulates, Int64(rows.count), Int64(rows.channels), scratch)
  }
}

/// The derivative of y = f(a, b) by one operand, at the size of y.
@safe final class BroadcastGradientKernel: StridedGradientKernel {
  private let kind: Int32

  init(_ gradient: Plan.Gradient, _ binary: Binary, _ options: ExecutionOptions) {
    kind = binary.kind.kernelKind(false)
    super.init(gradient, options)
  }

  override func run() {
    unsafe d3k_broadcast_backward(
      threads, kind, Int32(operand), Int32(dims.count), dims, x[0], strides[0], x[1], strides[1],
      dy, outputStrides, dx[operand])
  }
}

/// The derivative of a choice by one of the two: where it was chosen.
@safe final class SelectGradientKernel: StridedGradientKernel {
  override func run() {
    unsafe d3k_where_backward(
      threads, operand == 1 ? 1 : 0, Int32(dims.count), dims, x[0], strides[0], dy, outputStrides,
      dx[operand])
  }
}
