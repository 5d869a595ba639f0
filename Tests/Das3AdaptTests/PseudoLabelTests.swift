import Das3Adapt
import Das3Graph
import Das3TestSupport
import Testing

@Suite("Pseudo labels")
struct PseudoLabelTests {
  static let shape = Shape([1, 5, 11, 13])

  /// Predictions of a made-up network: any labels and probabilities, ties among them.
  static func prediction(of frame: Int) -> Prediction {
    var random = Random(seed: 7, frame)
    var prediction = Prediction(shape: shape)
    for index in prediction.labels.indices {
      prediction.labels[index] = UInt8(random.below(4))
      prediction.confidence[index] = Float(random.below(200)) / 256 + 0.2
      prediction.negatives[index] = UInt8(random.below(32))
    }
    prediction.meanEntropy = Double(random.uniform(0...1))
    prediction.masses = [80, 2, 20, 400, 1]
    return prediction
  }

  /// Equation 4 by sorting.
  static func sortedThresholds(_ frameCount: Int, share: Double) -> [Float] {
    var values = [[Float]](repeating: [], count: 5)
    for frame in 0..<frameCount {
      let prediction = prediction(of: frame)
      for (label, confidence) in zip(prediction.labels, prediction.confidence) {
        values[Int(label)].append(confidence)
      }
    }
    return values.map { values in
      guard !values.isEmpty else { return 1 }
      return share >= 1 ? 0 : values.sorted(by: >)[Int(share * Double(values.count))]
    }
  }

  static func labels(_ frameCount: Int, share: Double, memoryLimit: Int) throws -> PseudoLabels {
    try PseudoLabels(
      in: LabelStore(frameCount: frameCount, shape: shape, memoryLimit: memoryLimit),
      share: share
    ) { frame, prediction in prediction = Self.prediction(of: frame) }
  }

  @Test(
    "thresholds are those of the sorted probabilities, and labels those above them",
    arguments: [0, 0.3, 0.65, 0.999, 1], [Int.max, 4000, 0])
  func thresholds(share: Double, memoryLimit: Int) throws {
    let labels = try Self.labels(9, share: share, memoryLimit: memoryLimit)
    let thresholds = Self.sortedThresholds(9, share: share)
    #expect(labels.thresholds.values == thresholds)
    #expect(labels.memoryByteCount <= max(0, memoryLimit))
    var (positives, negatives) = (
      [UInt8](repeating: 0, count: 143), [UInt8](repeating: 0, count: 143)
    )
    var kept = 0
    for frame in 0..<9 {
      try labels.readLabels(of: frame, into: &positives)
      try labels.readNegatives(of: frame, into: &negatives)
      let prediction = Self.prediction(of: frame)
      let wanted = zip(prediction.labels, prediction.confidence).map { label, confidence in
        confidence > thresholds[Int(label)] ? label : 255
      }
      #expect(positives == wanted && negatives == prediction.negatives)
      kept += wanted.filter { $0 != 255 }.count
    }
    #expect(labels.coverage == Double(kept) / Double(9 * 143))
    #expect(labels.entropies == (0..<9).map { Self.prediction(of: $0).meanEntropy })
  }

  @Test("labels that are all equally certain are all kept", arguments: [1, 0.75] as [Float])
  func ties(confidence: Float) throws {
    let labels = try PseudoLabels(
      in: LabelStore(frameCount: 2, shape: Self.shape), share: 0.65
    ) { frame, prediction in
      prediction = Self.prediction(of: frame)
      for index in prediction.confidence.indices { prediction.confidence[index] = confidence }
    }
    #expect(labels.coverage == 1)
    #expect(labels.thresholds.values[..<4].allSatisfy { $0 == confidence.nextDown })
  }

  @Test("a class counts as often as it is expected, four times its labels at most")
  func classWeights() throws {
    let labels = try Self.labels(9, share: 0.65, memoryLimit: .max)
    var counts = [Double](repeating: 0, count: 5)
    for frame in 0..<9 {
      for label in Self.prediction(of: frame).labels { counts[Int(label)] += 1 }
    }
    let first = Float(9 * 80 / counts[0])
    #expect(first > 1 && first < 4)
    #expect(labels.classWeights[0] == first && labels.classWeights[2] < 1)
    #expect(labels.classWeights[1] == 0.25 && labels.classWeights[3...] == [4, 4])
  }

  @Test("a place that cannot be written is named")
  func unwritable() {
    #expect {
      _ = try PseudoLabels(
        in: LabelStore(
          frameCount: 1, shape: Self.shape, memoryLimit: 0, directory: "/no/such/place"),
        share: 0.5
      ) { _, _ in }
    } throws: { error in
      let error = error as? Das3Error
      return error?.code == .io && error?.message.contains("/no/such/place") == true
    }
  }

  @Test("the most certain frames are easy, at least one")
  func ranking() {
    let rank = PseudoLabels.rank([0.3, 0.1, 0.2, 0.1], share: 0.5)
    #expect(rank.easy == [1, 3] && rank.hard == [2, 0])
    #expect(PseudoLabels.rank([0.5], share: 0).easy == [0])
    #expect(PseudoLabels.rank([0.5, 0.4], share: 1).hard.isEmpty)
  }
}
