// One picture on its way from a file to the network.
import CFFmpeg

/// A frame as red, green and blue bytes; the memory is kept from one frame to the next.
struct Frame {
  /// The stem of the names of results: the file's name without its ending, or the number in a video.
  var stem = ""
  /// The file's name, or the number in a video.
  var name = ""
  /// Time since the first picture of a video, in units of its time base; 0 for images.
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

  /// Turns the stored pixels the way they are shown.
  mutating func turn(_ turn: Orientation) {
    pixels = turn.turned(pixels, size: size, elementsPerPixel: 3)
    size = turn.shownSize(of: size)
  }

  /// The colour of pixel `index`, counted row by row.
  subscript(index: Int) -> Colour {
    get {
      Colour(red: pixels[3 * index], green: pixels[3 * index + 1], blue: pixels[3 * index + 2])
    }
    set {
      pixels[3 * index] = newValue.red
      pixels[3 * index + 1] = newValue.green
      pixels[3 * index + 2] = newValue.blue
    }
  }
}

/// When the frames of a video are shown, and how wide its pixels are.
struct VideoTiming {
  /// Frames per second, on average.
  var rate = AVRational(num: 25, den: 1)
  /// Seconds in one unit of time.
  var base = AVRational(num: 1, den: 25)
  /// The width of a pixel divided by its height.
  var pixelAspect = AVRational(num: 1, den: 1)
}

extension AVRational {
  var value: Double { av_q2d(self) }
  var isPositive: Bool { num > 0 && den > 0 }
}
