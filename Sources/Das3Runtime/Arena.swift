import Das3Graph
import Glibc

/// One block of float32 memory, 64-byte aligned: the only allocation of the runtime.
@safe package final class Arena {
  package let elementCount: Int
  private let start: UnsafeMutablePointer<Float>

  /// Allocates memory that is filled with zeros.
  ///
  /// A page takes no physical memory before it is first used.
  package init(elementCount: Int) throws(Das3Error) {
    self.elementCount = max(elementCount, 1)
    let (byteCount, overflow) = self.elementCount.multipliedReportingOverflow(by: 4)
    let block =
      unsafe overflow
      ? MAP_FAILED
      : mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let block = unsafe block, unsafe block != MAP_FAILED else {
      throw .memory("\(self.elementCount) × 4 bytes could not be allocated")
    }
    // Large pages are faster, because a plan uses all of its memory once for each frame.
    unsafe madvise(block, byteCount, MADV_HUGEPAGE)
    unsafe start = block.assumingMemoryBound(to: Float.self)
  }

  deinit { unsafe munmap(start, 4 * elementCount) }

  /// Takes the physical memory of all pages now, and not when each is first used; the content stays.
  ///
  /// Where the system cannot do that, pages are taken as they are used.
  package func populate() { unsafe madvise(start, 4 * elementCount, Self.populateWrite) }

  /// `MADV_POPULATE_WRITE` of Linux 5.14 and later, which older headers lack.
  private static let populateWrite: Int32 = 23

  /// Refuses more bytes than a limit, where there is one (0 = none).
  static func check(_ byteCount: Int, against limit: UInt64) throws(Das3Error) {
    guard limit == 0 || UInt64(byteCount) <= limit else {
      throw .memory("\(byteCount) bytes are needed; the memory limit is \(limit)")
    }
  }

  /// The address of element `offset`, which is valid as long as the arena.
  package func pointer(at offset: Int) -> UnsafeMutablePointer<Float> { unsafe start + offset }

  /// Copies `values` into the arena, which must have room for them.
  package func fill(_ values: [Float], at offset: Int = 0) {
    unsafe values.withUnsafeBufferPointer { source in
      if let base = source.baseAddress, source.count > 0 {
        unsafe (start + offset).update(from: base, count: source.count)
      }
    }
  }

  /// Copies as many elements as it has.
  package func copy(from source: UnsafePointer<Float>) {
    unsafe start.update(from: source, count: elementCount)
  }

  /// Fills the arena with zeros.
  package func clear() { unsafe start.update(repeating: 0, count: elementCount) }

  /// A copy of the content.
  package var values: [Float] {
    unsafe Array(UnsafeBufferPointer(start: start, count: elementCount))
  }
}
