// "512M" in, a number of bytes out.
import ArgumentParser

struct ByteCount {
  let bytes: UInt64
}

extension ByteCount {
  private static let factors = ["": 1, "k": 0x1p10, "m": 0x1p20, "g": 0x1p30, "t": 0x1p40]

  /// Reads the value of a command line option: a number, which K, M, G or T may follow, and then B or
  /// iB; all units are powers of 1024.
  init(argument: String) throws {
    let format = /([0-9]+(?:\.[0-9]+)?)([kmgt]?)(?:i?b)?/
    guard let parts = argument.lowercased().wholeMatch(of: format)?.output,
      let value = Double(parts.1), let factor = Self.factors[String(parts.2)]
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
