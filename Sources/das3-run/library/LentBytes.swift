// Bytes in, a pointer that stays valid until the next bytes come out, for callbacks that lend it.

/// One block of memory, which grows as needed.
@safe
final class LentBytes {
  private var block = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)

  /// Enough for numbers of any type.
  private static let alignment = 64

  deinit {
    unsafe block.deallocate()
  }

  /// Copies `bytes`; earlier pointers become invalid.
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
