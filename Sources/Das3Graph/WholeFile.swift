internal import COnnx

/// Files of our own, written whole or not at all, and what tells a damaged one.
package enum WholeFile {
  /// A piece of a file.
  package enum Part: Sendable {
    case bytes([UInt8])
    /// Little endian, as they lie in memory.
    case floats([Float])

    package var byteCount: Int {
      switch self {
      case .bytes(let values): values.count
      case .floats(let values): values.count * MemoryLayout<Float>.stride
      }
    }
  }

  /// Writes the parts, one after the other, and waits until they are on disk; what was there stays
  /// until then.
  ///
  /// - Throws: `.io` naming path and reason.
  package static func write(_ parts: [Part], to path: String) throws(Das3Error) {
    try unsafe lend(parts) { parts throws(Das3Error) in
      try unsafe OnnxImport.call {
        unsafe d3o_write_file(path, parts.baseAddress, Int64(parts.count), $0, $1)
      }
    }
  }

  /// Reads a whole file.
  ///
  /// - Throws: `.io` where there is none, `.limit` beyond so many bytes.
  package static func read(_ path: String, maximumBytes: UInt64) throws(Das3Error) -> [UInt8] {
    var bytes: UnsafeMutableRawPointer?
    var size = 0
    try unsafe OnnxImport.call { unsafe d3o_read_file(&bytes, &size, path, maximumBytes, $0, $1) }
    defer { unsafe d3o_free_bytes(bytes) }
    return unsafe Array(UnsafeRawBufferPointer(start: bytes, count: size))
  }

  /// The SHA-256 of the first bytes of a file: 32 bytes.
  package static func digest(_ bytes: [UInt8], count: Int) -> [UInt8] {
    unsafe bytes.withUnsafeBytes {
      unsafe digest(UnsafeRawBufferPointer(rebasing: $0.prefix(count)))
    }
  }

  /// The SHA-256 of bytes: 32 bytes.
  static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: 32)
    var part = unsafe d3o_part(bytes: bytes.baseAddress, size: bytes.count)
    unsafe result.withUnsafeMutableBufferPointer {
      unsafe d3o_sha256(&part, 1, $0.baseAddress)
    }
    return result
  }

  /// The SHA-256 of the parts, one after the other: 32 bytes.
  package static func digest(_ parts: [Part]) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: 32)
    do throws(Das3Error) {
      try unsafe lend(parts) { parts throws(Das3Error) in
        unsafe result.withUnsafeMutableBufferPointer {
          unsafe d3o_sha256(parts.baseAddress, Int64(parts.count), $0.baseAddress)
        }
      }
    } catch {}
    return result
  }

  package static func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }

  /// All parts as the C functions take them.
  private static func lend(
    _ parts: [Part], _ body: (UnsafeBufferPointer<d3o_part>) throws(Das3Error) -> Void
  ) throws(Das3Error) {
    try unsafe lend(parts[...], after: [], body)
  }

  private static func lend(
    _ parts: ArraySlice<Part>, after lent: [d3o_part],
    _ body: (UnsafeBufferPointer<d3o_part>) throws(Das3Error) -> Void
  ) throws(Das3Error) {
    guard let first = parts.first else {
      return try unsafe lent.withUnsafeBufferPointer(body)
    }
    func next(_ bytes: UnsafeRawBufferPointer) throws(Das3Error) {
      let part = unsafe d3o_part(bytes: bytes.baseAddress, size: bytes.count)
      try unsafe lend(parts.dropFirst(), after: lent + [part], body)
    }
    switch first {
    case .bytes(let values): try unsafe values.span.bytes.withUnsafeBytes(next)
    case .floats(let values): try unsafe values.span.bytes.withUnsafeBytes(next)
    }
  }
}
