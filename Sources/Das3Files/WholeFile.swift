import Glibc

/// Functions that write, hash or look for whole files.
package enum WholeFile {
  /// A piece of a file.
  package enum Part: Sendable {
    case bytes([UInt8])
    /// Values in the byte order of memory, little endian.
    case floats([Float])

    package var byteCount: Int {
      switch self {
      case .bytes(let values): values.count
      case .floats(let values): values.count * MemoryLayout<Float>.stride
      }
    }

    /// Lends the bytes of the part to `body`.
    func lend<Failure>(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
      switch self {
      case .bytes(let values): try unsafe values.span.bytes.withUnsafeBytes(body)
      case .floats(let values): try unsafe values.span.bytes.withUnsafeBytes(body)
      }
    }
  }

  /// Writes the parts one after the other and waits until they are on disk.
  ///
  /// An old file stays until then.
  ///
  /// - Throws: `.io` naming path and reason.
  package static func write(_ parts: [Part], to path: String) throws(Das3Error) {
    let file = try AtomicFile(path, byteCount: UInt64(parts.reduce(0) { $0 + $1.byteCount }))
    for part in parts {
      try unsafe part.lend { (bytes) throws(Das3Error) in try unsafe file.write(bytes) }
    }
    try file.commit()
  }

  /// The SHA-256 of the parts one after the other, 32 bytes.
  package static func digest(_ parts: [Part]) -> [UInt8] {
    var digest = Digest()
    for part in parts { digest.add(part) }
    return digest.finished()
  }

  package static func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }

  /// Whether a file of this name exists, also where it cannot be read.
  package static func exists(_ path: String) -> Bool {
    var status = stat()
    // All errors but "does not exist" count as existing: opening the file will report them.
    return unsafe lstat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR)
  }
}
