import Das3Adapt
import Das3Graph
import Das3Runtime
import Das3TestSupport
import Testing

@Suite("Losses")
struct LossTests {
  /// Scores, labels, what belongs to them, marks and probabilities at random.
  static func call(
    pixels: Int, classes: Int, losses: Losses = .all, bound: Float = 4, seed: UInt64 = 1
  ) -> LossCall {
    var random = SplitMix64(seed: seed)
    var call = LossCall(
      losses: losses, scores: random.floats(pixels * classes, bound: bound), classCount: classes,
      labels: random.bytes(pixels).map { $0 % 4 == 0 ? 255 : UInt8(Int($0) % classes) },
      negatives: random.bytes(pixels * ((classes + 7) / 8)))
    call.losses.rank = (classes + 1) / 2
    call.pixelWeights = random.bytes(pixels)
    guard losses == .all else { return call }
    call.confidences = random.bytes(pixels)
    call.probabilities = (0..<pixels).flatMap { _ in
      PredictionTests.softmax(random.floats(classes, bound: bound)[...]).map(Float.init)
    }
    return call
  }

  struct Case: CustomTestStringConvertible, Sendable {
    var classes: Int
    var gamma: Float
    var isCommon: Bool
    var testDescription: String {
      "\(classes) classes, gamma \(gamma), \(isCommon ? "common" : "all") losses"
    }
  }

  static let cases = [2, 3, 5, 8, 19, 21, 40].flatMap { classes in
    [0, 0.5, 1, 2.5, 3, 5].flatMap { gamma in
      [true, false].map { Case(classes: classes, gamma: gamma, isCommon: $0) }
    }
  }

  @Test("values and gradient are those of the formulas in double", arguments: cases)
  func reference(_ test: Case) throws {
    var call = Self.call(
      pixels: 19, classes: test.classes, losses: test.isCommon ? .common : .all)
    call.losses.gamma = test.gamma
    call.losses.lambda = 2
    if test.classes % 2 == 1 {
      call.losses.classWeights = (0..<test.classes).map { Float($0 % 5) / 2 }
    }
    // Below an exponent of 1 the slope goes to infinity where all scores are equal.
    if test.gamma < 1 { call.scores = call.scores.enumerated().map { $1 + Float($0 % 3) } }
    let actual = try call.run()
    let reference = ReferenceLosses(call)
    let scores = call.scores.map(Double.init)
    let wanted = reference.values(scores, held: reference.held(scores))
    for (name, value) in Self.fields where !test.isCommon || !Self.uncommon.contains(name) {
      let (a, b) = (actual.values[keyPath: value], wanted[keyPath: value])
      // Sums of float32 terms, each right to a few units in the last place.
      #expect(abs(a - b) <= 1e-6 * abs(b) + 1e-9, "\(name) is \(a), expected \(b)")
    }
    #expect(actual.values.labelledCount == wanted.labelledCount)
    let gradient = reference.gradient(scores)
    let largest = gradient.reduce(0) { max($0, abs($1)) }
    let worst = zip(actual.gradient, gradient).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
    #expect(worst <= 1e-5 * largest, "\(worst) of \(largest)")
  }

  @Test("ignored pixels count in no loss, whatever they hold", arguments: [2, 8, 19])
  func ignored(_ classes: Int) throws {
    let pixels = 700
    var random = SplitMix64(seed: 3)
    var call = Self.call(pixels: pixels, classes: classes)
    call.losses.classWeights = (0..<classes).map { 1 + Float($0 % 3) }
    let ignored = random.bytes(pixels).map { UInt8($0 % 3) }
    let kept = ignored.indices.filter { ignored[$0] == 0 }
    func rows<Value>(_ values: [Value]?) -> [Value]? {
      values.map { values in
        let size = values.count / pixels
        return kept.flatMap { values[$0 * size..<($0 + 1) * size] }
      }
    }
    let alone = try LossCall(
      losses: call.losses, scores: rows(call.scores) ?? [], classCount: classes,
      labels: rows(call.labels), confidences: rows(call.confidences),
      pixelWeights: rows(call.pixelWeights), negatives: rows(call.negatives),
      probabilities: rows(call.probabilities)
    ).run()
    for index in call.scores.indices where ignored[index / classes] != 0 {
      call.scores[index] = index % 2 == 0 ? .nan : .infinity
      call.probabilities?[index] = .nan
    }
    call.ignored = ignored
    for threads in [1, 2] {
      call.threads = threads
      let found = try call.run()
      for (name, value) in Self.fields {
        let (a, b) = (found.values[keyPath: value], alone.values[keyPath: value])
        #expect(abs(a - b) <= 1e-6 * abs(b) + 1e-9, "\(name) is \(a), expected \(b)")
      }
      #expect(found.values.labelledCount == alone.values.labelledCount)
      let gradient = rows(found.gradient) ?? []
      let largest = alone.gradient.reduce(0) { max($0, abs($1)) }
      let worst = zip(gradient, alone.gradient).reduce(0) { max($0, abs($1.0 - $1.1)) }
      #expect(worst <= 1e-5 * largest)
      for index in found.gradient.indices where ignored[index / classes] != 0 {
        #expect(found.gradient[index] == 0)
      }
    }
  }

