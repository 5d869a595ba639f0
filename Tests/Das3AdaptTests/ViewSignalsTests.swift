import CKernels
import Das3Adapt
import Das3TestSupport
import Foundation
import Testing

@Suite("Views of a frame and of its mirror image")
struct ViewSignalsTests {
  static let sizes = [(2, 5, 3), (3, 1, 1), (5, 33, 7), (19, 40, 25), (256, 18, 2)]

  /// What `d3k_compare_views` says; `signals` and the masses.
  static func compare(
    _ scores: [Float], _ mirrored: [Float], classes: Int, width: Int, padding: Int = 0,
    ignored: [UInt8]? = nil, threads: Int32 = 1
  ) -> ViewSignals {
    let pixels = scores.count / classes
    let padded = (0..<pixels).flatMap {
      scores[$0 * classes..<($0 + 1) * classes] + [Float](repeating: .nan, count: padding)
    }
    var scratch = [UInt8](
      repeating: 0, count: d3k_compare_views_scratch_bytes(Int64(pixels), Int64(classes)))
    var (sums, signals) = (d3k_view_sums(), ViewSignals(classCount: classes))
    padded.withUnsafeBufferPointer { padded in
      var image = d3k_scores(
        data: padded.baseAddress, stride: Int64(classes + padding), height: Int64(pixels / width),
        width: Int64(width), classes: Int64(classes), is_probability: 0)
      // Never read beyond what a mask says: without one there is none.
      if let ignored {
        d3k_compare_views(threads, &image, mirrored, ignored, &sums, &signals.masses, &scratch)
        return
      }
      d3k_compare_views(threads, &image, mirrored, nil, &sums, &signals.masses, &scratch)
    }
    (signals.entropySum, signals.divergenceSum) = (sums.entropy, sums.divergence)
    (signals.sameCount, signals.pixelCount) = (sums.same, sums.count)
    return signals
  }

  private static func entropy(_ p: [Double]) -> Double {
    p.reduce(0) { $1 > 0 ? $0 - $1 * log($1) : $0 }
  }

  @Test("information, agreement and divergence are those of the formulas", arguments: sizes)
  func formulas(_ size: (classes: Int, width: Int, height: Int)) {
    let (classes, width, height) = size
    let pixels = width * height
    var random = SplitMix64(seed: 4)
    let scores = random.floats(pixels * classes, bound: 5)
    let mirrored = (0..<pixels).flatMap { _ in
      PredictionTests.softmax(random.floats(classes, bound: 5)[...]).map(Float.init)
    }
    let found = Self.compare(scores, mirrored, classes: classes, width: width, padding: 2)
    var mean = [Double](repeating: 0, count: classes)
    var (entropy, divergence, same) = (0.0, 0.0, 0.0)
    for n in 0..<pixels {
      let p = PredictionTests.softmax(scores[n * classes..<(n + 1) * classes])
      let other = n / width * width + width - 1 - n % width
      let m = mirrored[other * classes..<(other + 1) * classes].map(Double.init)
      for c in 0..<classes { mean[c] += p[c] / Double(pixels) }
      let both = zip(p, m).map { ($0 + $1) / 2 }
      let (ownEntropy, otherEntropy) = (Self.entropy(p), Self.entropy(m))
      entropy += ownEntropy / Double(pixels)
      divergence += (Self.entropy(both) - (ownEntropy + otherEntropy) / 2) / Double(pixels)
      same += p.firstIndex(of: p.max() ?? 0) == m.firstIndex(of: m.max() ?? 0) ? 1 : 0
    }
    #expect(found.pixelCount == Double(pixels) && found.sameCount == same)
    #expect(abs(found.information - max(0, Self.entropy(mean) - entropy)) <= 1e-5)
    #expect(abs(found.divergence - divergence) <= 1e-5)
    let threaded = Self.compare(
      scores, mirrored, classes: classes, width: width, padding: 2, threads: 2)
    #expect(threaded == found)
  }

