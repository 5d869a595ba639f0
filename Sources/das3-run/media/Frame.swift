// One picture on its way from a file to the network.

/// A frame as red, green and blue bytes; the memory is kept from one frame to the next.
struct Frame {
  /// What results are called after: the file's name without its ending, or the number in a video.
  var stem = ""
  /// The file's name, or the number in a video.
  var name = ""
  /// Of a video: since its first picture, in units of its time base.
  var time: Int64 = 0
  /// Whether parts of it were missing when it was decoded.
  var isDamaged = false
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

/// A ratio of whole numbers, such as frames per second.
struct Fraction: Equatable {
  let numerator: Int32
  let denominator: Int32

  var value: Double { Double(numerator) / Double(denominator) }
}

/// When the frames of a video are shown, and how wide its pixels are.
struct VideoTiming {
  /// Frames per second, on average.
  var rate = Fraction(numerator: 25, denominator: 1)
  /// Seconds in one unit of time.
  var base = Fraction(numerator: 1, denominator: 25)
  /// Width of a pixel by its height.
  var pixelAspect = Fraction(numerator: 1, denominator: 1)
}