  @Test("a mask that ignores nothing changes no bit; one that ignores all leaves nothing")
  func maskLimits() throws {
    var call = Self.call(pixels: 100, classes: 5)
    let plain = try call.run()
    call.ignored = [UInt8](repeating: 0, count: 100)
    #expect(try call.run() == plain)
    call.ignored = [UInt8](repeating: 1, count: 100)
    let none = try call.run()
    #expect(none.values.total == 0 && none.values.labelledCount == 0)
    #expect(none.gradient.allSatisfy { $0 == 0 })
  }

  static var fields: [(String, KeyPath<Losses.Values, Double>)] {
    [
      ("cross-entropy", \.crossEntropy), ("focal entropy", \.focalEntropy),
      ("diversity", \.diversity), ("negative", \.negative), ("entropy", \.entropy),
      ("max square", \.maxSquare), ("ranked negative", \.rankedNegative),
      ("small negative", \.smallNegative), ("consistency", \.consistency),
      ("divergence", \.divergence), ("total", \.total), ("mean entropy", \.meanEntropy),
    ]
  }

  /// What `Losses.common` leaves off.
  static let uncommon: Set = [
    "ranked negative", "small negative", "consistency", "divergence",
  ]

  @Test("a loss that is off is 0; the mean entropy is there whatever is on")
  func off() throws {
    let all = try Self.call(pixels: 50, classes: 5).run().values
    let none = try Self.call(pixels: 50, classes: 5, losses: Losses()).run()
    #expect(none.values.meanEntropy == all.meanEntropy)
    #expect(none.values.labelledCount == all.labelledCount)
    for (name, value) in Self.fields where name != "mean entropy" {
      #expect(none.values[keyPath: value] == 0, "\(name)")
      #expect(all[keyPath: value] != 0, "\(name)")
    }
    #expect(none.gradient.allSatisfy { $0 == 0 })
  }

  @Test("scores of ±1e4 give finite values and gradients", arguments: [1, 2, 3, 5, 19, 255, 256])
  func extremeScores(_ classes: Int) throws {
    for gamma: Float in [0, 0.5, 1, 3] {
      var call = Self.call(pixels: 64, classes: classes, seed: 3)
      call.losses.gamma = gamma
      var random = SplitMix64(seed: 4)
      call.scores = call.scores.map { _ in
        [-1e4, -88, -1, 0, 1, 87, 1e4].randomElement(using: &random) ?? 0
      }
      // All equal; one alone on top; one alone at the bottom.
      for c in 0..<classes {
        call.scores[c] = 1e4
        call.scores[classes + c] = c == 0 ? 1e4 : -1e4
        call.scores[2 * classes + c] = c == 0 ? -1e4 : 1e4
      }
      let result = try call.run()
      for (name, value) in Self.fields {
        #expect(result.values[keyPath: value].isFinite, "\(name), gamma \(gamma)")
      }
      #expect(result.gradient.allSatisfy { $0.isFinite }, "gamma \(gamma)")
    }
  }

  @Test("a certain and wrong pixel costs the distance of its scores")
  func certainAndWrong() throws {
    var losses = Losses()
    losses.crossEntropy = 1
    let result = try LossCall(
      losses: losses, scores: [1e4, -1e4, 0], classCount: 3, labels: [1]
    ).run()
    #expect(result.values.crossEntropy == 2e4)
    #expect(result.gradient == [1, -1, 0])
  }

  @Test("a certain class with a negative mark costs the stated bound and is pushed down")
  func certainAndMarked() throws {
    var losses = Losses()
    losses.negative = 1
    let result = try LossCall(
      losses: losses, scores: [1e4, -1e4, 0], classCount: 3, negatives: [0b001]
    ).run()
    #expect(abs(result.values.negative - 87.3365) < 1e-3)
    #expect(result.gradient[0] == 1)
    // 1 − p = 2e-9 is not representable beside p, but it is as the sum of the others.
    let near = try LossCall(
      losses: losses, scores: [20, 0, -1000], classCount: 3, negatives: [0b001]
    ).run()
    #expect(abs(near.values.negative - 20) < 1e-5)
    #expect(abs(near.gradient[0] - 1) < 1e-6 && abs(near.gradient[1] + 1) < 1e-6)
  }

