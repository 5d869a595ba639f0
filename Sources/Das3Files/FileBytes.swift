import Glibc

/// All bytes of a regular file.
@safe package final class FileBytes {
  private let start: UnsafeMutableRawPointer
  private let count: Int

  /// - Throws: `.io` where the file cannot be read, `.limit` where it is larger than
  ///   `maximumBytes`.
  package init(_ path: String, maximumBytes: UInt64) throws(Das3Error) {
    let file = try ReadFile(path, maximumBytes: maximumBytes)
    count = file.byteCount
    guard let start = unsafe malloc(max(count, 1)) else {
      throw .memory("\(count) bytes for \(path.shown) could not be allocated")
    }
    unsafe self.start = start
    try unsafe file.next(UnsafeMutableRawBufferPointer(start: start, count: count))
  }

  deinit { unsafe free(start) }

  package var bytes: UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(start: start, count: count)
  }

  package var text: String { unsafe String(decoding: bytes, as: UTF8.self) }
}
