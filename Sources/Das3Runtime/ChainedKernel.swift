internal import CKernels
import Das3Graph

/// A kernel with one running input that ends in a chain of element-wise stages: y = chain(f(x)).
@safe class ChainedKernel: StepKernel {
  private let chain: Chain

  init(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error) {
    chain = try Chain(step.chain, plan)
    super.init(step, options)
  }

  override var preparedByteCount: Int { chain.preparedByteCount }
  override var isPreparedPerRun: Bool { chain.isDynamic }

  override func prepare(_ memory: borrowing Memory) {
    unsafe chain.prepare(memory, memory.prepared(self))
  }

  override final func run(_ memory: borrowing Memory) {
    var kernelChain = unsafe chain.resolved(memory, memory.prepared(self))
    unsafe run(memory, &kernelChain)
  }

  /// Computes y, the chain included.
  func run(_ memory: borrowing Memory, _ chain: UnsafePointer<d3k_chain>) {}
}
