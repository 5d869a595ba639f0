import Das3Graph
import Glibc

/// One block of float32 memory, 64-byte aligned: the only allocation of the runtime.
@safe package final class Arena {
  package let elementCount: Int
  private let start: UnsafeMutablePointer<Float>

  /// Allocates; the content starts as zeros.
  package init(elementCount: Int) throws(Das3Error) {
    self.elementCount = max(elementCount, 1)
    let (byteCount, overflow) = self.elementCount.multipliedReportingOverflow(by: 4)
    var block: UnsafeMutableRawPointer?
    guard !overflow, unsafe posix_memalign(&block, 64, byteCount) == 0, let block = unsafe block
    else { throw .memory("\(self.elementCount) × 4 bytes could not be allocated") }
    unsafe memset(block, 0, byteCount)
    unsafe start = block.assumingMemoryBound(to: Float.self)
  }

  deinit { unsafe free(start) }

  /// Element `offset`. Valid as long as the arena.
  func pointer(at offset: Int) -> UnsafeMutablePointer<Float> { unsafe start + offset }

  /// Copies `values` to the front.
  func fill(_ values: [Float], at offset: Int = 0) {
    unsafe values.withUnsafeBufferPointer { source in
      if let base = source.baseAddress, source.count > 0 {
        unsafe (start + offset).update(from: base, count: source.count)
      }
    }
  }
}

