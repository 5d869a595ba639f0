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
    #expect(text.hasPrefix("Frobnicate 'y': operator is not supported; "))
    #expect(text.contains("onnxsim"))
  }

  @Test(
    "another domain is named, with what would help",
    arguments: [
      ("com.microsoft", "before"), ("org.pytorch.aten", "opset_version"),
      ("ai.onnx.ml", "segmentation"), ("mmdeploy", "custom"),
    ])
  func domain(_ domain: String, _ help: String) {
    let text = message(code: .unsupported) {
      $0.node("Relu", ["x"], ["y"])
      $0.nodes[0].domain = domain
    }
    #expect(text.contains(domain) && text.contains("'Relu'") && text.contains(help))
  }

  @Test(
    "an operator we lack says what would help",
    arguments: [
      ("QLinearConv", "QDQ"), ("Loop", "onnxsim"), ("TopK", "head"), ("MaxUnpool", "indices"),
      ("SequenceEmpty", "tensors"), ("LSTM", "recurrent"), ("DeformConv", "deformable"),
    ])
  func help(_ opType: String, _ help: String) {
    let text = message(code: .unsupported) { $0.node(opType, ["x"], ["y"]) }
    #expect(text.contains(help) && text.hasPrefix("\(opType) 'y': "))
  }

  @Test("QuantizeLinear of ONNX Runtime's own domain means the same")
  func microsoftQuantization() throws {
    let graph = try TestGraph.build([1, 3, 8, 8], opset: 18) {
      $0.floats("scale", [], [0.5])
      $0.initializers.append(OnnxTensor("zero", type: 4, [], .ints([32768])))
      $0.node("QuantizeLinear", ["x", "scale", "zero"], ["q"])
      $0.node("DequantizeLinear", ["q", "scale", "zero"], ["y"])
      for index in 0..<2 { $0.nodes[index].domain = "com.microsoft" }
    }
    #expect(TestGraph.operators(graph).filter { $0 == "unary" }.count == 2)
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

  @Test("indices to scatter to that are outside, and unknown reductions, are named")
  func scatter() {
    func text(_ indices: [Int], _ reduction: String, _ code: Das3Error.Code) -> String {
      message([1, 1, 4, 70], code: code) {
        $0.initializers.append(OnnxTensor("i", [1, 1, 1, indices.count], ints: indices))
        $0.floats("u", [1, 1, 1, indices.count], indices.map { _ in 1 })
        $0.node(
          "ScatterElements", ["x", "i", "u"], ["y"],
          ["axis": .int(2), "reduction": .string(reduction)])
      }
    }
    #expect(text([0, 4], "none", .shape).contains("4 is outside a dimension of 4"))
    #expect(text([0], "average", .format).contains("average"))
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
