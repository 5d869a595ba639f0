import Das3Adapt
import Das3TestSupport
import Foundation
import Testing

@Suite("Consistency, divergence and mutual information")
struct ConsistencyLossTests {
  static var consistency: Losses {
    var losses = Losses()
    losses.consistency = 1
    return losses
  }

  @Test("the gradient is that of the squared distance, P held")
  func distance() throws {
    let (p, target) = ([0.7, 0.2, 0.1], [0.3, 0.6, 0.1])
    let result = try LossCall(
      losses: Self.consistency, scores: p.map { Float(log($0)) }, classCount: 3,
      probabilities: target.map(Float.init)
    ).run()
    #expect(abs(result.values.consistency - 0.32) < 1e-6)
    let slopes = zip(p, target).map { 2 * ($0 - $1) }
    let mean = zip(p, slopes).reduce(0) { $0 + $1.0 * $1.1 }
    for c in 0..<3 {
      #expect(abs(Double(result.gradient[c]) - p[c] * (slopes[c] - mean)) < 1e-7)
    }
  }

  @Test("what is equal costs nothing, what is opposite 2, and both are still")
  func limits() throws {
    var call = LossCall(
      losses: Self.consistency, scores: [1e4, -1e4], classCount: 2, probabilities: [1, 0])
    let equal = try call.run()
    #expect(equal.values.consistency == 0 && equal.gradient == [0, 0] && equal.values.selects)
    call.probabilities = [0, 1]
    let opposite = try call.run()
    #expect(opposite.values.consistency == 2 && opposite.gradient == [0, 0])
    call.probabilities = nil
    let none = try call.run()
    #expect(none.values.consistency == 0 && none.gradient == [0, 0] && !none.values.selects)
    let one = try LossCall(
      losses: Self.consistency, scores: [5], classCount: 1, probabilities: [1]
    ).run()
    #expect(one.values.consistency == 0 && one.gradient == [0])
  }

  @Test("a probability that is not a number shows")
  func notANumber() throws {
    let result = try LossCall(
      losses: Self.consistency, scores: [1, 2], classCount: 2, probabilities: [.nan, 0.5]
    ).run()
    #expect(result.values.consistency.isNaN && result.gradient.allSatisfy(\.isNaN))
  }

  static var divergence: Losses {
    var losses = Losses()
    losses.divergence = 1
    return losses
  }

  @Test("the divergence from P has the gradient p - P")
  func divergence() throws {
    let (p, target) = ([0.7, 0.2, 0.1], [0.3, 0.7, 0])
    let result = try LossCall(
      losses: Self.divergence, scores: p.map { Float(log($0)) }, classCount: 3,
      probabilities: target.map(Float.init)
    ).run()
    let wanted = 0.3 * log(0.3 / 0.7) + 0.7 * log(0.7 / 0.2)
    #expect(abs(result.values.divergence - wanted) < 1e-6 && result.values.selects)
    for c in 0..<3 {
      #expect(abs(Double(result.gradient[c]) - (p[c] - target[c])) < 1e-7)
    }
  }

  @Test("what is equal is not divergent; what is ruled out costs the distance of its scores")
  func divergenceLimits() throws {
    var call = LossCall(
      losses: Self.divergence, scores: [1e4, -1e4], classCount: 2, probabilities: [1, 0])
    let equal = try call.run()
    #expect(equal.values.divergence == 0 && equal.gradient == [0, 0])
    call.probabilities = [0, 1]
    let opposite = try call.run()
    #expect(opposite.values.divergence == 2e4 && opposite.gradient == [1, -1])
    call.probabilities = [.nan, 1]
    #expect(try call.run().values.divergence.isNaN)
    (call.scores, call.probabilities) = ([-.infinity, 5], [0, 1])
    let certain = try call.run()
    #expect(certain.values.divergence == 0 && certain.gradient == [0, 0])
    call.probabilities = nil
    let none = try call.run()
    #expect(none.values.divergence == 0 && none.gradient == [0, 0] && !none.values.selects)
    let one = try LossCall(
      losses: Self.divergence, scores: [5], classCount: 1, probabilities: [1]
    ).run()
    #expect(one.values.divergence == 0 && one.gradient == [0])
  }

  @Test("entropy and diversity without weights are mutual information", arguments: [2, 5, 19])
  func mutualInformation(_ classes: Int) throws {
    var losses = Losses()
    (losses.entropy, losses.diversity, losses.lambda) = (1, 1, 0)
    let pixels = 37
    var random = SplitMix64(seed: 9)
    let scores = random.floats(pixels * classes, bound: 4)
    let result = try LossCall(losses: losses, scores: scores, classCount: classes).run()
    func entropy(_ p: [Double]) -> Double { -p.reduce(0) { $0 + $1 * log($1) } }
    /// In parts of log C.
    func information(_ scores: [Double]) -> Double {
      var (mean, own) = ([Double](repeating: 0, count: classes), 0.0)
      for pixel in 0..<pixels {
        let powers = scores[pixel * classes..<(pixel + 1) * classes].map { exp($0) }
        let p = powers.map { $0 / powers.reduce(0, +) }
        for c in 0..<classes { mean[c] += p[c] / Double(pixels) }
        own += entropy(p) / Double(pixels)
      }
      return (entropy(mean) - own) / log(Double(classes))
    }
    var moved = scores.map(Double.init)
    #expect(abs(result.values.total + information(moved)) < 1e-6)
    let largest = result.gradient.reduce(0) { max($0, abs($1)) }
    for index in moved.indices {
      let (own, step) = (moved[index], 1e-5)
      moved[index] = own + step
      let above = information(moved)
      moved[index] = own - step
      let slope = (above - information(moved)) / (2 * step)
      moved[index] = own
      #expect(abs(Double(result.gradient[index]) + slope) <= 1e-5 * Double(largest))
    }
  }
}
