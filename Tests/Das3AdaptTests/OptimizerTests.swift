import Das3Adapt
import Das3Graph
import Das3TestSupport
import Foundation
import Testing

@Suite("Optimizer")
struct OptimizerTests {
  /// Weights and velocity in float32, and the same in double by the plain formula.
  struct Pair {
    var sgd: Optimizer
    var groups: [ParameterGroup]
    var weights: [Float]
    var velocity: [Float]
    var wantedWeights: [Double]
    var wantedVelocity: [Double]

    init(_ sgd: Optimizer, _ groups: [ParameterGroup], _ weights: [Float]) {
      self.sgd = sgd
      self.groups = groups
      self.weights = weights
      velocity = weights.map { _ in 0 }
      wantedWeights = weights.map(Double.init)
      wantedVelocity = weights.map { _ in 0 }
    }

    mutating func step(_ step: Int, _ gradient: [Float], threads: Int = 1) -> Optimizer.Report {
      weights.withUnsafeMutableBufferPointer { weights in
        velocity.withUnsafeMutableBufferPointer { velocity in
          gradient.withUnsafeBufferPointer { gradient in
            guard let w = weights.baseAddress, let v = velocity.baseAddress,
              let g = gradient.baseAddress
            else { fatalError("no weights") }
            return sgd.step(
              step, groups, .init(weights: w, gradient: g, velocity: v), threads: threads)
          }
        }
      }
    }

    mutating func wantedStep(factor: Double, _ gradient: [Float]) {
      let indices = groups.flatMap { $0.ranges.flatMap { Array($0) } }
      let norm = indices.reduce(0) { $0 + Double(gradient[$1]) * Double(gradient[$1]) }.squareRoot()
      let clip = sgd.clipNorm.map { min(1, $0 / (norm + 1e-6)) } ?? 1
      for group in groups {
        for index in group.ranges.flatMap({ Array($0) }) {
          let g =
            Double(gradient[index]) * clip + Double(sgd.weightDecay) * wantedWeights[index]
          wantedVelocity[index] = Double(sgd.momentum) * wantedVelocity[index] + g
          wantedWeights[index] -= Double(group.rate) * factor * wantedVelocity[index]
        }
      }
    }

    var worst: Double {
      zip(weights, wantedWeights).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
    }
  }

  static let groups = [
    ParameterGroup(name: "body", rate: 0.01, ranges: [3..<1500, 1600..<40_001]),
    ParameterGroup(name: "classifier", rate: 0.1, ranges: [1500..<1510, 41_000..<41_007]),
  ]
  static let count = 42_000

  struct Case: CustomTestStringConvertible, Sendable {
    var schedule: Optimizer.Schedule
    var clipNorm: Double?
    var testDescription: String { "\(schedule), clip \(clipNorm.map { "\($0)" } ?? "none")" }
  }

  @Test(
    "ten steps are those of the formula in double",
    arguments: [
      Case(schedule: .constant), Case(schedule: .poly(maxSteps: 12)),
      Case(schedule: .poly(power: 2, maxSteps: 10), clipNorm: 1),
      Case(schedule: .constant, clipNorm: 1e6),
    ])
  func formula(_ test: Case) throws {
    var random = SplitMix64(seed: 7)
    let sgd = Optimizer(schedule: test.schedule, clipNorm: test.clipNorm)
    try sgd.check(Self.groups, weightCount: Self.count)
    var pair = Pair(sgd, Self.groups, random.floats(Self.count))
    let before = pair.weights
    for step in 0..<10 {
      let gradient = random.floats(Self.count)
      let factor =
        switch test.schedule {
        case .constant: 1.0
        case .poly(let power, let maxSteps): pow(1 - Double(step) / Double(maxSteps), power)
        }
      pair.wantedStep(factor: factor, gradient)
      let report = pair.step(step, gradient)
      #expect(!report.isSkipped)
      for (rate, group) in zip(report.rates, Self.groups) {
        #expect(abs(Double(rate) - Double(group.rate) * factor) <= 1e-7)
      }
    }
    // Ten roundings of weights up to about 5.
    #expect(pair.worst <= 1e-5, "\(pair.worst)")
    let trained = Set(Self.groups.flatMap { $0.ranges.flatMap { Array($0) } })
    for index in 0..<Self.count {
      let isTouched = pair.weights[index] != before[index] || pair.velocity[index] != 0
      guard isTouched != trained.contains(index) else { continue }
      Issue.record("weight \(index) is \(isTouched ? "changed" : "left") though it should not")
      break
    }
  }

