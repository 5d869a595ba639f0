// Three bytes that are drawn as one pixel.
import Foundation

struct Colour: Equatable {
  var red: UInt8
  var green: UInt8
  var blue: UInt8

  /// Behind legends and captions.
  static let background = Colour(red: 22, green: 24, blue: 29)
  /// Of text, from what matters to what does not.
  static let bright = Colour(red: 236, green: 238, blue: 242)
  static let quiet = Colour(red: 146, green: 151, blue: 162)
  static let dim = Colour(red: 84, green: 88, blue: 97)

  var hexadecimal: String { String(format: "#%02x%02x%02x", red, green, blue) }

  /// The colour halfway to `other`.
  func mixed(with other: Colour) -> Colour {
    Colour(
      red: UInt8((Int(red) + Int(other.red) + 1) / 2),
      green: UInt8((Int(green) + Int(other.green) + 1) / 2),
      blue: UInt8((Int(blue) + Int(other.blue) + 1) / 2))
  }
}
