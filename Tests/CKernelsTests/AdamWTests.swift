import CKernels
import Das3TestSupport
import Foundation
import Testing

@Suite("AdamW")
struct AdamWTests {
  struct State: Equatable {
    var weights, mean, square: [Float]

    init(_ weights: [Float]) {
      self.weights = weights
      mean = weights.map { _ in 0 }
      square = mean
    }

    /// `step` from 1.
    mutating func step(_ step: Int, _ gradient: [Float], scale: Double, threads: Int32 = 1) {
      var step = d3k_adamw(
        rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1,
        gradient_scale: scale, bias1: 1 - pow(0.9, Double(step)),
        bias2: 1 - pow(0.999, Double(step)))
      d3k_adamw_step(
        threads, &step, &weights, gradient, &mean, &square, Int64(weights.count))
    }
  }

  @Test("ten steps are those of the formula in double")
  func formula() {
    var random = SplitMix64(seed: 1)
    let count = 5003
    var state = State(random.floats(count))
    var weights = state.weights.map(Double.init)
    var mean = [Double](repeating: 0, count: count)
    var square = mean
    for step in 1...10 {
      let gradient = random.floats(count, bound: 3)
      state.step(step, gradient, scale: 0.25)
      for i in 0..<count {
        let g = Double(gradient[i]) * 0.25
        mean[i] = 0.9 * mean[i] + 0.1 * g
        square[i] = 0.999 * square[i] + 0.001 * g * g
        weights[i] -= 0.01 * 0.1 * weights[i]
        let root = (square[i] / (1 - pow(0.999, Double(step)))).squareRoot()
        weights[i] -= 0.01 * mean[i] / (1 - pow(0.9, Double(step))) / (root + 1e-8)
      }
    }
    let worst = zip(state.weights, weights).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
    // Ten roundings of weights up to 1 and of steps of 0.01.
    #expect(worst <= 1e-6, "\(worst)")
  }

  @Test("the first step is the rate against the gradient's sign, whatever its size")
  func firstStep() {
    var state = State([1, 1, 1, 0])
    state.step(1, [1e-3, -1e3, 0, 1], scale: 1)
    for (weight, wanted) in zip(state.weights, [0.989, 1.009, 0.999, -0.01]) {
      #expect(abs(Double(weight) - wanted) < 1e-6)
    }
  }

  @Test("any number of threads gives the same bits")
  func threads() {
    var random = SplitMix64(seed: 2)
    let first = State(random.floats(300_007))
    let gradient = random.floats(300_007)
    var one = first
    one.step(1, gradient, scale: 1)
    for threads: Int32 in [2, 3] {
      var other = first
      other.step(1, gradient, scale: 1, threads: threads)
      let isEqual = other == one
      #expect(isEqual, "\(threads) threads")
    }
  }
}
