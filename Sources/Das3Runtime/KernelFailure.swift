internal import CKernels
import Das3Graph

/// Failures of the kernels that this thread has called; kernels have no other way to report them.
package enum KernelFailure {
  /// - Throws: `.memory` or `.internal` where one of them failed since the last call.
  package static func check() throws(Das3Error) {
    switch d3k_take_failure() {
    case 0: return
    case Int32(D3K_FAILED_MEMORY.rawValue): throw .memory("oneDNN could not allocate memory")
    default: throw Das3Error(.internal, "oneDNN could not compute a convolution or product")
    }
  }

  /// Discards the failures of earlier calls.
  package static func clear() { _ = d3k_take_failure() }
}
