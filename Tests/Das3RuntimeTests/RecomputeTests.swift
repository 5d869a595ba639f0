import Das3Graph
import Das3Runtime
import Das3TestSupport
import Testing

/// How long it takes to find what a plan drops and computes again.
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

  @Test("a network of thousands of nodes is planned in seconds", arguments: [nil, 0])
  func manyNodes(_ limit: Int?) throws {
    let options = ExecutionOptions(threads: 1)
    let test = sum(of: 2000)
    let duration = try ContinuousClock().measure {
      let trainer = try OperatorCase.Trainer(test, options, frameElementLimit: limit)
      #expect(trainer != nil)
    }
    #expect(duration < .seconds(30))
  }
}
