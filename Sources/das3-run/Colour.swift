// Three bytes that are drawn as one pixel.

struct Colour: Equatable {
  var red: UInt8
  var green: UInt8
  var blue: UInt8

  var hexadecimal: String {
    "#"
      + [red, green, blue].map { byte in
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
      }.joined()
  }

  /// The colour halfway to `other`.
  func mixed(with other: Colour) -> Colour {
    Colour(
      red: UInt8((Int(red) + Int(other.red) + 1) / 2),
      green: UInt8((Int(green) + Int(other.green) + 1) / 2),
      blue: UInt8((Int(blue) + Int(other.blue) + 1) / 2))
  }
}
