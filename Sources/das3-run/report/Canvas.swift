// Colours, and rectangles and text drawn into a frame.
import Foundation

/// Three bytes that are drawn as one pixel.
struct Colour: Equatable {
  var red: UInt8
  var green: UInt8
  var blue: UInt8

  /// Behind legends and captions.
  static let background = Colour(red: 22, green: 24, blue: 29)
  /// Colours of text, from important to unimportant.
  static let bright = Colour(red: 236, green: 238, blue: 242)
  static let quiet = Colour(red: 146, green: 151, blue: 162)
  static let dim = Colour(red: 84, green: 88, blue: 97)

  /// As 0xRRGGBB.
  var number: UInt32 { UInt32(red) << 16 | UInt32(green) << 8 | UInt32(blue) }

  var hexadecimal: String { String(format: "#%02x%02x%02x", red, green, blue) }

  /// The colour halfway to `other`.
  func mixed(with other: Colour) -> Colour {
    Colour(
      red: UInt8((Int(red) + Int(other.red) + 1) / 2),
      green: UInt8((Int(green) + Int(other.green) + 1) / 2),
      blue: UInt8((Int(blue) + Int(other.blue) + 1) / 2))
  }
}

/// Drawing; what lies outside the frame is cut off.
extension Frame {
  mutating func fill(x: Int, y: Int, width: Int, height: Int, with colour: Colour) {
    for row in max(0, y)..<max(0, y, min(size.height, y + height)) {
      for column in max(0, x)..<max(0, x, min(size.width, x + width)) {
        self[row * size.width + column] = colour
      }
    }
  }

  /// Draws `text` with its upper left corner at `x`, `y`, each pixel of the font `scale` wide.
  mutating func draw(_ text: String, x: Int, y: Int, scale: Int, colour: Colour) {
    for (position, character) in text.enumerated() {
      BitmapFont.pixels(of: character) { column, row in
        fill(
          x: x + (position * BitmapFont.advance + column) * scale, y: y + row * scale,
          width: scale, height: scale, with: colour)
      }
    }
  }
}