  @Test("views that are the same agree; a network that says one thing has no information")
  func limits() {
    var random = SplitMix64(seed: 5)
    let (classes, width) = (4, 16)
    let row = random.floats(classes * width, bound: 3)
    let own = (0..<width).flatMap {
      PredictionTests.softmax(row[$0 * classes..<($0 + 1) * classes]).map(Float.init)
    }
    let turned = (0..<width).reversed().flatMap { own[$0 * classes..<($0 + 1) * classes] }
    let same = Self.compare(row, turned, classes: classes, width: width)
    #expect(same.agreement == 1 && same.divergence < 1e-6)
    let certain: [Float] = (0..<classes * width).map { $0 % classes == 2 ? 1e4 : 0 }
    let one: [Float] = certain.map { $0 > 0 ? 1 : 0 }
    let collapsed = Self.compare(certain, one, classes: classes, width: width)
    #expect(collapsed.agreement == 1 && collapsed.divergence == 0 && collapsed.information == 0)
  }

  @Test("pixels that are no numbers do not count, in either view")
  func notANumber() {
    var scores = [Float](repeating: 1, count: 3 * 20)
    var mirrored = [Float](repeating: 1.0 / 3, count: 3 * 20)
    scores[4] = .nan
    mirrored[3 * 15] = .nan
    let found = Self.compare(scores, mirrored, classes: 3, width: 10)
    #expect(found.pixelCount == 18 && found.entropySum.isFinite && found.divergenceSum.isFinite)
    #expect(found.masses.allSatisfy { abs($0 - 6) < 1e-5 })
    let none = Self.compare([.nan, .nan], [0.5, 0.5], classes: 2, width: 1)
    #expect(none.information == 0 && none.agreement == 0 && none.divergence == 0)
  }

  @Test("ignored pixels are left out; what is no number elsewhere is still missed")
  func ignored() {
    let (classes, width, height) = (7, 45, 11)
    var random = SplitMix64(seed: 8)
    var scores = random.floats(width * height * classes, bound: 5)
    let mirrored = (0..<width * height).flatMap { _ in
      PredictionTests.softmax(random.floats(classes, bound: 5)[...]).map(Float.init)
    }
    let ignored = random.bytes(width * height).map { UInt8($0 % 2) }
    let count = ignored.count { $0 == 0 }
    // What single pixels say, one after the other.
    let (one, flags) = ([UInt8](repeating: 1, count: width * height), ignored)
    var sum = ViewSignals(classCount: classes)
    for pixel in flags.indices where flags[pixel] == 0 {
      var mask = one
      mask[pixel] = 0
      sum.add(
        Self.compare(scores, mirrored, classes: classes, width: width, ignored: mask))
    }
    for index in scores.indices where ignored[index / classes] != 0 { scores[index] = .nan }
    let found = Self.compare(scores, mirrored, classes: classes, width: width, ignored: ignored)
    #expect(found.pixelCount == Double(count) && found.sameCount == sum.sameCount)
    #expect(abs(found.entropySum - sum.entropySum) <= 1e-6 * sum.entropySum)
    #expect(abs(found.divergenceSum - sum.divergenceSum) <= 1e-6 * sum.divergenceSum)
    for (a, b) in zip(found.masses, sum.masses) { #expect(abs(a - b) <= 1e-5 * b) }
    if let pixel = ignored.firstIndex(of: 0) { scores[pixel * classes] = .nan }
    let broken = Self.compare(
      scores, mirrored, classes: classes, width: width, ignored: ignored, threads: 2)
    #expect(broken.pixelCount == Double(count - 1))
  }

  @Test("sums are kept as numbers")
  func numbers() {
    var signals = ViewSignals(classCount: 2)
    (signals.entropySum, signals.pixelCount, signals.masses) = (0.1, 3, [1, 2])
    #expect(ViewSignals(signals.numbers) == signals && ViewSignals([1, 2, 3, 4]) == nil)
  }
}
