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
