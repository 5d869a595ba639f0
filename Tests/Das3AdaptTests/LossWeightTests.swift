import Das3Adapt
import Das3Graph
import Das3TestSupport
import Foundation
import Testing

@Suite("Pixel weights by how far two networks agree")
struct LossWeightTests {
  /// `pixels` bytes; what lies between the pixels of the scores is not a number.
  static func weights(
    _ scores: [Float], against probabilities: [Float], classes: Int, isProbability: Bool = false,
    padding: Int = 0, ignored: [UInt8]? = nil, threads: Int = 1
  ) -> [UInt8] {
    let pixels = scores.count / classes
    let padded = (0..<pixels).flatMap {
      scores[$0 * classes..<($0 + 1) * classes] + [Float](repeating: .nan, count: padding)
    }
    var weights = [UInt8](repeating: 77, count: pixels)
    padded.withUnsafeBufferPointer { padded in
      probabilities.withUnsafeBufferPointer { probabilities in
        guard let scores = padded.baseAddress, let map = probabilities.baseAddress else { return }
        Losses.weigh(
          scores: scores, stride: classes + padding, isProbability: isProbability,
          shape: Shape([1, classes, 1, pixels]), against: map,
          ignored: ignored.map { IgnoredPixels(height: 1, width: pixels, marks: $0) },
          into: &weights, threads: threads)
      }
    }
    return weights
  }

  static func softmax(_ scores: [Float], classes: Int) -> [Double] {
    stride(from: 0, to: scores.count, by: classes).flatMap {
      PredictionTests.softmax(scores[$0..<$0 + classes])
    }
  }

  static let sizes = [(1, 40), (2, 17), (3, 1), (5, 1025), (19, 9999), (256, 18)]

  @Test("weights are those of the formula", arguments: sizes, [false, true])
  func formula(_ size: (classes: Int, pixels: Int), isProbability: Bool) {
    let (classes, pixels) = size
    var random = SplitMix64(seed: 6)
    let scores = random.floats(pixels * classes, bound: 3)
    let p = Self.softmax(scores, classes: classes)
    let near = scores.map { $0 + Float.random(in: -1...1, using: &random) }
    let own = Self.softmax(near, classes: classes).map(Float.init)
    func run(_ threads: Int) -> [UInt8] {
      Self.weights(
        isProbability ? p.map(Float.init) : scores, against: own, classes: classes,
        isProbability: isProbability, padding: 3, threads: threads)
    }
    let found = run(1)
    for pixel in 0..<pixels {
      let divergence = (pixel * classes..<(pixel + 1) * classes).reduce(0) {
        $0 + Double(own[$1]) * log(Double(own[$1]) / p[$1])
      }
      // Half a byte of rounding, and float32.
      #expect(abs(Double(found[pixel]) - 255 * exp(-divergence)) <= 0.501, "pixel \(pixel)")
    }
    #expect(run(2) == found && run(3) == found)
  }

  @Test("certain networks weigh 1 where they agree and 0 where they do not")
  func certain() {
    let scores: [Float] = [1e4, -1e4, 0, 1e4, -1e4, 0, -.infinity, 0, 0, -.infinity, 0, 0]
    let map: [Float] = [1, 0, 0, 0, 1, 0, 0, 0.5, 0.5, 0.01, 0.49, 0.5]
    #expect(Self.weights(scores, against: map, classes: 3) == [255, 0, 255, 0])
    let p: [Float] = [1, 0, 0, 1, 0, 0, 0, 0.5, 0.5, 0, 0.5, 0.5]
    #expect(
      Self.weights(p, against: map, classes: 3, isProbability: true) == [255, 0, 255, 0])
    // A little of what the other network has ruled out costs as much as its distance says.
    let little = Self.weights([1e4, 9.9e3], against: [0.99, 0.01], classes: 2)
    #expect(little == [UInt8((255 * exp(-(1 + 0.99 * log(0.99) + 0.01 * log(0.01)))).rounded())])
  }

  @Test("what is ignored, or is not a number, weighs nothing")
  func nothing() {
    let third: [Float] = [0.25, 0.5, 0.25]
    let scores: [Float] = [1, 2, 1, 1, .nan, 1, 1, 2, 1, .infinity, 2, 1, 1, 2, 1]
    let map = third + third + [.nan, 0.5, 0.25] + third + third
    let found = Self.weights(scores, against: map, classes: 3, ignored: [0, 0, 0, 0, 9])
    #expect(found[0] > 250 && found[1...] == [0, 0, 0, 0])
  }
}