  @Test("the entropy of an almost certain pixel keeps its digits")
  func smallEntropy() throws {
    var losses = Losses()
    losses.entropy = 1
    let result = try LossCall(losses: losses, scores: [30, 0], classCount: 2).run()
    // p log p of e = exp −30 beside 1: e (1 + 30) / log 2
    let wanted = 9.357622968840175e-14 * 31 / 0.6931471805599453
    #expect(abs(result.values.entropy - wanted) < 1e-5 * wanted)
    let slope = 9.357622968840175e-14 * 30 / 0.6931471805599453
    #expect(abs(Double(result.gradient[1]) - slope) < 1e-5 * slope)
    #expect(abs(Double(result.gradient[0]) + slope) < 1e-5 * slope)
  }

  @Test("class weights are one a class")
  func classWeights() {
    var losses = Losses()
    losses.classWeights = [1, 1]
    #expect(throws: Das3Error.self) { try Self.call(pixels: 5, classes: 3, losses: losses).run() }
  }

  @Test("labels that are no class do not count")
  func noClass() throws {
    var losses = Losses()
    losses.crossEntropy = 1
    let scores: [Float] = [1, 2, 3, 0, 0, 0, 3, 1, 2]
    let one = try LossCall(
      losses: losses, scores: scores, classCount: 3, labels: [0, 255, 3]
    ).run()
    let alone = try LossCall(
      losses: losses, scores: Array(scores[..<3]), classCount: 3, labels: [0]
    ).run()
    #expect(one.values.crossEntropy == alone.values.crossEntropy)
    #expect(one.values.labelledCount == 1)
    #expect(one.gradient == alone.gradient + [0, 0, 0, 0, 0, 0])
    let none = try LossCall(
      losses: losses, scores: scores, classCount: 3, labels: [255, 255, 255]
    ).run()
    #expect(none.values.crossEntropy == 0 && none.values.labelledCount == 0)
    #expect(none.gradient.allSatisfy { $0 == 0 })
  }

  @Test("a score that is not a number shows in the total and in the gradient")
  func notANumber() throws {
    var call = Self.call(pixels: 40, classes: 5)
    call.scores[17] = .nan
    let result = try call.run()
    #expect(result.values.total.isNaN)
    #expect(result.gradient.contains { $0.isNaN })
  }

  @Test("minus infinity is a class of probability 0")
  func minusInfinity() throws {
    var call = Self.call(pixels: 4, classes: 3)
    call.labels = nil
    call.negatives = nil
    // It is infinite where P is not 0.
    call.losses.divergence = 0
    for pixel in 0..<4 { call.scores[3 * pixel + 2] = -.infinity }
    let result = try call.run()
    #expect(result.values.total.isFinite)
    #expect(result.gradient.allSatisfy { $0.isFinite })
    #expect(stride(from: 2, to: 12, by: 3).allSatisfy { result.gradient[$0] == 0 })
  }

  @Test(
    "any number of threads gives the same bits", arguments: [5, 19, 33], [Losses.common, .all])
  func threads(_ classes: Int, _ losses: Losses) throws {
    var call = Self.call(pixels: 300 * 71, classes: classes, losses: losses)
    let one = try call.run()
    for threads in [2, 3] {
      call.threads = threads
      let isEqual = try call.run() == one
      #expect(isEqual, "\(threads) threads")
    }
  }

  @Test("the gradient may take the place of the scores, and leaves what lies between pixels")
  func strides() throws {
    var call = Self.call(pixels: 1100, classes: 5)
    let dense = try call.run()
    call.padding = 3
    let padded = try call.run()
    #expect(padded.values == dense.values)
    #expect(padded.gradient == dense.gradient)
    #expect(padded.padding.allSatisfy { $0 == 0 })
    call.isInPlace = true
    #expect(try call.run() == padded)
  }

  @Test("scale acts on the gradient alone")
  func scale() throws {
    var call = Self.call(pixels: 100, classes: 7)
    let whole = try call.run()
    call.scale = 0.5
    let half = try call.run()
    #expect(half.values == whole.values)
    #expect(half.gradient == whole.gradient.map { $0 / 2 })
  }

  @Test("sizes that do not fit are refused")
  func refusals() throws {
    #expect(throws: Das3Error.self) {
      try Self.call(pixels: 2, classes: 257).run()
    }
    let score: Float = 0
    try withUnsafePointer(to: score) { pointer in
      for (stride, pixels) in [(1, 0), (0, 1)] {
        #expect(throws: Das3Error.self) {
          try Losses.Batch(
            scores: pointer, scoreStride: stride, pixelCount: pixels, classCount: 1, gradient: nil,
            gradientStride: 1)
        }
      }
      let batch = try Losses.Batch(
        scores: pointer, scoreStride: 1, pixelCount: 1, classCount: 1, gradient: nil,
        gradientStride: 1)
      let scratch = try Arena(elementCount: 1)
      #expect(throws: Das3Error.self) {
        try Losses().evaluate(batch, scratch: scratch, threads: 1)
      }
    }
  }
}
