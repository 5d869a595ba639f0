internal import CKernels
import Das3Graph

extension MatMul: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    try MatMulKernel(step, plan, self, options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    throw .noKernel(gradient.step.name)
  }
}

/// y = chain(scale · a·b) over the last two dimensions, with broadcasting of the others.
///
/// The operands may have any strides.
@safe final class MatMulKernel: StepKernel {
  private let matmul: OpaquePointer
  private let packsB: Bool
  private let chain: Chain

  init(
    _ step: Plan.Step, _ plan: Plan, _ product: MatMul, _ options: ExecutionOptions
  ) throws(Das3Error) {
    chain = try Chain(step.chain, plan)
    packsB =
      !options.packsPerRun && plan.isStatic(step.inputs[1]) && !step.isStatic && !chain.isDynamic
    let rank = step.output.shape.rank
    let batch = Shape(Array(step.output.shape.dims.dropLast(2)))
    let views = step.inputs.map { view in
      view.expanded(
        to: Shape(batch.dims + view.shape.dims.suffix(2)))
    }
    var request = d3k_matmul_options()
    request.batch_rank = Int32(batch.rank)
    request.backend = options.kernelBackend
    request.precision = options.kernelPrecision
    request.threads = Int32(options.threads)
    request.rows = Int64(step.output.shape[rank - 2])
    request.columns = Int64(step.output.shape[rank - 1])
    request.inner = Int64(views[0].shape[rank - 1])
    request.a_row_stride = Int64(views[0].strides[rank - 2])
    request.a_column_stride = Int64(views[0].strides[rank - 1])
    request.b_row_stride = Int64(views[1].strides[rank - 2])
    request.b_column_stride = Int64(views[1].strides[rank - 1])
    Self.store(batch.dims, in: &request.batch)
    Self.store(Array(views[0].strides.dropLast(2)), in: &request.a_batch_strides)
    Self.store(Array(views[1].strides.dropLast(2)), in: &request.b_batch_strides)
    request.alpha = product.scale
    request.constant_b = packsB ? 1 : 0
    request.chain = chain.kernelChain
    guard let matmul = unsafe d3k_matmul_create(&request) else {
      throw .memory("the matrix product could not be set up")
    }
    unsafe self.matmul = matmul
    super.init(step, options)
  }

  deinit { unsafe d3k_matmul_free(matmul) }

  private static func store<T>(_ values: [Int], in tuple: inout T) {
    unsafe withUnsafeMutableBytes(of: &tuple) { bytes in
      for (index, value) in values.enumerated() {
        unsafe bytes.storeBytes(of: Int64(value), toByteOffset: 8 * index, as: Int64.self)
      }
    }
  }

  private var packedByteCount: Int {
    4 * Plan.aligned((unsafe d3k_matmul_packed_bytes(matmul) + 3) / 4)
  }
  override var preparedByteCount: Int { packedByteCount + chain.preparedByteCount }
  override var isPreparedPerRun: Bool { chain.isDynamic }
  override var scratchByteCount: Int { unsafe d3k_matmul_scratch_bytes(matmul) }
  override var implementation: String { unsafe String(cString: d3k_matmul_name(matmul)) }

  override func prepare(_ memory: borrowing Memory) {
    let packed = unsafe memory.prepared(self)
    unsafe chain.prepare(memory, packed + packedByteCount)
    if packsB {
      unsafe d3k_matmul_pack(matmul, x(memory, 1), packed)
    }
  }

  override func run(_ memory: borrowing Memory) {
    let packed = unsafe memory.prepared(self)
    var kernelChain = unsafe chain.resolved(memory, packed + packedByteCount)
    let right =
      unsafe packsB
      ? UnsafePointer(packed.assumingMemoryBound(to: Float.self)) : x(memory, 1)
    unsafe d3k_matmul_run(
      matmul, x(memory), right, &kernelChain, y(memory), memory.scratchPointer)
  }
}
