// One picture on its way from a file to the network.

/// A frame as red, green and blue bytes; the memory is kept from one frame to the next.
struct Frame {
  /// What results are called after: the file's name without its ending, or the number in a video.
  var stem = ""
  /// The file's name, or the number in a video.
  var name = ""
  private(set) var size = PixelSize(width: 0, height: 0)
  /// Height × width × 3 bytes without padding between rows, then `spareBytes`.
  var pixels: [UInt8] = []

  /// swscale may write a few bytes behind the last row.
  static let spareBytes = 64

  var strideBytes: Int { size.width * 3 }

  /// Makes room for `newSize`; does nothing while the size stays.
  mutating func resize(to newSize: PixelSize) {
    guard newSize != size else { return }
    size = newSize
    pixels = [UInt8](repeating: 0, count: newSize.pixelCount * 3 + Self.spareBytes)
  }
}

/// Frames per second as a fraction.
struct FrameRate: Equatable {
  let numerator: Int32
  let denominator: Int32

  static let standard = FrameRate(numerator: 25, denominator: 1)
}
