import Das3Adapt
import Das3Graph
import Das3TestSupport
import Foundation
import Testing

/// The parts that a blend of statistics is made of.
@Suite("Blend of statistics")
struct BlendTests {
  @Test("gathered statistics are those of all pixels of all frames")
  func pool() {
    var random = SplitMix64(seed: 7)
    // Two channels of 6 pixels, then one of 2, among other weights.
    let layers = [
      Trainer.StatisticsLayer(mean: 1..<3, variance: 3..<5, pixelCount: 6),
      Trainer.StatisticsLayer(mean: 7..<8, variance: 6..<7, pixelCount: 2),
    ]
    var pool = StatisticsPool()
    var pixels = [[Double]](repeating: [], count: 9)
    for frame in 0..<5 {
      var weights = random.floats(9)
      for layer in layers {
        for (mean, variance) in zip(layer.mean, layer.variance) {
          // Far from 0, where sums of squares would lose all digits.
          let values = random.floats(layer.pixelCount).map { Double($0) + Double(1000 + frame) }
          pixels[mean] += values
          weights[mean] = Float(values.reduce(0, +) / Double(values.count))
          weights[variance] = Float(values.unbiasedVariance)
        }
      }
      pool.add(weights.span, layers)
      // As if the run went on in another process.
      pool = StatisticsPool(high: pool.high, low: pool.low, frameCount: pool.frameCount)
    }
    let source = [Float](repeating: 4, count: 9)
    let whole = pool.blend(1, from: source, layers)
    for layer in layers {
      for (mean, variance) in zip(layer.mean, layer.variance) {
        let exact = pixels[mean].reduce(0, +) / Double(pixels[mean].count)
        #expect(abs(Double(whole[mean]) - exact) <= 1e-4)
        #expect(abs(Double(whole[variance]) - pixels[mean].unbiasedVariance) <= 1e-2)
      }
    }
    #expect(whole[0] == 4 && whole[5] == 4 && whole[8] == 4)
    #expect(pool.blend(0, from: source, layers) == source)
    let half = pool.blend(0.5, from: source, layers)
    #expect(zip(half, whole).allSatisfy { abs($0 - (4 + $1) / 2) <= 1e-3 })
  }

  /// Information and agreement of the source, ¼, ½; which is taken.
  struct Choice: Sendable {
    let information: [Double]
    let agreement: [Double]
    let taken: Int

    init(_ information: [Double], _ agreement: [Double], _ taken: Int) {
      (self.information, self.agreement, self.taken) = (information, agreement, taken)
    }
  }

  static let choices: [Choice] = [
    Choice([1.0, 1.1, 1.2], [0.90, 0.91, 0.92], 2),
    Choice([1.0, 1.2, 1.1], [0.90, 0.91, 0.91], 1),
    Choice([1.2, 1.1, 1.0], [0.90, 0.90, 0.90], 0),
    // Agrees less than the source, and says hardly more.
    Choice([1.0, 1.08, 1.09], [0.90, 0.899, 0.895], 0),
    // Agrees less, but says a tenth more: the source says the same few things everywhere.
    Choice([1.0, 1.2, 1.3], [0.90, 0.89, 0.88], 2),
    // Between blends a hundredth does not count; two do.
    Choice([1.0, 1.18, 1.2], [0.88, 0.905, 0.90], 2),
    Choice([1.0, 1.18, 1.23], [0.88, 0.92, 0.90], 1),
    // Both blends are outvoted, one by the other.
    Choice([1.0, 1.05, 1.14], [0.93, 0.925, 0.90], 0),
    // Much agreement is lost for that much information: frames of the sky alone.
    Choice([1.17, 1.30, 1.49], [0.82, 0.807, 0.765], 0),
    // What outvotes another one need not be the best of the rest.
    Choice([1.35, 1.339, 1.49], [0.793, 0.794, 0.765], 0),
    Choice([0, 0, 0], [0, 0, 0], 0),
  ]

  @Test(
    "the most informed candidate whose views agree is taken, unless a nearer one agrees more",
    arguments: choices)
  func choice(_ choice: Choice) {
    let candidates = choice.information.indices.map { index in
      BlendRecord.Candidate(
        share: Double(index) / 4, information: choice.information[index],
        agreement: choice.agreement[index], divergence: 0)
    }
    #expect(BlendChoice.index(of: candidates) == choice.taken)
  }

  @Test("the probes of both halves must prefer a blend to the source")
  func halves() {
    func candidates(_ information: [Double]) -> [BlendRecord.Candidate] {
      information.enumerated().map { index, value in
        BlendRecord.Candidate(
          share: Double(index) / 4, information: value, agreement: 0.9, divergence: 0)
      }
    }
    let (near, middle, far) = ([1.2, 1.1, 1.0], [1.0, 1.2, 1.1], [1.0, 1.1, 1.2])
    for (whole, first, second, taken) in [
      (far, far, far, 2), (far, middle, far, 2), (far, far, near, 0), (middle, far, far, 1),
      (far, [1.0, 1.1, 0.9], far, 1),
    ] {
      let halves = [candidates(first), candidates(second)]
      #expect(BlendChoice.index(of: candidates(whole), halves: halves) == taken)
    }
    #expect(BlendChoice.index(of: candidates(far), halves: []) == 2)
  }

