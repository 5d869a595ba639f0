internal import CKernels
import Das3Graph

/// How steps are computed: what a user may choose.
package struct ExecutionOptions: Sendable, Equatable {
  package enum Backend: Sendable { case oneDNN, openBLAS }

  package var threads: Int
  package var backend: Backend
  package var usesBFloat16: Bool

  /// The best backend that was built in.
  package static var bestBackend: Backend {
    d3k_has_backend(Int32(D3K_BACKEND_ONEDNN.rawValue)) != 0 ? .oneDNN : .openBLAS
  }

  /// Whether this CPU multiplies bfloat16.
  package static var supportsBFloat16: Bool { d3k_has_bf16() != 0 }

  package static var processorCount: Int { Int(d3k_processor_count()) }

  package init(threads: Int, backend: Backend = Self.bestBackend, usesBFloat16: Bool = false) {
    self.threads = threads
    self.backend = backend
    self.usesBFloat16 = usesBFloat16
  }

  var kernelBackend: Int32 {
    switch backend {
    case .oneDNN: Int32(D3K_BACKEND_ONEDNN.rawValue)
    case .openBLAS: Int32(D3K_BACKEND_OPENBLAS.rawValue)
    }
  }
}

/// One step of a plan, ready to run: a kernel's arguments with every pointer resolved.
///
/// Made in three moves, so that nothing is resolved or allocated per frame: `init` chooses the
/// implementation and says what memory it wants, `bind` gives it, `prepare` follows new weights.
class Kernel {
  /// Bytes that hold what is made from weights: packed matrices, folded normalisation.
  var preparedByteCount: Int { 0 }
  /// Bytes needed only while it runs; all kernels of a plan share them.
  var scratchByteCount: Int { 0 }

  func bind(_ memory: borrowing Memory, prepared: UnsafeMutableRawPointer) {}
  func prepare() {}
  func run() {}
}

/// Where the regions of a plan lie.
@safe struct Memory {
  let plan: Plan
  let frame: Arena
  let model: Arena
  let parameters: Arena
  let scratch: Arena

  func pointer(_ view: Plan.View) -> UnsafeMutablePointer<Float> {
    let buffer = plan.buffers[view.buffer]
    let arena =
      switch buffer.region {
      case .frame: frame
      case .model: model
      case .parameter: parameters
      }
    return unsafe arena.pointer(at: buffer.offset + view.offset)
  }

  var scratchPointer: UnsafeMutableRawPointer {
    unsafe UnsafeMutableRawPointer(scratch.pointer(at: 0))
  }
}

extension Plan.Step {
  /// The kernel that computes the step.
  func kernel(_ plan: Plan, _ options: ExecutionOptions) throws(Das3Error) -> Kernel {
    switch work {
    case .copy: return CopyKernel(self, options)
    case .elementwise: return try ElementwiseKernel(self, plan, options)
    case .operation(let operation):
      switch operation {
      case .conv(let conv): return try ConvKernel(self, plan, conv, options)
      case .convTranspose(let conv): return try ConvKernel(self, plan, conv, options)
      case .groupNorm(let norm): return GroupNormKernel(self, norm, options)
      case .layerNorm(let norm): return LayerNormKernel(self, norm, options)
      case .binary(let binary): return BroadcastKernel(self, binary, options)
      case .select: return SelectKernel(self, options)
      case .maxPool(let pool): return try PoolKernel(self, plan, pool, options)
      case .averagePool(let pool): return try PoolKernel(self, plan, pool, options)
      case .reduce(let reduce): return ReduceKernel(self, reduce, options)
      case .argMax(let argMax): return ArgMaxKernel(self, argMax, options)
      case .softmax(let softmax): return SoftmaxKernel(self, softmax, options)
      case .resize(let resize): return try ResizeKernel(self, plan, resize, options)
      case .index(let index): return IndexKernel(self, index, options)
      case .matMul(let product): return try MatMulKernel(self, plan, product, options)
      case .batchNorm, .unary, .concat, .slice, .transpose, .reshape, .expand:
        throw Das3Error(.internal, "\(name) was planned as a step of its own")
      }
    }
  }
}
