internal import CKernels
import Das3Graph

extension MaxPool: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    try PoolKernel(step, plan, d3k_pool(self, step.inputs[0], step.output), options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    PoolGradientKernel(
      gradient, d3k_pool(self, gradient.step.inputs[0], gradient.outputGradient), options)
  }
}

extension AveragePool: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    try PoolKernel(step, plan, d3k_pool(self, step.inputs[0], step.output), options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    PoolGradientKernel(
      gradient, d3k_pool(self, gradient.step.inputs[0], gradient.outputGradient), options)
  }
}

extension d3k_pool {
  fileprivate init(_ pool: MaxPool, _ x: Plan.View, _ y: Plan.View) {
    self.init()
    window = d3k_window(x, y, pool.window, groups: 1)
  }

  fileprivate init(_ pool: AveragePool, _ x: Plan.View, _ y: Plan.View) {
    let w = pool.window
    self.init(
      window: d3k_window(x, y, w, groups: 1), is_mean: 1, counts_pads: pool.countsPadding ? 1 : 0,
      pads: (Int32(w.padTop), Int32(w.padLeft), Int32(w.padBottom), Int32(w.padRight)))
  }
}

/// Largest or mean value under a window, NHWC, with the chain at the end.
@safe final class PoolKernel: ChainedKernel {
  private var pool: d3k_pool

  fileprivate init(
    _ step: Plan.Step, _ plan: Plan, _ pool: d3k_pool, _ options: ExecutionOptions
  ) throws(Das3Error) {
    self.pool = pool
    try super.init(step, plan, options)
  }

  override func run(_ memory: borrowing Memory, _ chain: UnsafePointer<d3k_chain>) {
    unsafe d3k_pool_run(threads, &pool, chain, x(memory), y(memory))
  }
}

/// The derivative of pooling.
///
/// The first maximum of a window gets all of dy; in a mean each cell gets an equal share.
@safe final class PoolGradientKernel: GradientKernel {
  private var pool: d3k_pool

  fileprivate init(_ gradient: Plan.Gradient, _ pool: d3k_pool, _ options: ExecutionOptions) {
    self.pool = pool
    super.init(gradient, options)
  }

  override func run(_ memory: borrowing Memory) {
    unsafe d3k_pool_backward(threads, &pool, x(memory), dy(memory), dx(memory), accumulates)
  }
}
