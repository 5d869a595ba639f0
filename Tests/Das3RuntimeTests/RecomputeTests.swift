import Das3Graph
import Das3Runtime
import Das3TestSupport
import Testing

/// How much is tried to find what a plan drops and computes again.
@Suite("Recomputation")
struct RecomputeTests {
  /// A sum of thousands of products: all of them are alive at once, and any may be dropped.
  private func sum(of count: Int) -> OperatorCase {
    let products = (0..<count).map { OnnxWriter.Node("Mul", ["c", "s\($0)"], ["m\($0)"]) }
    return OperatorCase(
      "sum of \(count) products 1×4×8×8",
      inputs: [.frame([1, 3, 8, 8]).named("x"), .weight([4, 3, 1, 1]).named("w")]
        + (0..<count).map { .weight([4, 1, 1]).named("s\($0)") },
      nodes: [OnnxWriter.Node("Conv", ["x", "w"], ["c"])] + products + [
        OnnxWriter.Node("Sum", (0..<count).map { "m\($0)" }, ["y"])
      ])
  }

  /// Steps of plans that were tried, and layouts of memory, which are what the time goes into.
  private func search(of count: Int, _ limit: Int?) throws -> Plan.RecomputeSearch {
    let trainer = try OperatorCase.Trainer(
      sum(of: count), ExecutionOptions(threads: 1), frameElementLimit: limit)
    return try #require(trainer).plan.recomputeSearch
  }

  @Test("what is tried grows no faster than a large network does", arguments: [nil, 0])
  func manyNodes(_ limit: Int?) throws {
    let (small, large) = (try search(of: 400, limit), try search(of: 1600, limit))
    // One activation after the other would be 16 times as much.
    #expect(large.stepCount > small.stepCount && large.stepCount <= 4 * small.stepCount)
    // Memory is laid out when something may be reached by it, not at every turn.
    #expect(small.layoutCount <= 3 && large.layoutCount <= 3)
  }
}
