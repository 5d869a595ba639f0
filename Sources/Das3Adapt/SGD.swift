internal import CKernels
import Das3Graph
import Glibc

/// Parts of the flat weight vector that are trained at one rate.
package struct ParameterGroup: Sendable, Equatable {
  package let name: String
  /// Learning rate at step 0.
  package var rate: Float
  /// Elements of the flat weight vector.
  package let ranges: [Range<Int>]

  package init(name: String, rate: Float, ranges: [Range<Int>]) {
    self.name = name
    self.rate = rate
    self.ranges = ranges
  }

  package var elementCount: Int { ranges.reduce(0) { $0 + $1.count } }
}

/// A gradient → new weights: stochastic gradient descent with momentum and weight decay.
///
///     g = clip(gradient) + weightDecay · w        v = momentum · v + g        w = w − rate · v
///
/// Weights outside every group are frozen: neither moved nor decayed.
package struct SGD: Sendable, Equatable {
  /// How the rates of the groups change.
  package enum Schedule: Sendable, Equatable {
    case constant
    /// (1 − step / maxSteps)^power; 0 from `maxSteps` on.
    case poly(power: Double = 0.9, maxSteps: Int)

    /// The factor of every rate at `step`, counted from 0; 0…1.
    package func factor(at step: Int) -> Double {
      switch self {
      case .constant: 1
      case .poly(let power, let maxSteps):
        step < maxSteps ? pow(1 - Double(step) / Double(maxSteps), power) : 0
      }
    }
  }

  package var momentum: Float = 0.9
  package var weightDecay: Float = 5e-4
  /// The gradient of all groups together is brought down to this Euclidean norm; nil = it is not.
  package var clipNorm: Double?
  package var schedule = Schedule.constant

  package init(schedule: Schedule = .constant, clipNorm: Double? = nil) {
    self.schedule = schedule
    self.clipNorm = clipNorm
  }

  /// What one step did.
  package struct Report: Sendable, Equatable {
    /// Euclidean norm of the gradient over all groups, before clipping.
    package let gradientNorm: Double
    /// The norm was infinite or not a number: nothing was changed.
    package let isSkipped: Bool
    /// Of each group.
    package let rates: [Float]
  }

  /// Checks once what every step then relies on.
  ///
  /// - Throws: `.argument` for a range outside 0..<`weightCount` or an element in two of them, for
  ///   a rate, momentum or decay that is negative or not finite, and for a clip norm or a number of
  ///   steps that is not positive.
  package func check(_ groups: [ParameterGroup], weightCount: Int) throws(Das3Error) {
    for (name, value) in [("momentum", momentum), ("weight decay", weightDecay)]
      + groups.map({ ("rate of '\($0.name)'", $0.rate) })
    {
      guard value.isFinite, value >= 0 else {
        throw .argument("\(name) is \(value); expected a number from 0")
      }
    }
    if let clipNorm, !(clipNorm > 0) {
      throw .argument("clip norm is \(clipNorm); expected a positive number")
    }
    if case .poly(let power, let maxSteps) = schedule, maxSteps < 1 || !(power >= 0) {
      throw .argument(
        "poly schedule of \(maxSteps) steps, power \(power); expected 1 step, power 0")
    }
    var end = 0
    for range in groups.flatMap(\.ranges).sorted(by: { $0.lowerBound < $1.lowerBound }) {
      guard range.lowerBound >= end, range.upperBound <= weightCount else {
        throw .argument("range \(range) of \(weightCount) weights is in two groups or outside")
      }
      end = range.upperBound
    }
  }

  /// One step, in place.
  ///
  /// - Cost: reads the gradient once for its norm, then one pass over all; the same bits for any
  ///   thread count.
  /// - Parameters:
  ///   - step: from 0, for the schedule.
  ///   - groups: as checked by `check`.
  ///   - weights: the flat weight vector.
  ///   - gradient: of the loss to each weight.
  ///   - velocity: one a weight; zeros before the first step.
  ///   - threads: of the one pool.
  /// - Returns: what was done; a gradient that is not finite changes nothing.
  package func step(
    _ step: Int, _ groups: [ParameterGroup], weights: UnsafeMutablePointer<Float>,
    gradient: UnsafePointer<Float>, velocity: UnsafeMutablePointer<Float>, threads: Int
  ) -> Report {
    let factor = schedule.factor(at: step)
    let rates = groups.map { Float(Double($0.rate) * factor) }
    var sum = 0.0
    for range in groups.lazy.flatMap(\.ranges) {
      unsafe sum += d3k_sum_of_squares(
        Int32(threads), gradient + range.lowerBound, Int64(range.count))
    }
    let norm = sum.squareRoot()
    guard norm.isFinite else { return Report(gradientNorm: norm, isSkipped: true, rates: rates) }
    // What PyTorch adds to the norm, so that 0 may be divided by.
    let scale = clipNorm.map { Float(min(1, $0 / (norm + 1e-6))) } ?? 1
    for (group, rate) in zip(groups, rates) {
      for range in group.ranges {
        let first = range.lowerBound
        unsafe d3k_sgd_step(
          Int32(threads), weights + first, gradient + first, velocity + first, Int64(range.count),
          rate, momentum, weightDecay, scale)
      }
    }
    return Report(gradientNorm: norm, isSkipped: false, rates: rates)
  }
}