  @Test("what no run can have left is told from what one can")
  func memory() {
    func isPossible(_ memory: BlendMemory, before step: Int) -> Bool {
      memory.isPossible(before: step, frameCount: 34, classCount: 3, limit: 0.5)
    }
    var memory = BlendMemory()
    #expect(isPossible(memory, before: 0) && isPossible(memory, before: 33))
    // Nobody could be asked.
    #expect(!isPossible(memory, before: 34))
    memory.probes = (0..<17).map { 2 * $0 }
    func asked(_ count: Int, classCount: Int = 3) -> BlendMemory {
      var asked = memory
      let probeCount = memory.probes.count
      asked.answers = stride(from: 0, to: count, by: probeCount).map { start in
        Answers(
          probes: [ViewSignals](
            repeating: ViewSignals(classCount: classCount), count: min(probeCount, count - start)))
      }
      return asked
    }
    // Without statistics the source is the only candidate.
    #expect(isPossible(asked(16), before: 34 + 16) && !isPossible(asked(17), before: 34 + 17))
    memory.pooledCount = 17
    #expect(isPossible(asked(50), before: 34 + 50) && !isPossible(asked(51), before: 34 + 51))
    #expect(!isPossible(asked(50), before: 33) && !isPossible(asked(49), before: 34 + 50))
    #expect(!isPossible(asked(6, classCount: 4), before: 40))
    // Few probes have asked fewer candidates.
    memory.probes = [5]
    #expect(isPossible(asked(1), before: 35) && !isPossible(asked(2), before: 36))
    memory.probes = [34]
    #expect(!isPossible(memory, before: 34))
  }

  @Test("candidates are quarters up to the limit")
  func line() {
    #expect(BlendChoice.line(upTo: 0.5) == [0, 0.25, 0.5])
    #expect(BlendChoice.line(upTo: 1) == [0, 0.25, 0.5, 0.75, 1])
    #expect(BlendChoice.line(upTo: 0.2) == [0])
    #expect(BlendChoice.line(upTo: 1, probeCount: 15) == [0, 0.25])
    #expect(BlendChoice.line(upTo: 0, probeCount: 15) == [0])
  }

  @Test("every k-th frame is a probe, 16 to 40 where there are enough")
  func probes() {
    for count in [1, 2, 3, 10, 31, 32, 60, 100, 184, 1000, 100_000] {
      let stride = BlendChoice.probeStride(frameCount: count)
      let probes = (0..<count).filter { $0 % stride == stride / 2 }.count
      #expect(stride >= 2 && probes <= count / 2 + 1, "\(count)")
      if count >= 32 { #expect((16...41).contains(probes), "\(probes) of \(count)") }
      let most = BlendChoice.stepCount(frameCount: count, shares: [0, 0.25, 0.5])
      #expect(most == count + 3 * probes, "\(count)")
    }
  }

  @Test("thumbnails see pictures, not noise; their spread sees whether frames differ")
  func thumbnails() {
    var random = SplitMix64(seed: 2)
    let (height, width) = (40, 56)
    var metadata = Metadata()
    func thumbnail(_ level: (Int, Int) -> Float, noise: Float = 0) -> Thumbnail {
      let image = (0..<height * width).flatMap { n in
        (0..<3).map { channel in
          let pixel = level(n / width, n % width) + noise * random.floats(1)[0]
          return (pixel * metadata.scale - metadata.mean[channel]) / metadata.deviation[channel]
        }
      }
      return Thumbnail(image.span, height: height, width: width, channelCount: 3, metadata)
    }
    #expect(thumbnail { _, _ in 0 }.contrast < 1e-3)
    #expect(thumbnail({ _, _ in 110 }, noise: 8).contrast < 1)
    let sky = thumbnail { y, _ in y < 20 ? 200 : 60 }
    #expect(abs(sky.contrast - 70) < 1)
    metadata = Metadata(deviation: [0.5, 0.25, 0.1], scale: 1.0 / 255)
    #expect(abs(thumbnail { y, _ in y < 20 ? 200 : 60 }.contrast - 70) < 1)
    var same = ThumbnailSpread()
    for _ in 0..<5 { same.add(sky) }
    #expect(same.value < 1e-3 && same.count == 5)
    var other = same
    other.add(thumbnail { _, x in x < 20 ? 200 : 60 })
    #expect(other.value > 20)
    #expect(ThumbnailSpread(other.numbers) == other)
    #expect(ThumbnailSpread([1, 2]) == nil)
  }
}

extension [Double] {
  fileprivate var unbiasedVariance: Double {
    let mean = reduce(0, +) / Double(count)
    return reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count - 1)
  }
}

extension Metadata {
  fileprivate init(deviation: [Float], scale: Float) {
    self.init()
    self.deviation = deviation
    self.scale = scale
  }
}
