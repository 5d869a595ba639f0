import Das3Graph
import Das3TestSupport
import Testing

/// What a plan drops after the forward pass and computes again, and how long the search for it is.
@Suite("Plan recomputation")
struct PlanRecomputeTests {
  /// A sum of products: all of them are alive at once, and any may be dropped.
  private func sum(of count: Int) throws -> OnnxModel {
    try TestGraph.model {
      $0.input("x", [1, 3, 8, 8])
      $0.floats("w", [4, 3, 1, 1], [Float](repeating: 0.5, count: 12))
      $0.node("Conv", ["x", "w"], ["c"])
      for index in 0..<count {
        $0.floats("s\(index)", [4, 1, 1], [1, 2, 3, 4])
        $0.node("Mul", ["c", "s\(index)"], ["m\(index)"])
      }
      $0.node("Sum", (0..<count).map { "m\($0)" }, ["y"])
      $0.output("y")
    }
  }

  private func plan(_ model: OnnxModel, _ limit: Int?) throws -> Plan {
    try TestGraph.plan(model, [1, 3, 8, 8], training: { $0.frameElementLimit = limit })
  }

  @Test("what is tried grows no faster than a large network does", arguments: [nil, 0])
  func manyNodes(_ limit: Int?) throws {
    let small = try plan(sum(of: 400), limit).recomputeSearch
    let large = try plan(sum(of: 1600), limit).recomputeSearch
    // One activation after the other would be 16 times as much.
    #expect(large.stepCount > small.stepCount && large.stepCount <= 4 * small.stepCount)
    // Memory is laid out when something may be reached by it, not at every turn.
    #expect(small.layoutCount <= 3 && large.layoutCount <= 3)
  }

  @Test("a limit makes the memory of a frame smaller by steps of the backward pass alone")
  func limit() throws {
    let model = try sum(of: 40)
    let (free, bound) = (try plan(model, .max), try plan(model, 0))
    #expect(bound.frameElementCount < free.frameElementCount)
    #expect(bound.forwardCount == free.forwardCount && bound.steps.count > free.steps.count)
  }

  @Test("a limit that a plan keeps anyway changes nothing; a lower one never makes it larger")
  func monotonous() throws {
    let model = try sum(of: 40)
    let free = try plan(model, .max)
    #expect(try plan(model, free.frameElementCount).steps.count == free.steps.count)
    var last = free.frameElementCount
    for limit in stride(from: free.frameElementCount, through: 0, by: -free.frameElementCount / 8) {
      let found = try plan(model, limit).frameElementCount
      #expect(found <= last, "limit \(limit)")
      last = found
    }
  }
}
