import Das3Graph
import Das3TestSupport
import Testing

/// What stands for several nodes, or not where it could run: functions, branches, sequences, order.
@Suite("Functions and order")
struct FunctionTests {
  private func operators(_ body: (inout OnnxWriter) -> Void) throws -> [String] {
    TestGraph.operators(try TestGraph.build([1, 3, 4, 4], body))
  }

  @Test("a function of the model is replaced by its nodes, also where it calls another")
  func inlined() throws {
    let found = try operators {
      $0.functions = [
        OnnxWriter.Function(
          "Twice", ["a"], ["c"],
          [
            OnnxWriter.Node("Relu", ["a"], ["b"]), .own("Inner", ["b"], ["c"]),
          ]),
        OnnxWriter.Function("Inner", ["a"], ["b"], [OnnxWriter.Node("Sigmoid", ["a"], ["b"])]),
      ]
      $0.nodes = [.own("Twice", ["x"], ["m"]), .own("Twice", ["m"], ["y"])]
    }
    #expect(found == ["unary", "unary", "unary", "unary"])
  }

  @Test("attributes come from the caller, else from the function's defaults")
  func attributes() throws {
    for (stated, expected) in [(2, 1), (nil, 3)] as [(Int?, Int)] {
      let graph = try TestGraph.build([1, 3, 4, 8]) {
        $0.functions = [
          OnnxWriter.Function(
            "Total", ["a"], ["b"],
            [
              OnnxWriter.Node("Softmax", ["a"], ["b"], ["axis": .callersInt("along")])
            ], defaults: ["along": .int(3)])
        ]
        var call = OnnxWriter.Node.own("Total", ["x"], ["y"])
        if let stated { call.attributes = [(name: "along", value: .int(stated))] }
        $0.nodes = [call]
      }
      guard case .softmax(let softmax) = graph.nodes.first?.operation else {
        Issue.record("\(graph.nodes)")
        continue
      }
      #expect(softmax.axis == stated ?? expected)
    }
  }

  @Test("functions that call each other in a circle, or mean another opset, are refused")
  func refused() {
    let circle = #expect(throws: Das3Error.self) {
      try operators {
        $0.functions = [
          OnnxWriter.Function("A", ["a"], ["b"], [.own("B", ["a"], ["b"])]),
          OnnxWriter.Function("B", ["a"], ["b"], [.own("A", ["a"], ["b"])]),
        ]
        $0.nodes = [.own("A", ["x"], ["y"])]
      }
    }
    #expect(circle?.message.contains("deep") == true, "\(circle?.message ?? "")")
    let opset = #expect(throws: Das3Error.self) {
      try operators {
        $0.functions = [
          OnnxWriter.Function(
            "A", ["a"], ["b"], [OnnxWriter.Node("Softmax", ["a"], ["b"])], opset: 11)
        ]
        $0.nodes = [.own("A", ["x"], ["y"])]
      }
    }
    #expect(opset?.message.contains("opset 11") == true, "\(opset?.message ?? "")")
  }

  @Test("many calls of many calls end at the limit of nodes")
  func explosion() {
    let error = #expect(throws: Das3Error.self) {
      try operators {
        $0.functions = (0..<30).map { level in
          let name = level == 0 ? nil : "F\(level - 1)"
          let inner = { (input: String, output: String) -> OnnxWriter.Node in
            name.map { .own($0, [input], [output]) } ?? OnnxWriter.Node("Relu", [input], [output])
          }
          return OnnxWriter.Function("F\(level)", ["a"], ["c"], [inner("a", "b"), inner("b", "c")])
        }
        $0.nodes = [.own("F29", ["x"], ["y"])]
      }
    }
    #expect(error?.code == .limit, "\(error?.message ?? "")")
  }

  @Test("nodes out of order are sorted; a circle is refused")
  func sorted() throws {
    #expect(
      try operators {
        $0.node("Relu", ["b"], ["y"])
        $0.node("Sigmoid", ["a"], ["b"])
        $0.node("Tanh", ["x"], ["a"])
      } == ["unary", "unary", "unary"])
    let error = #expect(throws: Das3Error.self) {
      try operators {
        $0.node("Add", ["x", "b"], ["a"])
        $0.node("Relu", ["a"], ["b"])
        $0.node("Relu", ["b"], ["y"])
      }
    }
    #expect(error?.message.contains("circle") == true, "\(error?.message ?? "")")
  }

  @Test("the branch that a known condition takes", arguments: [8, 4])
  func branch(_ width: Int) throws {
    let graph = try TestGraph.build([1, 3, 4, width]) {
      $0.scalar("axis", 3)
      $0.scalar("four", 4)
      $0.node("Shape", ["x"], ["s"])
      $0.node("Gather", ["s", "axis"], ["w"])
      $0.node("Greater", ["w", "four"], ["is_wide"])
      $0.node(
        "If", ["is_wide"], ["r"],
        [
          "then_branch": .block([OnnxWriter.Node("Relu", ["x"], ["z"])], outputs: ["z"]),
          "else_branch": .block([OnnxWriter.Node("Transpose", ["x"], ["z"])], outputs: ["z"]),
        ])
      $0.node("Sigmoid", ["r"], ["y"])
    }
    #expect(
      TestGraph.operators(graph) == (width > 4 ? ["unary", "unary"] : ["transpose", "unary"]))
  }

  @Test("a branch that depends on the image is refused")
  func openBranch() {
    let error = #expect(throws: Das3Error.self) {
      try operators {
        $0.node("ReduceMax", ["x"], ["m"], ["keepdims": .int(0)])
        $0.node("Cast", ["m"], ["c"], ["to": .int(OnnxTensor.bool)])
        let relu = OnnxWriter.Attribute.block(
          [OnnxWriter.Node("Relu", ["x"], ["z"])], outputs: ["z"])
        $0.node("If", ["c"], ["y"], ["then_branch": relu, "else_branch": relu])
      }
    }
    #expect(error?.message.contains("depends on the data") == true, "\(error?.message ?? "")")
  }

  @Test("sequences are taken apart")
  func sequences() throws {
    let graph = try TestGraph.build([1, 6, 4, 4], opset: 18) {
      $0.scalar("two", 2)
      $0.scalar("last", -1)
      $0.node("SplitToSequence", ["x", "two"], ["s"], ["axis": .int(1)])
      $0.node("SequenceAt", ["s", "last"], ["a"])
      $0.node("SequenceConstruct", ["a", "a"], ["t"])
      $0.node("ConcatFromSequence", ["t"], ["y"], ["axis": .int(1)])
    }
    #expect(TestGraph.operators(graph) == ["slice", "concat"])
    #expect(graph.values[graph.outputs[0]].shape == [1, 4, 4, 4])
  }

  @Test("newer opsets and IR versions load where nothing new is used", arguments: [22, 23, 24, 25])
  func newer(_ opset: Int) throws {
    var writer = OnnxWriter(opset: opset, irVersion: opset - 12)
    writer.input("x", [1, 3, 4, 4])
    writer.node("Relu", ["x"], ["y"])
    writer.output("y")
    #expect(try TestGraph.model(writer).nodes.count == 1)
    writer.opset = 26
    let error = #expect(throws: Das3Error.self) { try TestGraph.model(writer) }
    #expect(error?.message.contains("26") == true)
  }
}

extension OnnxWriter.Node {
  /// A call of a function of the model.
  fileprivate static func own(_ name: String, _ inputs: [String], _ outputs: [String]) -> Self {
    var node = Self(name, inputs, outputs)
    node.domain = "own"
    return node
  }
}
