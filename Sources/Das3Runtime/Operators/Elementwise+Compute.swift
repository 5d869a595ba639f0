internal import CKernels
import Das3Graph

extension Binary: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    BroadcastKernel(step, self, options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    BroadcastGradientKernel(gradient, self, options)
  }
}

extension Select: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    SelectKernel(step, options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    SelectGradientKernel(gradient, options)
  }
}

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

  override func run(_ memory: borrowing Memory, _ chain: UnsafePointer<d3k_chain>) {
    unsafe d3k_chain_run(
      threads, chain, x(memory), Int64(rows.stride), y(memory), outputStride, Int64(rows.count),
      Int64(rows.channels))
  }
}

/// A step on up to three operands with any strides; the result is dense in `order`.
@safe class StridedKernel: StepKernel {
  let dims: [Int64]
  let strides: [[Int64]]

  override init(_ step: Plan.Step, _ options: ExecutionOptions) {
    let rank = step.output.shape.rank
    let order = Planner.completed(step.output.memoryOrder, rank: rank)
    dims = order.map { Int64(step.output.shape[$0]) }
    strides = step.inputs.map { view in order.map { Int64(view.strides[$0]) } }
    super.init(step, options)
  }
}

/// y = f(a, b) with broadcasting.
@safe final class BroadcastKernel: StridedKernel {
  private let kind: Int32

  init(_ step: Plan.Step, _ binary: Binary, _ options: ExecutionOptions) {
    kind = binary.kind.kernelKind(false)
    super.init(step, options)
  }

  override func run(_ memory: borrowing Memory) {
    unsafe d3k_broadcast(
      threads, kind, Int32(dims.count), dims, x(memory), strides[0], x(memory, 1), strides[1],
      y(memory))
  }
}

/// y = condition ? a : b with broadcasting.
@safe final class SelectKernel: StridedKernel {
  override func run(_ memory: borrowing Memory) {
    unsafe d3k_where(
      threads, Int32(dims.count), dims, x(memory), strides[0], x(memory, 1), strides[1],
      x(memory, 2), strides[2], y(memory))
  }
}

/// The derivative of a chain.
///
/// It computes the stages again in the cache, then differentiates them in reverse order, and writes
/// the derivatives by all operands in the same pass.
@safe final class ChainGradientKernel: GradientKernel {
  private let chain: Chain
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
  override var isPreparedPerRun: Bool { chain.isDynamic }
  override var scratchByteCount: Int {
    var kernelChain = chain.kernelChain
    return unsafe d3k_chain_backward_scratch_bytes(
      threads, &kernelChain, Int64(rows.count), Int64(rows.channels))
  }

  override func prepare(_ memory: borrowing Memory) {
    unsafe chain.prepare(memory, memory.prepared(self))
  }

  override func run(_ memory: borrowing Memory) {
    let prepared = unsafe memory.prepared(self)
    var kernelChain = unsafe chain.resolved(memory, prepared)
    var targets = unsafe targets(memory, prepared)
    let stride = Int64(rows.stride)
    let inputStride = Int64(gradient.inputs[0]?.view.rows?.stride ?? 0)
    unsafe d3k_chain_backward(
      threads, &kernelChain, &targets, x(memory), Int64(inputRows.stride), y(memory), stride,
      dy(memory), stride, dx(memory), inputStride, accumulates, Int64(rows.count),
      Int64(rows.channels), memory.scratchPointer)
  }

  private func targets(
    _ memory: borrowing Memory, _ prepared: UnsafeMutableRawPointer
  ) -> d3k_chain_gradient {
    var targets = d3k_chain_gradient()
    unsafe withUnsafeMutablePointer(to: &targets.stages) {
      let entries = unsafe UnsafeMutableRawPointer($0)
        .assumingMemoryBound(to: d3k_stage_gradient.self)
      for (index, stage) in gradient.step.chain.enumerated() {
        let operands = gradient.operands[index]
        if let target = operands.first ?? nil {
          unsafe entries[index].operand = memory.pointer(target.view)
          unsafe entries[index].stride = Int64(target.view.rows?.stride ?? 0)
          unsafe entries[index].accumulates = target.accumulates ? 1 : 0
        }
        guard let fold = unsafe chain.fold(of: index, prepared) else { continue }
        if let shift = operands[1] { unsafe entries[index].operand2 = memory.pointer(shift.view) }
        unsafe entries[index].center = unsafe UnsafePointer(memory.pointer(stage.operands[2]))
        unsafe entries[index].factor = unsafe UnsafePointer(fold.inverseDeviation)
      }
    }
    return targets
  }
}

/// The derivative of y = f(a, b) by one operand, at the size of y.
@safe final class BroadcastGradientKernel: StridedGradientKernel {
  private let kind: Int32

  init(_ gradient: Plan.Gradient, _ binary: Binary, _ options: ExecutionOptions) {
    kind = binary.kind.kernelKind(false)
    super.init(gradient, options)
  }

  override func run(_ memory: borrowing Memory) {
    unsafe d3k_broadcast_backward(
      threads, kind, Int32(operand), Int32(dims.count), dims, x(memory), strides[0], x(memory, 1),
      strides[1], dy(memory), outputStrides, dx(memory, operand))
  }
}

/// The derivative of a selection by one of the two values: dy where this value was selected, else
/// 0.
@safe final class SelectGradientKernel: StridedGradientKernel {
  override func run(_ memory: borrowing Memory) {
    unsafe d3k_where_backward(
      threads, operand == 1 ? 1 : 0, Int32(dims.count), dims, x(memory), strides[0], dy(memory),
      outputStrides, dx(memory, operand))
  }
}
