/// A regular file that is read piece by piece.
@safe package final class ReadFile {
  package let byteCount: Int
  /// The offset of the next piece.
  package var position = 0
  private let file: OpenFile
  private let name: String

  /// - Throws: `.io` where the file cannot be read, `.limit` where it is larger than
  ///   `maximumBytes`.
  package init(_ path: String, maximumBytes: UInt64) throws(Das3Error) {
    name = path.shown
    file = try OpenFile.regular(path, name: name)
    byteCount = file.status.map { Int($0.st_size) } ?? 0
    guard UInt64(byteCount) <= maximumBytes else {
      throw .limit("\(name) has \(byteCount) bytes, the limit is \(maximumBytes)")
    }
  }

  func next(_ bytes: UnsafeMutableRawBufferPointer) throws(Das3Error) {
    try unsafe file.read(bytes, at: position, name: name)
    position += bytes.count
  }

  /// Reads the next `count` values in the byte order of memory, little endian.
  ///
  /// - Throws: `.io` where the file ends before.
  package func next<Element: BitwiseCopyable & ExpressibleByIntegerLiteral>(_ count: Int)
    throws(Das3Error) -> [Element]
  {
    var values = [Element](repeating: 0, count: count)
    var span = values.mutableSpan
    var bytes = unsafe span.mutableBytes
    try unsafe bytes.withUnsafeMutableBytes { bytes throws(Das3Error) in try unsafe next(bytes) }
    return values
  }

  /// The SHA-256 of the bytes from the start of the file to `end`, where the next piece begins
  /// then.
  ///
  /// - Returns: 32 bytes.
  package func digest(upTo end: Int) throws(Das3Error) -> [UInt8] {
    var digest = Digest()
    position = 0
    while position < end { digest.add(.bytes(try next(min(end - position, 1 << 16)))) }
    return digest.finished()
  }
}
