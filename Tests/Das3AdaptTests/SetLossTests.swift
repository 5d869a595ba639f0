import Das3Adapt
import Das3Graph
import Das3TestSupport
import Foundation
import Testing

@Suite("Negative losses of ranked and of improbable classes")
struct SetLossTests {
  static func ranked(_ rank: Int) -> Losses {
    var losses = Losses()
    losses.rankedNegative = 1
    losses.rank = rank
    return losses
  }

  static var small: Losses {
    var losses = Losses()
    losses.smallNegative = 1
    return losses
  }

  @Test("every rank is found", arguments: [2, 3, 7, 19, 256])
  func ranks(_ classes: Int) throws {
    for rank in [1, 2, classes / 2, classes - 1, classes] where rank > 0 {
      let call = LossTests.call(pixels: 21, classes: classes, losses: Self.ranked(rank))
      var ranked = call
      ranked.losses.rank = rank
      let result = try ranked.run()
      var wanted = 0.0
      for pixel in 0..<21 {
        let p = PredictionTests.softmax(call.scores[pixel * classes..<(pixel + 1) * classes])
        let k = p.indices.sorted { p[$0] > p[$1] }[rank - 1]
        wanted -= log1p(-p[k]) / 21
        for c in 0..<classes {
          let slope = (c == k ? p[c] : -p[c] * p[k] / (1 - p[k])) / 21
          let found = Double(result.gradient[pixel * classes + c])
          #expect(abs(found - slope) <= 1e-5 * abs(slope) + 1e-12, "rank \(rank), class \(c)")
        }
      }
      #expect(abs(result.values.rankedNegative - wanted) <= 2e-6 * wanted, "rank \(rank)")
    }
  }

  @Test("of equal classes the first comes before", arguments: 1...4)
  func ties(_ rank: Int) throws {
    let result = try LossCall(
      losses: Self.ranked(rank), scores: [2, 2, -1000, 2], classCount: 4
    ).run()
    let pushed = [0, 1, 3][min(rank, 3) - 1]
    guard rank < 4 else {
      // The last has no probability that could fall.
      #expect(result.values.rankedNegative == 0 && result.gradient.allSatisfy { $0 == 0 })
      return
    }
    #expect(abs(result.values.rankedNegative - log(1.5)) < 1e-6)
    for c in 0..<4 {
      let wanted: Float = c == 2 ? 0 : c == pushed ? 1.0 / 3 : -1.0 / 6
      #expect(abs(result.gradient[c] - wanted) < 1e-7)
    }
  }

  @Test("a certain class costs the stated bound and is pushed down")
  func certain() throws {
    var losses = Self.ranked(1)
    losses.rankedNegative = 100
    let result = try LossCall(losses: losses, scores: [1e4, -1e4, 0], classCount: 3).run()
    #expect(abs(result.values.rankedNegative - 87.3365) < 1e-3)
    #expect(result.gradient[0] == 100 && result.gradient.allSatisfy(\.isFinite))
    let near = try LossCall(losses: Self.ranked(1), scores: [20, 0, -1000], classCount: 3).run()
    #expect(abs(near.values.rankedNegative - 20) < 1e-5)
    #expect(abs(near.gradient[0] - 1) < 1e-6 && abs(near.gradient[1] + 1) < 1e-6)
  }

  @Test("one class has no rank to learn from; a rank beyond the classes is refused")
  func limits() throws {
    let one = try LossCall(losses: Self.ranked(1), scores: [3, 4], classCount: 1).run()
    #expect(one.values.rankedNegative == 0 && one.gradient == [0, 0] && !one.values.selects)
    for rank in [-1, 0, 4, Int.max] {
      #expect(throws: Das3Error.self) {
        try LossCall(losses: Self.ranked(rank), scores: [1, 2, 3], classCount: 3).run()
      }
    }
  }

  @Test("improbable classes are pushed down as one")
  func improbable() throws {
    let p = [0.9, 0.03, 0.05, 0.02]
    let result = try LossCall(
      losses: Self.small, scores: p.map { Float(log($0)) }, classCount: 4
    ).run()
    #expect(abs(result.values.smallNegative + log(0.95)) < 1e-6)
    let odds = 0.05 / 0.95
    for (a, b) in zip(result.gradient, [-0.9 * odds, 0.03, -0.05 * odds, 0.02]) {
      #expect(abs(Double(a) - b) < 1e-7)
    }
  }

  @Test(
    "a pixel says nothing where all classes are improbable, or none is", arguments: [1, 40, 256])
  func allOrNone(_ classes: Int) throws {
    for bound: Float in [0, 0.5 / Float(classes), 2] {
      var losses = Self.small
      losses.smallProbability = bound
      let result = try LossCall(
        losses: losses, scores: [Float](repeating: 7, count: classes), classCount: classes
      ).run()
      #expect(result.values.smallNegative == 0 && !result.values.selects)
      #expect(result.gradient.allSatisfy { $0 == 0 })
    }
  }

  @Test("many improbable classes outweigh the only other one")
  func many() throws {
    var scores = [Float](repeating: 0, count: 256)
    scores[7] = Float(log(255 / 19.0))
    let result = try LossCall(losses: Self.small, scores: scores, classCount: 256).run()
    #expect(abs(result.values.smallNegative + log(0.05)) < 1e-5)
    #expect(abs(result.gradient[7] + 0.95) < 1e-5)
  }

  @Test("a score that is not a number shows", arguments: [small, ranked(1), ranked(3)])
  func notANumber(_ losses: Losses) throws {
    for index in 0..<4 {
      var scores: [Float] = [1, 2, 3, 4]
      scores[index] = .nan
      let result = try LossCall(losses: losses, scores: scores, classCount: 4).run()
      #expect(result.values.total.isNaN && result.gradient.contains { $0.isNaN })
    }
  }
}
