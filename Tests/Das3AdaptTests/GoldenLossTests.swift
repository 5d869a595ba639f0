import Das3Adapt
import Das3Graph
import Das3TestSupport
import Testing

/// Every loss of the method against PyTorch's value and gradient (losses.npz).
@Suite(
  "Golden losses",
  .enabled(if: (try? GoldenFile("losses.logits")) != nil, "DAS3_GOLDEN holds no reference vectors"))
struct GoldenLossTests {
  /// One value and gradient of the file, and what it was made from.
  struct Case: CustomTestStringConvertible, Sendable {
    var name: String
    var scores = "logits"
    var labels: String?
    var negatives: String?
    var losses: Losses
    /// What the reference itself, in float32, is off by: a part of its largest gradient.
    var rounding: Float
    var testDescription: String { name }

    init(
      _ name: String, scores: String = "logits", labels: String? = nil, negatives: String? = nil,
      rounding: Float = 1e-6, _ change: (inout Losses) -> Void
    ) {
      self.name = name
      self.scores = scores
      self.labels = labels
      self.negatives = negatives
      self.rounding = rounding
      losses = Losses()
      change(&losses)
    }
  }

  static let cases = [
    Case("fel") { $0.focalEntropy = 0.002 },
    Case("fel_alpha1_g0") {
      $0.focalEntropy = 1
      $0.gamma = 0
    },
    Case("fel_alpha1_g5") {
      $0.focalEntropy = 1
      $0.gamma = 5
    },
    Case("div") { $0.diversity = 1 },
    Case("stage_a") {
      $0.focalEntropy = 0.002
      $0.diversity = 0.0002
    },
    Case("ppl_valid", labels: "pseudo") { $0.crossEntropy = 1 },
    Case("npl", negatives: "neg_bits") { $0.negative = 1 },
    Case("bst", labels: "pseudo", negatives: "neg_bits") {
      $0.crossEntropy = 1
      $0.negative = 1
    },
    // Against the same formula in double the reference is off by 1.22e-5.
    Case("div_batch2", scores: "logits2", rounding: 1.4e-5) { $0.diversity = 1 },
    Case("fel_batch2", scores: "logits2") { $0.focalEntropy = 0.002 },
    Case("mix", scores: "mix_student_logits", labels: "mix_label") { $0.crossEntropy = 1 },
  ]

  @Test("value and gradient are the reference's", arguments: cases)
  func reference(_ test: Case) throws {
    let scores = try GoldenFile("losses.\(test.scores)")
    let result = try LossCall(
      losses: test.losses, scores: scores.floats, classCount: scores.dims[3],
      labels: test.labels.map { try GoldenFile("losses.\($0)").bytes },
      negatives: test.negatives.map { try GoldenFile("losses.\($0)").bytes }
    ).run()
    // In stage (a) the parts almost cancel: what counts is their size.
    let values = result.values
    let size = max(abs(values.total), Double(test.losses.focalEntropy) * values.focalEntropy)
    let value = Double(try #require(try GoldenFile("losses.\(test.name)").floats.first))
    #expect(abs(values.total - value) <= 1e-5 * size, "\(values.total), expected \(value)")
    let gradient = try GoldenFile("losses.grad_\(test.name)").floats
    let largest = gradient.reduce(0) { max($0, abs($1)) }
    #expect(gradient.count == result.gradient.count)
    for (index, (a, b)) in zip(result.gradient, gradient).enumerated() {
      #expect(
        abs(a - b) <= 1e-5 * abs(b) + test.rounding * largest, "[\(index)] is \(a), expected \(b)")
    }
  }

  @Test("the entropy of each pixel is the reference's")
  func entropy() throws {
    let scores = try GoldenFile("losses.logits")
    let classCount = scores.dims[3]
    for (index, wanted) in try GoldenFile("losses.entropy").floats.enumerated() {
      let pixel = scores.floats[index * classCount..<(index + 1) * classCount]
      let values = try LossCall(
        losses: Losses(), scores: Array(pixel), classCount: classCount
      ).run().values
      #expect(abs(values.meanEntropy - Double(wanted)) <= 1e-6)
    }
  }

  @Test("thresholds and labels are exactly the reference's")
  func labels() throws {
    let shape = Shape([1, 5, 6, 7])
    let probabilities = try GoldenFile("losses.fixed_prob").floats
    let labels = try PseudoLabels(
      in: LabelStore(frameCount: 1, shape: shape), share: 0.65
    ) { _, prediction in
      probabilities.withUnsafeBufferPointer { values in
        guard let start = values.baseAddress else { return }
        prediction.fill(
          scores: start, stride: 5, isProbability: true, negativeThreshold: 0.05, threads: 1)
      }
    }
    #expect(try labels.thresholds.values == GoldenFile("losses.thresholds").floats)
    var found = Prediction(shape: shape)
    try labels.readLabels(of: 0, into: &found.labels)
    try labels.readNegatives(of: 0, into: &found.negatives)
    #expect(try found.labels == GoldenFile("losses.pseudo").bytes)
    #expect(try found.negatives == GoldenFile("losses.neg_bits").bytes)
  }

  @Test("frames are ranked, and labels mixed, exactly as the reference does")
  func rankingAndMixing() throws {
    let entropies = try GoldenFile("losses.ent_mean").floats.map(Double.init)
    let rank = PseudoLabels.rank(entropies, share: 0.3)
    #expect(try rank.easy == GoldenFile("losses.easy").bytes.map(Int.init))
    #expect(try rank.easy + rank.hard == GoldenFile("losses.ent_order").bytes.map(Int.init))
    let first = try GoldenFile("losses.mix_yi").bytes
    let mask = try GoldenFile("losses.mix_mask").bytes
    let chosen = Set(zip(first, mask).filter { $0.1 != 0 }.map(\.0))
    var mix = FrameMix()
    mix.cut(Array(chosen), outOf: first, threads: 1)
    #expect(mix.mask == mask)
    var labels = try GoldenFile("losses.mix_yj").bytes
    mix.mix(first, over: &labels, threads: 1)
    #expect(try labels == GoldenFile("losses.mix_label").bytes)
    // Half of the classes, rounded up.
    #expect(chosen.count == (Set(first).count + 1) / 2)
  }
}
