import Das3Graph
import Das3TestSupport
import Testing

/// A graph to steps: what needs a step of its own, what joins another, what is only a view.
@Suite("Planner")
struct PlannerTests {
  private func plan(_ dims: [Int], _ body: (inout OnnxWriter) -> Void) throws -> Plan {
    let model = try TestGraph.model {
      $0.input("x", dims.map { .size($0) })
      body(&$0)
    }
    return try TestGraph.plan(model, dims)
  }

  private func weights(_ writer: inout OnnxWriter, _ name: String, _ dims: [Int]) {
    let count = dims.reduce(1, *)
    writer.floats(name, dims, (0..<count).map { Float($0 % 5) / 4 })
  }

  @Test("normalisation and activation join the convolution before them")
  func fusion() throws {
    let plan = try plan([1, 3, 8, 8]) {
      weights(&$0, "w", [4, 3, 3, 3])
      for name in ["scale", "shift", "mean", "variance"] { weights(&$0, name, [4]) }
      $0.node("Conv", ["x", "w"], ["c"])
      $0.node("BatchNormalization", ["c", "scale", "shift", "mean", "variance"], ["b"])
      $0.node("Relu", ["b"], ["y"])
      $0.output("y")
    }
    let steps = plan.steps.filter { !$0.isStatic }
    #expect(steps.count == 1 && steps.first?.chain.count == 2)
  }

  @Test("a 1x1 convolution of enlarged maps is computed before they are enlarged")
  func convolvesBeforeEnlarging() throws {
    func convolved(_ kernel: Int) throws -> [[Int]] {
      let plan = try plan([1, 40, 6, 8]) {
        weights(&$0, "w", [16, 80, kernel, kernel])
        $0.ints("size", [1, 40, 12, 16])
        $0.node("Resize", ["x", "", "", "size"], ["a"], ["mode": .string("linear")])
        $0.node("Relu", ["a"], ["b"])
        $0.node("Concat", ["a", "b"], ["c"], ["axis": .int(1)])
        $0.node("Conv", ["c", "w"], ["y"])
        $0.output("y")
      }
      return plan.steps.compactMap {
        if case .operation(.conv) = $0.work { $0.inputs[0].shape.dims } else { nil }
      }
    }
    #expect(try convolved(1) == [[1, 40, 12, 16], [1, 40, 6, 8]])
    #expect(try convolved(3) == [[1, 80, 12, 16]])
  }

  @Test("a value that is also an output stays outside the chain")
  func outputIsKept() throws {
    let plan = try plan([1, 3, 8, 8]) {
      weights(&$0, "w", [4, 3, 1, 1])
      $0.node("Conv", ["x", "w"], ["c"])
      $0.node("Relu", ["c"], ["y"])
      $0.output("y")
      $0.output("c")
    }
    #expect(plan.steps.count == 2 && plan.steps.allSatisfy { $0.chain.count <= 1 })
  }

  @Test("transposing, slicing and repeating take no step")
  func views() throws {
    let plan = try plan([1, 4, 8, 8]) {
      $0.node("Transpose", ["x"], ["t"], ["perm": .ints([0, 2, 3, 1])])
      $0.node("Split", ["t"], ["y", "z"], ["axis": .int(3)])
      $0.output("y")
      $0.output("z")
    }
    #expect(plan.steps.isEmpty)
    #expect(plan.outputs.map(\.buffer) == [plan.inputs[0].buffer, plan.inputs[0].buffer])
    #expect(plan.outputs.map(\.offset) == [0, 2])
  }

  @Test("layers write their results side by side where a concatenation alone reads them")
  func concatenation() throws {
    let plan = try plan([1, 3, 8, 8]) {
      weights(&$0, "v", [4, 3, 1, 1])
      weights(&$0, "w", [2, 3, 1, 1])
      $0.node("Conv", ["x", "v"], ["a"])
      $0.node("Conv", ["x", "w"], ["b"])
      $0.node("Concat", ["a", "b"], ["y"], ["axis": .int(1)])
      $0.output("y")
    }
    #expect(plan.steps.count == 2)
    #expect(Set(plan.steps.map(\.output.buffer)).count == 1)
    #expect(plan.steps.map(\.output.offset) == [0, 4])
    #expect(plan.steps.allSatisfy { $0.output.pixelStride == 6 })
  }

  @Test("what depends on weights alone is static: it runs once for a set of weights")
  func staticSteps() throws {
    let plan = try plan([1, 3, 8, 8]) {
      weights(&$0, "v", [4, 3, 1, 1])
      weights(&$0, "w", [4, 3, 1, 1])
      $0.node("Add", ["v", "w"], ["sum"])
      $0.node("Conv", ["x", "sum"], ["y"])
      $0.output("y")
    }
    #expect(plan.steps.map(\.isStatic) == [true, false])
    #expect(plan.modelElementCount > 0)
  }

  @Test("a backward pass is planned for trained parameters only")
  func backward() throws {
    let model = try TestGraph.model(SampleModels.convolutional())
    func plan(_ trained: Set<String>) throws -> Plan {
      try TestGraph.plan(
        model, [1, 3, 16, 24],
        training: { $0.isTrained = model.parameters.map { trained.contains($0.name) } })
    }
    let (none, last, first) = try (plan([]), plan(["head.w"]), plan(["stem.w"]))
    #expect(none.steps.count == none.forwardCount)
    #expect(last.steps.count > last.forwardCount)
    // The derivative by the first layer passes through all layers behind it.
    #expect(first.steps.count - first.forwardCount > last.steps.count - last.forwardCount)
    #expect(last.outputGradients.map(\.shape) == last.outputs.map(\.shape))
  }
}
