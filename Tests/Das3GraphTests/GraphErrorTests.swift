import Das3Graph
import Das3TestSupport
import Testing

/// Messages name the operator, the node, what was found and what was expected.
@Suite("Graph errors")
struct GraphErrorTests {
  private func message(
    _ dims: [Int] = [1, 3, 8, 8], opset: Int = 18, code: Das3Error.Code,
    sourceLocation: SourceLocation = #_sourceLocation, _ body: (inout OnnxWriter) -> Void
  ) -> String {
    let error = #expect(throws: Das3Error.self, sourceLocation: sourceLocation) {
      try TestGraph.build(dims, opset: opset, body)
    }
    #expect(error?.code == code, "\(error?.message ?? "")", sourceLocation: sourceLocation)
    return error?.message ?? ""
  }

  @Test("weights that do not fit name both shapes and the node")
  func weights() {
    let text = message(code: .shape) {
      $0.floats("w", [4, 5, 1, 1], [Float](repeating: 0, count: 20))
      $0.node("Conv", ["x", "w"], ["y"])
      $0.nodes[0].name = "encoder.stem"
    }
    #expect(text.hasPrefix("Conv 'encoder.stem': "))
    #expect(text.contains("4×5×1×1") && text.contains("3 channels"))
  }

  @Test("a node without a name is called by its output")
  func unnamed() {
    let text = message(code: .shape) {
      $0.floats("w", [5], [1, 2, 3, 4, 5])
      $0.node("Add", ["x", "w"], ["y"])
    }
    #expect(text == "Add 'y': 1×3×8×8 and 5 do not broadcast")
  }

  @Test(
    "an operator we lack is one clear error, also where libonnx's checker runs",
    arguments: [17, 18])
  func unsupported(_ opset: Int) {
    let text = message(opset: opset, code: .unsupported) {
      $0.node("Frobnicate", ["x"], ["y"])
    }
    #expect(text == "Frobnicate 'y': operator is not supported")
  }

  @Test("another domain is named")
  func domain() {
    let text = message(code: .unsupported) {
      $0.node("Relu", ["x"], ["y"])
      $0.nodes[0].domain = "com.microsoft"
    }
    #expect(text.contains("com.microsoft") && text.contains("Relu"))
  }

  @Test("a name that nothing makes is quoted")
  func missing() {
    let text = message(code: .format) { $0.node("Add", ["x", "nothing"], ["y"]) }
    #expect(text.contains("'nothing'") && text.hasPrefix("Add 'y'"))
  }

  @Test("a configuration that depends on the image is refused, not guessed")
  func dataDependent() {
    let text = message(code: .unsupported) {
      $0.node("ArgMax", ["x"], ["shape"], ["axis": .int(1), "keepdims": .int(0)])
      $0.node("Reshape", ["x", "shape"], ["y"])
    }
    #expect(text.contains("'shape'") && text.contains("depends on the data"))
  }

  @Test("an axis outside the tensor names the tensor")
  func axis() {
    let text = message(code: .shape) { $0.node("Softmax", ["x"], ["y"], ["axis": .int(4)]) }
    #expect(text.contains("4") && text.contains("1×3×8×8"))
  }

  @Test("messages are one line whatever the names are")
  func oneLine() {
    let text = message(code: .format) {
      $0.node("Add", ["x", "a\nb\u{7}c"], ["y"])
      $0.nodes[0].name = String(repeating: "n", count: 5000)
    }
    #expect(!text.isEmpty)
  }

  @Test("Shape and Size of an initialiser know its sizes before anything else uses it")
  func shapeOfInitializer() throws {
    for (opType, expected) in [("Shape", [3, 5]), ("Size", [15])] as [(String, [Int64])] {
      let found = try TestGraph.folded {
        $0.floats("w", [3, 5], [Float](repeating: 0, count: 15))
        $0.node(opType, ["w"], ["y"])
      }
      #expect(found?.ints == expected)
    }
  }
}
