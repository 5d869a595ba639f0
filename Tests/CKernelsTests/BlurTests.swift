import CKernels
import Das3TestSupport
import Foundation
import Testing

@Suite("Gaussian blur")
struct BlurTests {
  struct Size: CustomTestStringConvertible, Sendable {
    var height, width, channels: Int
    var testDescription: String { "\(height)×\(width)×\(channels)" }
    var count: Int { height * width * channels }
  }

  static func run(_ sigma: Double, _ image: [Float], _ size: Size, threads: Int32 = 1) -> [Float] {
    let (height, width) = (Int64(size.height), Int64(size.width))
    let bytes = d3k_blur_scratch_bytes(height, width, Int64(size.channels))
    var scratch = [UInt8](repeating: 0xff, count: bytes)
    var image = image
    d3k_blur(threads, sigma, &image, height, width, Int64(size.channels), &scratch)
    return image
  }

  /// The sum over the whole square, in double.
  static func reference(_ sigma: Double, _ image: [Float], _ size: Size) -> [Double] {
    let radius = Int((3 * sigma).rounded(.up))
    let weights = (-radius...radius).map { exp(-0.5 * pow(Double($0) / sigma, 2)) }
    let sum = weights.reduce(0, +)
    func inside(_ i: Int, _ count: Int) -> Int {
      var i = i
      while count > 1 && !(0..<count).contains(i) { i = i < 0 ? -i : 2 * (count - 1) - i }
      return count > 1 ? i : 0
    }
    return (0..<size.count).map { index in
      let (pixel, c) = (index / size.channels, index % size.channels)
      var value = 0.0
      for (dy, wy) in zip(-radius...radius, weights) {
        for (dx, wx) in zip(-radius...radius, weights) {
          let y = inside(pixel / size.width + dy, size.height)
          let x = inside(pixel % size.width + dx, size.width)
          value += wy * wx * Double(image[(y * size.width + x) * size.channels + c])
        }
      }
      return value / (sum * sum)
    }
  }

  static let sizes = [
    Size(height: 1, width: 1, channels: 3), Size(height: 2, width: 3, channels: 3),
    Size(height: 9, width: 7, channels: 1), Size(height: 13, width: 40, channels: 3),
    Size(height: 40, width: 8, channels: 3), Size(height: 21, width: 67, channels: 1),
  ]

  @Test(
    "every pixel is the weighted sum of its reflected surroundings",
    arguments: sizes, [0.15, 0.5, 1.15, 4])
  func reference(_ size: Size, sigma: Double) {
    var random = SplitMix64(seed: 1)
    let image = random.floats(size.count, bound: 3)
    let actual = Self.run(sigma, image, size)
    let wanted = Self.reference(sigma, image, size)
    let worst = zip(actual, wanted).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
    // Two sums of at most 25 float32 values up to 3.
    #expect(worst <= 3e-6, "\(worst)")
  }

  @Test("a sigma of 0 leaves the image, a large one is cut off")
  func bounds() {
    let size = Size(height: 5, width: 6, channels: 3)
    var random = SplitMix64(seed: 2)
    let image = random.floats(size.count)
    #expect(Self.run(0, image, size) == image && Self.run(.nan, image, size) == image)
    #expect(Self.run(1e9, image, size).allSatisfy { abs($0) <= 1 })
  }

  @Test("any number of threads gives the same bits")
  func threads() {
    let size = Size(height: 70, width: 203, channels: 3)
    var random = SplitMix64(seed: 3)
    let image = random.floats(size.count)
    let one = Self.run(1.1, image, size)
    for threads: Int32 in [2, 3] {
      let isEqual = Self.run(1.1, image, size, threads: threads) == one
      #expect(isEqual, "\(threads) threads")
    }
  }
}
