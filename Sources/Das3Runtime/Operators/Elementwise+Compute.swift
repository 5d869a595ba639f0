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
  /// With the strides of the inputs.
  final var walk: d3k_walk

  override init(_ step: Plan.Step, _ options: ExecutionOptions) {
    let order = Planner.completed(step.output.memoryOrder, rank: step.output.shape.rank)
    walk = d3k_walk(step.output.shape, order: order, strides: step.inputs.map(\.strides))
    super.init(step, options)
  }
}

extension d3k_walk {
  /// - Parameters:
  ///   - shape: of the result.
  ///   - order: its axes, outermost first.
  ///   - strides: along the axes of `shape`, of up to three arrays; empty for one that is not read.
  init(_ shape: Shape, order: [Int], strides: [[Int]]) {
    self.init()
    rank = Int32(order.count)
    unsafe withUnsafeMutableBytes(of: &dims) {
      let dims = unsafe $0.assumingMemoryBound(to: Int64.self)
      for (k, axis) in order.enumerated() { unsafe dims[k] = Int64(shape[axis]) }
    }
    unsafe withUnsafeMutableBytes(of: &self.strides) {
      let all = unsafe $0.assumingMemoryBound(to: Int64.self)
      for (array, own) in strides.prefix(3).enumerated() where !own.isEmpty {
        for (k, axis) in order.enumerated() {
          unsafe all[array * Int(D3K_MAX_RANK) + k] = Int64(own[axis])
        }
      }
    }
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
    unsafe d3k_broadcast(threads, kind, &walk, x(memory), x(memory, 1), y(memory))
  }
}

/// y = condition ? a : b with broadcasting.
@safe final class SelectKernel: StridedKernel {
  override func run(_ memory: borrowing Memory) {
    unsafe d3k_where(threads, &walk, x(memory), x(memory, 1), x(memory, 2), y(memory))
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
    unsafe withUnsafePointer(to: &kernelChain) { kernelChain in
      unsafe withUnsafePointer(to: &targets) { targets in
        var pass = unsafe d3k_chain_pass(
          chain: kernelChain, gradients: targets, x: x(memory), y: y(memory), dy: dy(memory),
          dx: dx(memory), x_stride: Int64(inputRows.stride), y_stride: stride, dy_stride: stride,
          dx_stride: Int64(gradient.inputs[0]?.view.rows?.stride ?? 0), rows: Int64(rows.count),
          channels: Int64(rows.channels), accumulates: accumulates, scratch: memory.scratchPointer)
        unsafe d3k_chain_backward(threads, &pass)
      }
    }
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
      threads, kind, Int32(operand), &walk, x(memory), x(memory, 1), dy(memory),
      dx(memory, operand))
  }
}

/// The derivative of a selection by one of the two values: dy where this value was selected, else
/// 0.
@safe final class SelectGradientKernel: StridedGradientKernel {
  override func run(_ memory: borrowing Memory) {
    unsafe d3k_where_backward(
      threads, operand == 1 ? 1 : 0, &walk, x(memory), dy(memory), dx(memory, operand))
  }
}
