// Bytes that stay where they are until the next ones come, for callbacks that lend them.

/// One block of memory; it only grows.
@safe
final class LentBytes {
  private var block = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)

  /// Of any number that is lent.
  private static let alignment = 64

  deinit {
    unsafe block.deallocate()
  }

  /// Copies `bytes`; what was lent before is gone.
  func fill(_ bytes: some Collection<UInt8>) {
    if unsafe block.count < bytes.count {
      unsafe block.deallocate()
      unsafe block = .allocate(byteCount: bytes.count, alignment: Self.alignment)
    }
    unsafe block.copyBytes(from: bytes)
  }

  func pointer<Value>(to type: Value.Type) -> UnsafePointer<Value>? {
    unsafe UnsafeRawPointer(block.baseAddress)?.assumingMemoryBound(to: type)
  }
}