  @Test("the norm is that of all groups' gradient and of nothing else")
  func norm() {
    var gradient = [Float](repeating: .nan, count: Self.count)
    for range in Self.groups.flatMap(\.ranges) { for index in range { gradient[index] = 0 } }
    gradient[10] = 3e20
    gradient[41_003] = 4e20
    var pair = Pair(Optimizer(clipNorm: 2), Self.groups, gradient.map { _ in 0 })
    let report = pair.step(0, gradient)
    #expect(!report.isSkipped)
    #expect(abs(report.gradientNorm / 5e20 - 1) < 1e-6)
    #expect(abs(pair.velocity[10] - 1.2) < 1e-6 && abs(pair.velocity[41_003] - 1.6) < 1e-6)
  }

  @Test(
    "a gradient that is not finite changes nothing",
    arguments: [Float.nan, .infinity, -.infinity])
  func skipped(_ bad: Float) {
    var random = SplitMix64(seed: 8)
    var pair = Pair(Optimizer(clipNorm: 1), Self.groups, random.floats(Self.count))
    _ = pair.step(0, random.floats(Self.count))
    let (weights, velocity) = (pair.weights, pair.velocity)
    var gradient = random.floats(Self.count)
    gradient[41_006] = bad
    let report = pair.step(1, gradient)
    #expect(report.isSkipped && !report.gradientNorm.isFinite)
    let isUnchanged = pair.weights == weights && pair.velocity == velocity
    #expect(isUnchanged)
  }

  @Test("any number of threads gives the same bits")
  func threads() {
    var random = SplitMix64(seed: 9)
    let count = 1_000_003
    let groups = [ParameterGroup(name: "body", rate: 0.1, ranges: [1..<count])]
    let first = Pair(Optimizer(clipNorm: 1), groups, random.floats(count))
    let gradient = random.floats(count)
    var one = first
    let report = one.step(0, gradient)
    for threads in [2, 3] {
      var other = first
      #expect(other.step(0, gradient, threads: threads) == report)
      let isEqual = other.weights == one.weights && other.velocity == one.velocity
      #expect(isEqual, "\(threads) threads")
    }
  }

  @Test("poly falls from 1 to 0 and stays there")
  func poly() {
    let schedule = Optimizer.Schedule.poly(maxSteps: 4)
    #expect(schedule.factor(at: 0) == 1)
    #expect(abs(schedule.factor(at: 1) - pow(0.75, 0.9)) < 1e-12)
    #expect(schedule.factor(at: 4) == 0 && schedule.factor(at: 5) == 0)
  }

  @Test("groups and settings that make no sense are refused")
  func refusals() {
    func group(_ ranges: [Range<Int>], rate: Float = 0.1) -> [ParameterGroup] {
      [ParameterGroup(name: "g", rate: rate, ranges: ranges)]
    }
    let refused: [(Optimizer, [ParameterGroup])] = [
      (Optimizer(), group([0..<11])), (Optimizer(), group([-1..<2])),
      (Optimizer(), group([0..<5, 4..<6])),
      (Optimizer(), group([0..<2]) + group([1..<3])), (Optimizer(), group([0..<2], rate: .nan)),
      (Optimizer(), group([0..<2], rate: -1)), (Optimizer(clipNorm: 0), group([0..<2])),
      (Optimizer(clipNorm: .nan), group([0..<2])),
      (Optimizer(schedule: .poly(maxSteps: 0)), group([0..<2])),
    ]
    for (sgd, groups) in refused {
      #expect(throws: Das3Error.self) { try sgd.check(groups, weightCount: 10) }
    }
    #expect(throws: Never.self) { try Optimizer().check(group([5..<10, 0..<5]), weightCount: 10) }
  }
}
