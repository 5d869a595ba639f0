// "480x360" in, a width and a height out.
import ArgumentParser

struct PixelSize: Hashable, CustomStringConvertible {
  let width: Int
  let height: Int

  static let largestSide = 16_384

  var pixelCount: Int { width * height }
  var description: String { "\(width)x\(height)" }
}

extension PixelSize {
  /// Reads the value of a command line option.
  init(argument: String) throws {
    let sides = argument.split(separator: "x", omittingEmptySubsequences: false)
    let allowed = 1...Self.largestSide
    guard sides.count == 2, let width = Int(sides[0]), let height = Int(sides[1]),
      allowed.contains(width), allowed.contains(height)
    else {
      throw ValidationError(
        "expected WIDTHxHEIGHT such as 480x360, each side from 1 to \(Self.largestSide)")
    }
    self.init(width: width, height: height)
  }
}
