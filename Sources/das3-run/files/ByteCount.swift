// "512M" in, a number of bytes out.
import ArgumentParser

struct ByteCount {
  let bytes: UInt64
}

extension ByteCount {
  private static let units: [(letter: String, factor: Double)] = [
    ("", 1), ("k", 0x1p10), ("m", 0x1p20), ("g", 0x1p30), ("t", 0x1p40),
  ]

  /// Reads the value of a command line option: a number, maybe with K, M, G or T, with or without B
  /// or iB behind; all are powers of 1024.
  init(argument: String) throws {
    let text = argument.lowercased()
    let number = text.prefix { "0123456789.".contains($0) }
    var unit = text[number.endIndex...]
    for ending in ["ib", "b"] where unit.hasSuffix(ending) && (unit.count > 1 || ending == "b") {
      unit = unit.dropLast(ending.count)
      break
    }
    guard let value = Double(number), number.last != ".", number.first != ".",
      let factor = Self.units.first(where: { $0.letter == unit })?.factor
    else {
      throw ValidationError("expected a number of bytes such as 800M, 1.5G, 2GiB or 65536")
    }
    guard let bytes = UInt64(exactly: (value * factor).rounded()) else {
      throw ValidationError("expected less than 16 billion gigabytes")
    }
    self.init(bytes: bytes)
  }

  /// Such as "117.7 MiB".
  var text: String {
    let mebibytes = Double(bytes) / 1_048_576
    return mebibytes < 1024 ? fixed(mebibytes, 1) + " MiB" : fixed(mebibytes / 1024, 2) + " GiB"
  }
}
