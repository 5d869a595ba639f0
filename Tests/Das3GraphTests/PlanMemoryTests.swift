import Das3Graph
import Das3TestSupport
import Testing

/// Where buffers lie in the memory of a frame.
@Suite("Plan memory")
struct PlanMemoryTests {
  private static let sizes = [[1, 3, 16, 24], [1, 3, 32, 32]]

  private func convolutional(_ dims: [Int], isTrained: Bool) throws -> Plan {
    let model = try TestGraph.model(SampleModels.convolutional())
    return try TestGraph.plan(model, dims, training: isTrained ? { _ in } : nil)
  }

  @Test("buffers that live at the same time never overlap", arguments: sizes, [false, true])
  func apart(_ dims: [Int], _ isTrained: Bool) throws {
    let plan = try convolutional(dims, isTrained: isTrained)
    let alive = plan.buffers.filter { $0.region == .frame && $0.firstStep <= $0.lastStep }
    #expect(alive.count > 3)
    for (index, a) in alive.enumerated() {
      for b in alive[(index + 1)...] {
        // A result that overwrites its input begins in the step in which the input ends.
        let meets = a.firstStep < b.lastStep && b.firstStep < a.lastStep
        let overlaps = a.offset < b.offset + b.elementCount && b.offset < a.offset + a.elementCount
        let isOnePlace = a.offset == b.offset && a.elementCount == b.elementCount
        #expect(!meets || !overlaps || isOnePlace, "\(a) and \(b)")
      }
    }
  }

  @Test("every buffer starts at a multiple of the alignment and ends within its region")
  func bounds() throws {
    let plan = try convolutional([1, 3, 16, 24], isTrained: true)
    for buffer in plan.buffers where buffer.firstStep <= buffer.lastStep {
      let end = buffer.offset + buffer.elementCount
      switch buffer.region {
      case .frame:
        #expect(buffer.offset % Plan.alignment == 0 && end <= plan.frameElementCount)
      case .model:
        #expect(buffer.offset % Plan.alignment == 0 && end <= plan.modelElementCount)
      case .parameter, .gradient: break
      }
    }
  }

  @Test("memory is shared: a long chain of layers needs two buffers at a time")
  func shared() throws {
    let model = try TestGraph.model {
      $0.input("x", [1, 4, 16, 16])
      for index in 0..<10 {
        $0.floats("w\(index)", [4, 4, 1, 1], [Float](repeating: 0.1, count: 16))
        $0.node("Conv", [index == 0 ? "x" : "c\(index - 1)", "w\(index)"], ["c\(index)"])
      }
      $0.output("c9")
    }
    let plan = try TestGraph.plan(model, [1, 4, 16, 16])
    #expect(plan.frameElementCount == 2 * Plan.aligned(4 * 16 * 16))
  }

  @Test("a softmax overwrites scores that nobody else reads")
  func inPlace() throws {
    func plan(_ outputs: [String]) throws -> Plan {
      let model = try TestGraph.model {
        $0.input("x", [1, 3, 16, 16])
        $0.floats("w", [4, 3, 1, 1], [Float](repeating: 0.1, count: 12))
        $0.node("Conv", ["x", "w"], ["c"])
        $0.node("Softmax", ["c"], ["y"], ["axis": .int(1)])
        for name in outputs { $0.output(name) }
      }
      return try TestGraph.plan(model, [1, 3, 16, 16])
    }
    func places(_ plan: Plan) -> [Int] {
      plan.steps.map { plan.buffers[$0.output.buffer].offset }
    }
    #expect(try Set(places(plan(["y"]))).count == 1)
    #expect(try Set(places(plan(["y", "c"]))).count == 2)
  }
}
