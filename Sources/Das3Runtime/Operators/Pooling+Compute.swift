internal import CKernels
import Das3Graph

extension MaxPool: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    try PoolKernel(step, plan, Pooling(self), options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    PoolGradientKernel(gradient, Pooling(self), options)
  }
}

extension AveragePool: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    try PoolKernel(step, plan, Pooling(self), options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    PoolGradientKernel(gradient, Pooling(self), options)
  }
}

/// What pooling takes of the cells under a window.
struct Pooling {
  enum Kind { case max, average(countsPadding: Bool, pads: [Int32]) }

  let kind: Kind
  let window: Window

  init(_ pool: MaxPool) { (kind, window) = (.max, pool.window) }

  init(_ pool: AveragePool) {
    let w = pool.window
    let pads = [w.padTop, w.padLeft, w.padBottom, w.padRight].map(Int32.init)
    (kind, window) = (.average(countsPadding: pool.countsPadding, pads: pads), w)
  }
}

/// Largest or mean value under a window, NHWC, with the chain at the end.
@safe final class PoolKernel: ChainedKernel {
  private let kind: Pooling.Kind
  private var window: d3k_window

  init(
    _ step: Plan.Step, _ plan: Plan, _ pooling: Pooling, _ options: ExecutionOptions
  ) throws(Das3Error) {
    kind = pooling.kind
    window = d3k_window(step.inputs[0], step.output, pooling.window, groups: 1)
    try super.init(step, plan, options)
  }

  override func run(_ memory: borrowing Memory, _ chain: UnsafePointer<d3k_chain>) {
    let (x, y) = unsafe (x(memory), y(memory))
    switch kind {
    case .max: unsafe d3k_max_pool(threads, &window, chain, x, y)
    case .average(let countsPadding, let pads):
      unsafe d3k_average_pool(threads, &window, countsPadding ? 1 : 0, pads, chain, x, y)
    }
  }
}

/// The derivative of pooling.
///
/// The first maximum of a window gets all of dy; in a mean each cell gets an equal share.
@safe final class PoolGradientKernel: GradientKernel {
  private let kind: Pooling.Kind
  private var window: d3k_window

  init(_ gradient: Plan.Gradient, _ pooling: Pooling, _ options: ExecutionOptions) {
    kind = pooling.kind
    window = d3k_window(
      gradient.step.inputs[0], gradient.outputGradient, pooling.window, groups: 1)
    super.init(gradient, options)
  }

  override func run(_ memory: borrowing Memory) {
    let (dy, dx) = unsafe (dy(memory), dx(memory))
    switch kind {
    case .max: unsafe d3k_max_pool_backward(threads, &window, x(memory), dy, dx, accumulates)
    case .average(let countsPadding, let pads):
      unsafe d3k_average_pool_backward(
        threads, &window, countsPadding ? 1 : 0, pads, dy, dx, accumulates)
    }
  }
}
