// "512M" in, a number of bytes out.
import ArgumentParser

struct ByteCount {
  let bytes: UInt64

  init(bytes: UInt64) {
    self.bytes = bytes
  }

  /// Reads the value of a command line option; K, M and G are powers of 1024.
  init(argument: String) throws {
    let suffixes: [Character: UInt64] = [
      "K": 1 << 10, "k": 1 << 10, "M": 1 << 20, "m": 1 << 20, "G": 1 << 30, "g": 1 << 30,
    ]
    let factor = argument.last.flatMap { suffixes[$0] }
    let digits = factor == nil ? Substring(argument) : argument.dropLast()
    guard let number = UInt64(digits) else {
      throw ValidationError("expected a number of bytes such as 800M, 2G or 65536")
    }
    let (bytes, isTooLarge) = number.multipliedReportingOverflow(by: factor ?? 1)
    guard !isTooLarge else {
      throw ValidationError("expected less than 16 billion gigabytes")
    }
    self.bytes = bytes
  }

  /// Such as "117.7 MiB".
  var text: String {
    let mebibytes = Double(bytes) / 1_048_576
    return mebibytes < 1024 ? fixed(mebibytes, 1) + " MiB" : fixed(mebibytes / 1024, 2) + " GiB"
  }
}
