internal import CKernels
import Das3Graph

/// Largest or mean value under a window, NHWC, with the chain at the end.
@safe final class PoolKernel: ChainedKernel {
  private enum Kind { case max, average(countsPadding: Bool, pads: [Int32]) }

  private let kind: Kind
  private var window: d3k_window

  convenience init(
    _ step: Plan.Step, _ plan: Plan, _ pool: MaxPool, _ options: ExecutionOptions
  ) throws(Das3Error) {
    try self.init(step, plan, .max, pool.window, options)
  }

  convenience init(
    _ step: Plan.Step, _ plan: Plan, _ pool: AveragePool, _ options: ExecutionOptions
  ) throws(Das3Error) {
    let w = pool.window
    let pads = [w.padTop, w.padLeft, w.padBottom, w.padRight].map(Int32.init)
    try self.init(
      step, plan, .average(countsPadding: pool.countsPadding, pads: pads), w, options)
  }

  private init(
    _ step: Plan.Step, _ plan: Plan, _ kind: Kind, _ window: Window, _ options: ExecutionOptions
  ) throws(Das3Error) {
    self.kind = kind
    self.window = d3k_window(step.inputs[0], step.output, window, groups: 1)
    try super.init(step, plan, options)
  }

  override func run(_ chain: UnsafePointer<d3k_chain>) {
    switch kind {
    case .max: unsafe d3k_max_pool(threads, &window, chain, x, y)
    case .average(let countsPadding, let pads):
      unsafe d3k_average_pool(threads, &window, countsPadding ? 1 : 0, pads, chain, x, y)
    }
  }
}
