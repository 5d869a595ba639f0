internal import CDigest

/// The SHA-256 (FIPS 180-4) of bytes that are added in pieces.
@safe package struct Digest {
  private var hash = d3f_sha256_begin()

  package init() {}

  package mutating func add(_ bytes: UnsafeRawBufferPointer) {
    unsafe d3f_sha256_put(&hash, bytes.baseAddress, bytes.count)
  }

  mutating func add(_ part: WholeFile.Part) {
    unsafe part.lend { unsafe add($0) }
  }

  /// The hash, 32 bytes.
  package consuming func finished() -> [UInt8] {
    var result = [UInt8](repeating: 0, count: 32)
    var hash = hash
    unsafe result.withUnsafeMutableBufferPointer { unsafe d3f_sha256_end(&hash, $0.baseAddress) }
    return result
  }
}
