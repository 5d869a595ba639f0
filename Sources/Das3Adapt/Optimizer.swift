internal import CKernels
import Das3Graph
import Glibc

/// Parameters that are trained at one rate.
package struct ParameterGroup: Sendable, Equatable {
  package let name: String
  /// Learning rate at step 0.
  package var rate: Float
  /// Elements of the flat weight vector, one range a tensor.
  package let ranges: [Range<Int>]

  package init(name: String, rate: Float, ranges: [Range<Int>]) {
    self.name = name
    self.rate = rate
    self.ranges = ranges
  }

  package var elementCount: Int { ranges.reduce(0) { $0 + $1.count } }
}

/// A gradient → new weights.
///
/// Weights outside every group are frozen: neither moved nor decayed.
package struct Optimizer: Sendable, Equatable {
  package enum Rule: Sendable, Equatable {
    /// Stochastic gradient descent with momentum, as PyTorch's.
    ///
    ///     g = clip(gradient) + weightDecay · w      v = momentum · v + g      w = w − rate · v
    case sgd
    /// The same where the gradient is first brought to the length of all that is trained.
    ///
    ///     g = gradient · |w| / |gradient|           the rest as above, without clipping
    ///
    /// So a rate is the part of itself that the network moves in a step, whatever the network and
    /// the loss.
    case relative
    /// The same tensor by tensor: each is brought to the length of its own weights (You et al.,
    /// LARS, 2017, without its sum of norms).
    case lars
    /// Adam with decoupled weight decay (Loshchilov and Hutter, 2019), β₁ = momentum.
    case adamW
  }

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

  package var rule = Rule.sgd
  package var momentum: Float = 0.9
  package var weightDecay: Float = 5e-4
  /// The gradient of all groups together is brought down to this Euclidean norm; nil = it is not.
  package var clipNorm: Double?
  package var schedule = Schedule.constant
  /// A further factor of every rate.
  package var learningRateScale = 1.0

  /// Root mean square that a tensor counts with at least, where steps are relative to it.
  private static let leastRootMeanSquare = 1e-3
  /// Of AdamW.
  private static let (beta2, epsilon) = (0.999, 1e-8)

  package init(_ rule: Rule = .sgd, schedule: Schedule = .constant, clipNorm: Double? = nil) {
    self.rule = rule
    self.schedule = schedule
    self.clipNorm = clipNorm
  }

  /// What one step did.
  package struct Report: Sendable, Equatable {
    /// Euclidean norm of the gradient over all groups, before clipping.
    package let gradientNorm: Double
    /// The norm was infinite or not a number: nothing was changed.
    package var isSkipped: Bool
    /// Of each group.
    package let rates: [Float]

    /// No step was wanted.
    static let nothing = Report(gradientNorm: 0, isSkipped: false, rates: [])
  }

  /// The vectors that a step works on, each as long as the flat weight vector; lent.
  @safe package struct Vectors {
    let weights: UnsafeMutablePointer<Float>
    let gradient: UnsafePointer<Float>
    let velocity: UnsafeMutablePointer<Float>
    let squares: UnsafeMutablePointer<Float>?

    /// - Parameters:
    ///   - weights: changed in place.
    ///   - gradient: of the loss to each weight.
    ///   - velocity: zeros before the first step.
    ///   - squares: means of squared gradients, zeros before the first step; only for `adamW`.
    package init(
      weights: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>,
      velocity: UnsafeMutablePointer<Float>, squares: UnsafeMutablePointer<Float>? = nil
    ) {
      unsafe self.weights = weights
      unsafe self.gradient = gradient
      unsafe self.velocity = velocity
      unsafe self.squares = squares
    }
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
  ///   - vectors: weights, gradient and memory.
  ///   - threads: of the one pool.
  ///   - moves: false measures the gradient alone.
  /// - Returns: what was done; a gradient that is not finite changes nothing.
  package func step(
    _ step: Int, _ groups: [ParameterGroup], _ vectors: Vectors, threads: Int, moves: Bool = true
  ) -> Report {
    let threads = Int32(threads)
    let factor = schedule.factor(at: step) * learningRateScale
    let rates = groups.map { Float(Double($0.rate) * factor) }
    let norm = unsafe norm(of: vectors.gradient, groups, threads)
    guard norm.isFinite, moves else {
      return Report(gradientNorm: norm, isSkipped: true, rates: rates)
    }
    var scale: Float = 1
    if rule == .relative {
      let whole = unsafe self.norm(of: UnsafePointer(vectors.weights), groups, threads)
      scale = norm > 0 ? Float(min(whole / norm, Double(Float.greatestFiniteMagnitude))) : 0
    } else if let clipNorm {
      // What PyTorch adds to the norm, so that 0 may be divided by.
      scale = Float(min(1, clipNorm / (norm + 1e-6)))
    }
    let beta1 = Double(momentum)
    let bias1 = 1 - pow(beta1, Double(step + 1))
    let bias2 = 1 - pow(Self.beta2, Double(step + 1))
    for (index, group) in groups.enumerated() {
      for range in group.ranges {
        let (first, count) = (range.lowerBound, Int64(range.count))
        let (weights, gradient) = unsafe (vectors.weights + first, vectors.gradient + first)
        let velocity = unsafe vectors.velocity + first
        switch rule {
        case .adamW:
          guard let squares = unsafe vectors.squares else { continue }
          var step = d3k_adamw(
            rate: Double(rates[index]), beta1: beta1, beta2: Self.beta2, epsilon: Self.epsilon,
            weight_decay: Double(weightDecay), gradient_scale: Double(scale), bias1: bias1,
            bias2: bias2)
          unsafe d3k_adamw_step(
            threads, &step, weights, gradient, velocity, squares + first, count)
          continue
        case .lars:
          func length(_ vector: UnsafePointer<Float>) -> Double {
            unsafe d3k_sum_of_squares(threads, vector + first, count).squareRoot()
          }
          // Biases may start at 0.
          let least = Self.leastRootMeanSquare * Double(count).squareRoot()
          let own = max(unsafe length(UnsafePointer(vectors.weights)), least)
          let slope = unsafe length(vectors.gradient)
          scale = slope > 0 ? Float(min(own / slope, Double(Float.greatestFiniteMagnitude))) : 0
        case .relative, .sgd: break
        }
        var step = d3k_sgd(
          rate: rates[index], momentum: momentum, weight_decay: weightDecay, gradient_scale: scale)
        unsafe d3k_sgd_step(threads, &step, weights, gradient, velocity, count)
      }
    }
    return Report(gradientNorm: norm, isSkipped: false, rates: rates)
  }

  /// Euclidean norm of a vector over all groups.
  private func norm(of vector: UnsafePointer<Float>, _ groups: [ParameterGroup], _ threads: Int32)
    -> Double
  {
    var sum = 0.0
    for range in groups.lazy.flatMap(\.ranges) {
      unsafe sum += d3k_sum_of_squares(threads, vector + range.lowerBound, Int64(range.count))
    }
    return sum.squareRoot()
  }
}
