import CKernels
import Das3TestSupport
import Testing

@Suite("Thresholds of labels")
struct ThresholdTests {
  static let classes = 5
  static let bins = Int(D3K_BINS)

  /// Labels 0…6 and 255, of which 5 and more are no class.
  static func labels(_ count: Int, _ random: inout SplitMix64) -> [UInt8] {
    random.bytes(count).map { $0 % 8 == 7 ? 255 : $0 % 8 }
  }

  @Test("the histogram counts each class's pixels by their confidence, image after image")
  func histogram() {
    var random = SplitMix64(seed: 1)
    var counts = [UInt64](repeating: 0, count: Self.classes * Self.bins)
    var wanted = counts
    for _ in 0..<3 {
      let labels = Self.labels(10_007, &random)
      let confidence = random.floats(10_007).map { abs($0) }
      d3k_histogram(labels, confidence, 10_007, Int64(Self.classes), &counts)
      for (label, p) in zip(labels, confidence) where label < Self.classes {
        wanted[Int(label) * Self.bins + Int((p * 65536).rounded(.down))] += 1
      }
    }
    let isEqual = counts == wanted
    #expect(isEqual)
  }

  @Test("confidences outside 0…1 fall into the outermost bins, what is not a number into the first")
  func outside() {
    var counts = [UInt64](repeating: 0, count: Self.bins)
    let confidence: [Float] = [0, -0.1, -.infinity, .nan, 1, 1.5, .infinity, 65535 / 65536, 0.5]
    d3k_histogram(
      confidence.map { _ in 0 }, confidence, Int64(confidence.count), 1, &counts)
    #expect(counts[0] == 4 && counts[65535] == 4 && counts[32768] == 1)
    #expect(counts.reduce(0, +) == 9)
  }

  @Test("a label stays where its confidence is above its class's threshold")
  func threshold() {
    var random = SplitMix64(seed: 2)
    let count = 50_021
    let labels = Self.labels(count, &random)
    var confidence = random.floats(count).map { abs($0) }
    let thresholds: [Float] = [0.2, 1, 0, -1, 0.75]
    // Equal is not above.
    for i in stride(from: 0, to: count, by: 7) {
      confidence[i] = labels[i] < 5 ? thresholds[Int(labels[i])] : 1
    }
    confidence[1] = .nan
    let wanted = zip(labels, confidence).map { label, p in
      label < 5 && p > thresholds[Int(label)] ? label : 255
    }
    for threads: Int32 in [1, 2] {
      var out = labels.map { _ in UInt8(7) }
      d3k_threshold_labels(
        threads, labels, confidence, Int64(count), Int64(Self.classes), thresholds, &out)
      #expect(out == wanted, "\(threads) threads")
      var inPlace = labels
      inPlace.withUnsafeMutableBufferPointer {
        d3k_threshold_labels(
          threads, $0.baseAddress, confidence, Int64(count), Int64(Self.classes), thresholds,
          $0.baseAddress)
      }
      #expect(inPlace == wanted, "\(threads) threads, in place")
    }
  }
}
