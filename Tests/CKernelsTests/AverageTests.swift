import CKernels
import Das3TestSupport
import Testing

@Suite("Average of weights")
struct AverageTests {
  @Test("the teacher keeps its share of itself", arguments: [0, 0.3, 0.5, 0.99, 0.9999, 1])
  func formula(_ momentum: Double) {
    var random = SplitMix64(seed: 1)
    let (before, weights) = (random.floats(70_003), random.floats(70_003))
    for threads: Int32 in [1, 2] {
      var (teacher, equal) = (before, weights)
      d3k_average(threads, &teacher, weights, 70_003, momentum)
      d3k_average(threads, &equal, weights, 70_003, momentum)
      let worst = teacher.indices.reduce(0) { worst, i in
        let wanted = momentum * Double(before[i]) + (1 - momentum) * Double(weights[i])
        return max(worst, abs(Double(teacher[i]) - wanted))
      }
      // Three roundings of values up to 2.
      #expect(worst <= 2e-7, "\(worst)")
      let isExact = equal == weights && (momentum != 0 || teacher == weights)
      #expect(isExact && (momentum != 1 || teacher == before))
    }
  }
}
