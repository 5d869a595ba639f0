internal import CKernels
import Das3Graph

/// A kernel with one running input that ends in a chain of element-wise stages: y = chain(f(x)).
@safe class ChainedKernel: Kernel {
  let step: Plan.Step
  let threads: Int32
  private var chain: Chain
  private(set) var x: UnsafePointer<Float>?
  private(set) var y: UnsafeMutablePointer<Float>?

  init(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error) {
    self.step = step
    threads = Int32(options.threads)
    chain = try Chain(step.chain, plan)
  }

  override var preparedByteCount: Int { chain.preparedByteCount }

  override func bind(_ memory: borrowing Memory, prepared: UnsafeMutableRawPointer) {
    unsafe x = UnsafePointer(memory.pointer(step.inputs[0]))
    unsafe y = memory.pointer(step.output)
    unsafe chain.bind(memory, prepared: prepared)
  }

  override func prepare() { chain.prepare() }

  override final func run() {
    if chain.isDynamic { chain.prepare() }
    var kernelChain = chain.kernelChain
    unsafe run(&kernelChain)
  }

  /// Computes y, the chain included.
  func run(_ chain: UnsafePointer<d3k_chain>) {}
}
