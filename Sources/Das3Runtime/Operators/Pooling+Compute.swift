internal import CKernels
import Das3Graph

/// Largest or mean value under a window, NHWC, with the chain at the end.
@safe final class PoolKernel: Kernel {
  private enum Kind { case max, average(countsPadding: Bool, pads: [Int32]) }

  private let step: Plan.Step
  private let kind: Kind
  private let threads: Int32
  private var window: d3k_window
  private var chain: Chain
  private var x: UnsafePointer<Float>?
  private var y: UnsafeMutablePointer<Float>?

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
    self.step = step
    self.kind = kind
    threads = Int32(options.threads)
    self.window = d3k_window(step.inputs[0], step.output, window, groups: 1)
    chain = try Chain(step.chain, plan)
  }

  override var preparedByteCount: Int { chain.preparedByteCount }

  override func bind(_ memory: borrowing Memory, prepared: UnsafeMutableRawPointer) {
    unsafe x = UnsafePointer(memory.pointer(step.inputs[0]))
    unsafe y = memory.pointer(step.output)
    unsafe chain.bind(memory, prepared: prepared)
  }

  override func prepare() { chain.prepare() }

  override func run() {
    if chain.isDynamic { chain.prepare() }
    var kernelChain = chain.kernelChain
    switch kind {
    case .max: unsafe d3k_max_pool(threads, &window, &kernelChain, x, y)
    case .average(let countsPadding, let pads):
      unsafe d3k_average_pool(threads, &window, countsPadding ? 1 : 0, pads, &kernelChain, x, y)
    }
  }
}
