/// Float32 values as text: their bytes, little endian, in Base64 (RFC 4648).
enum Base64 {
  private static let digits = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let padding = UInt8(ascii: "=")

  static func text(of values: [Float]) -> String {
    let bytes = values.flatMap { value in
      (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt32($0))) }
    }
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let bits = group.enumerated().reduce(0) { $0 | Int($1.element) << (16 - 8 * $1.offset) }
      for place in 0..<4 {
        text.append(place <= group.count ? digits[bits >> (18 - 6 * place) & 63] : padding)
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// nil where the text is not that of whole values.
  static func values(of text: String) -> [Float]? {
    var places = [UInt32?](repeating: nil, count: 256)
    for (place, digit) in digits.enumerated() { places[Int(digit)] = UInt32(place) }
    let characters = Array(text.utf8)
    guard characters.count.isMultiple(of: 4) else { return nil }
    let end = characters.lastIndex { $0 != padding }.map { $0 + 1 } ?? 0
    guard characters.count - end <= 2 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(end * 3 / 4)
    var (bits, count): (UInt32, UInt32) = (0, 0)
    for character in characters[..<end] {
      guard let place = places[Int(character)] else { return nil }
      (bits, count) = (bits << 6 | place, count + 6)
      guard count >= 8 else { continue }
      count -= 8
      bytes.append(UInt8(truncatingIfNeeded: bits >> count))
    }
    guard bytes.count.isMultiple(of: 4) else { return nil }
    return stride(from: 0, to: bytes.count, by: 4).map { start in
      Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * UInt32($1)) })
    }
  }
}
