import CKernels
import Das3TestSupport
import Foundation
import Testing

@Suite("Predictions")
struct PredictionTests {
  /// Scores in, every output out.
  struct Prediction: Equatable {
    var labels: [UInt8]
    var confidence: [Float]
    var negatives: [UInt8]
    var probabilities: [Float]
    var masses: [Double]
    var entropy: Double

    init(
      _ scores: [Float], classes: Int, padding: Int = 0, isProbability: Bool = false,
      mirrored: (probabilities: [Float], width: Int)? = nil,
      zoomed: (probabilities: [Float], share: Float) = ([], 0), ignored: [UInt8] = [],
      threshold: Float = 0.05,
      threads: Int32 = 1
    ) {
      let pixels = scores.count / classes
      labels = [UInt8](repeating: 77, count: pixels)
      confidence = [Float](repeating: 77, count: pixels)
      negatives = [UInt8](repeating: 77, count: pixels * ((classes + 7) / 8))
      probabilities = [Float](repeating: 77, count: scores.count)
      masses = [Double](repeating: 77, count: classes)
      var scratch = PredictionTests.scratch(pixels, classes)
      let padded = (0..<pixels).flatMap {
        scores[$0 * classes..<($0 + 1) * classes] + [Float](repeating: .nan, count: padding)
      }
      let width = mirrored?.width ?? pixels
      entropy = 0
      entropy = padded.withUnsafeBufferPointer { padded in
        // An empty array is no mirror image.
        (mirrored?.probabilities ?? []).withUnsafeBufferPointer { mirror in
          zoomed.probabilities.withUnsafeBufferPointer { enlarged in
            ignored.withUnsafeBufferPointer { ignored in
              labels.withUnsafeMutableBufferPointer { labels in
                confidence.withUnsafeMutableBufferPointer { confidence in
                  negatives.withUnsafeMutableBufferPointer { negatives in
                    probabilities.withUnsafeMutableBufferPointer { probabilities in
                      masses.withUnsafeMutableBufferPointer { masses in
                        scratch.withUnsafeMutableBytes { scratch in
                          var scores = d3k_scores(
                            data: padded.baseAddress, stride: Int64(classes + padding),
                            height: Int64(pixels / width), width: Int64(width),
                            classes: Int64(classes), is_probability: isProbability ? 1 : 0)
                          var prediction = d3k_prediction(
                            mirrored: mirrored == nil ? nil : mirror.baseAddress,
                            zoomed: zoomed.probabilities.isEmpty ? nil : enlarged.baseAddress,
                            zoomed_share: zoomed.share,
                            ignored: ignored.isEmpty ? nil : ignored.baseAddress,
                            negative_threshold: threshold, labels: labels.baseAddress,
                            confidence: confidence.baseAddress, negatives: negatives.baseAddress,
                            probabilities: probabilities.baseAddress, masses: masses.baseAddress,
                            scratch: scratch.baseAddress)
                          return d3k_predict(threads, &scores, &prediction)
                        }
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }

  static func scratch(_ pixels: Int, _ classes: Int) -> [UInt8] {
    [UInt8](repeating: 0, count: d3k_predict_scratch_bytes(Int64(pixels), Int64(classes)))
  }

  static func softmax(_ scores: ArraySlice<Float>) -> [Double] {
    let largest = Double(scores.max() ?? 0)
    let exponentials = scores.map { exp(Double($0) - largest) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
  }

  static let sizes = [(1, 40), (2, 17), (3, 1), (5, 1025), (8, 64), (19, 999), (21, 33), (256, 18)]

  @Test(
    "labels, confidence, marks, probabilities and entropy are those of the formulas",
    arguments: sizes, [false, true])
  func reference(_ size: (classes: Int, pixels: Int), isProbability: Bool) {
    let (classes, pixels) = size
    var random = SplitMix64(seed: 1)
    var scores = random.floats(pixels * classes, bound: 6)
    if isProbability {
      scores = (0..<pixels).flatMap { n in
        Self.softmax(scores[n * classes..<(n + 1) * classes]).map(Float.init)
      }
    }
    let actual = Prediction(
      scores, classes: classes, padding: 3, isProbability: isProbability)
    var entropy = 0.0
    var masses = [Double](repeating: 0, count: classes)
    for n in 0..<pixels {
      let pixel = scores[n * classes..<(n + 1) * classes]
      let p = isProbability ? pixel.map(Double.init) : Self.softmax(pixel)
      let top = pixel.firstIndex(of: pixel.max() ?? 0).map { $0 - n * classes } ?? 0
      #expect(Int(actual.labels[n]) == top)
      #expect(abs(Double(actual.confidence[n]) - p[top]) <= 1e-6)
      for c in 0..<classes {
        masses[c] += p[c]
        #expect(abs(Double(actual.probabilities[n * classes + c]) - p[c]) <= 1e-6 * p[c] + 1e-30)
        let byte = actual.negatives[n * ((classes + 7) / 8) + c / 8]
        guard abs(p[c] - 0.05) > 1e-7 else { continue }
        #expect((byte >> (c % 8) & 1 == 1) == (p[c] < 0.05), "pixel \(n), class \(c)")
      }
      for c in classes..<(classes + 7) / 8 * 8 {
        #expect(actual.negatives[n * ((classes + 7) / 8) + c / 8] >> (c % 8) & 1 == 0)
      }
      entropy -= p.reduce(0) { $0 + ($1 > 0 ? $1 * log($1) : 0) }
    }
    for (found, wanted) in zip(actual.masses, masses) {
      #expect(abs(found - wanted) <= 1e-6 * wanted + 1e-30)
    }
    let scale = classes > 1 ? log(Double(classes)) : .infinity
    #expect(abs(actual.entropy - entropy / scale / Double(pixels)) <= 1e-6)
  }

  @Test("ignored pixels have no label, no marks and no part in masses and entropy")
  func ignored() {
    let (classes, pixels) = (9, 333)
    var random = SplitMix64(seed: 6)
    var scores = random.floats(pixels * classes, bound: 6)
    let ignored = random.bytes(pixels).map { UInt8($0 % 3) }
    let kept = ignored.indices.filter { ignored[$0] == 0 }
    let alone = Prediction(
      kept.flatMap { scores[$0 * classes..<($0 + 1) * classes] }, classes: classes)
    for index in scores.indices where ignored[index / classes] == 2 { scores[index] = .nan }
    let found = Prediction(scores, classes: classes, ignored: ignored)
    #expect(kept.map { found.labels[$0] } == alone.labels)
    #expect(kept.map { found.confidence[$0] } == alone.confidence)
    #expect(kept.flatMap { found.negatives[2 * $0..<2 * $0 + 2] } == alone.negatives)
    #expect(abs(found.entropy - alone.entropy) <= 1e-6)
    for (a, b) in zip(found.masses, alone.masses) { #expect(abs(a - b) <= 1e-6 * b) }
    for pixel in ignored.indices where ignored[pixel] != 0 {
      #expect(found.labels[pixel] == 255 && found.confidence[pixel] == 0)
      #expect(found.negatives[2 * pixel..<2 * pixel + 2].allSatisfy { $0 == 0 })
    }
  }

  @Test("outputs that are not wanted change nothing", arguments: [false, true])
  func optional(_ isProbability: Bool) {
    var random = SplitMix64(seed: 2)
    let scores = random.floats(50 * 7).map { abs($0) / 4 }
    let all = Prediction(scores, classes: 7, isProbability: isProbability)
    var labels = [UInt8](repeating: 0, count: 50)
    var scratch = Self.scratch(50, 7)
    scores.withUnsafeBufferPointer { scores in
      labels.withUnsafeMutableBufferPointer { labels in
        scratch.withUnsafeMutableBytes { scratch in
          var image = d3k_scores(
            data: scores.baseAddress, stride: 7, height: 1, width: 50, classes: 7,
            is_probability: isProbability ? 1 : 0)
          for wanted in [labels.baseAddress, nil] {
            var prediction = d3k_prediction()
            prediction.labels = wanted
            prediction.scratch = scratch.baseAddress
            #expect(d3k_predict(1, &image, &prediction) == all.entropy)
          }
        }
      }
    }
    #expect(labels == all.labels)
  }

  @Test("the first of equal scores wins; probabilities need not sum to 1")
  func ties() {
    let scores: [Float] = [0.25, 0.5, 0.5, 0, 0, 0, 1, 1, 1]
    for isProbability in [false, true] {
      let result = Prediction(scores, classes: 3, isProbability: isProbability)
      #expect(result.labels == [1, 0, 0])
      if isProbability {
        #expect(result.confidence == [0.5, 0, 1] && result.probabilities == scores)
        #expect(result.negatives == [0, 0b111, 0])
      }
    }
  }

  @Test(
    "a pixel that is not a number has no label and no marks, and is as uncertain as can be",
    arguments: [1, 3, 19], [false, true])
  func notANumber(_ classes: Int, isProbability: Bool) {
    for place in 0..<classes {
      var scores = [Float](repeating: 0, count: 33 * classes)
      for n in 0..<33 { scores[n * classes] = isProbability ? 1 : 1e4 }
      scores[5 * classes + place] = .nan
      let result = Prediction(scores, classes: classes, isProbability: isProbability)
      for n in 0..<33 {
        #expect(result.labels[n] == (n == 5 ? 255 : 0))
        #expect(result.confidence[n] == (n == 5 ? 0 : 1))
      }
      let bytes = (classes + 7) / 8
      #expect(result.negatives[5 * bytes..<6 * bytes].allSatisfy { $0 == 0 })
      #expect(result.probabilities[5 * classes + place].isNaN)
      #expect(abs(result.entropy - 1.0 / 33) < 1e-9)
    }
  }

  @Test("scores of ±1e4 and minus infinity have probabilities of 0 and 1")
  func extremes() {
    let result = Prediction([1e4, -1e4, 0, -.infinity, 3, -.infinity], classes: 3)
    #expect(result.labels == [0, 1] && result.confidence == [1, 1])
    #expect(result.probabilities == [1, 0, 0, 0, 1, 0])
    #expect(result.negatives == [0b110, 0b101] && result.entropy == 0)
  }

  @Test("any number of threads gives the same bits", arguments: [5, 19])
  func threads(_ classes: Int) {
    var random = SplitMix64(seed: 3)
    let scores = random.floats(300 * 71 * classes, bound: 5)
    let one = Prediction(scores, classes: classes)
    for threads: Int32 in [2, 3] {
      let isEqual = Prediction(scores, classes: classes, threads: threads) == one
      #expect(isEqual, "\(threads) threads")
    }
  }

  @Test(
    "with the mirror image a pixel has the mean of the two that show it", arguments: [1, 3, 19, 22])
  func mirrored(_ classes: Int) {
    let (height, width) = (40, 37)
    var random = SplitMix64(seed: 4)
    let straight = Prediction(random.floats(height * width * classes, bound: 4), classes: classes)
    let other = Prediction(random.floats(height * width * classes, bound: 4), classes: classes)
    let mean = straight.probabilities.indices.map { index in
      let (pixel, c) = (index / classes, index % classes)
      let there = pixel / width * width + width - 1 - pixel % width
      return (straight.probabilities[index] + other.probabilities[there * classes + c]) * 0.5
    }
    let expected = Prediction(mean, classes: classes, isProbability: true)
    for threads: Int32 in [1, 2] {
      var found = Prediction(
        straight.probabilities, classes: classes, padding: 3, isProbability: true,
        mirrored: (other.probabilities, width), threads: threads)
      for (a, b) in zip(found.masses, expected.masses) { #expect(abs(a - b) <= 1e-5 * b) }
      #expect(abs(found.entropy - expected.entropy) <= 1e-6)
      (found.masses, found.entropy) = (expected.masses, expected.entropy)
      #expect(found == expected, "\(threads) threads")
    }
  }

  @Test("scores with the mirror image are softened first")
  func mirroredScores() {
    let width = 21
    var random = SplitMix64(seed: 5)
    let scores = random.floats(9 * width * 5, bound: 4)
    let other = Prediction(random.floats(scores.count, bound: 4), classes: 5).probabilities
    let softened = Prediction(scores, classes: 5).probabilities
    #expect(
      Prediction(scores, classes: 5, mirrored: (other, width))
        == Prediction(softened, classes: 5, isProbability: true, mirrored: (other, width)))
  }

  @Test("other probabilities count with their share", arguments: [2, 19])
  func zoomed(_ classes: Int) {
    var random = SplitMix64(seed: 6)
    let count = 1000 * classes
    let own = Prediction(random.floats(count, bound: 4), classes: classes)
    let other = Prediction(random.floats(count, bound: 4), classes: classes)
    let share: Float = 0.3
    let mean = zip(own.probabilities, other.probabilities).map { $0 + ($1 - $0) * share }
    let expected = Prediction(mean, classes: classes, isProbability: true)
    for threads: Int32 in [1, 2] {
      let found = Prediction(
        own.probabilities, classes: classes, padding: 1, isProbability: true,
        zoomed: (other.probabilities, share), threads: threads)
      // A multiplication and an addition may be rounded once.
      for (a, b) in zip(found.probabilities, expected.probabilities) { #expect(abs(a - b) < 1e-6) }
      #expect(zip(found.labels, expected.labels).count { $0 != $1 } <= 2)
      #expect(abs(found.entropy - expected.entropy) < 1e-6, "\(threads) threads")
    }
  }
}
