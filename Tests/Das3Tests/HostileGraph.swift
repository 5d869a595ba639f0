import CDas3
import Das3
import Das3TestSupport
import Testing

/// One hostile model by name, and how it is answered.
struct HostileGraph: Sendable, CustomTestStringConvertible {
  let testDescription: String
  /// nil = any refusal.
  var expected: das3_status?
  let writer: OnnxWriter

  init(
    _ name: String, _ expected: Int? = nil, opset: Int = 17, irVersion: Int = 8,
    _ body: (inout OnnxWriter) -> Void
  ) {
    testDescription = opset == 17 ? name : "\(name), opset \(opset)"
    self.expected = expected.map { das3_status($0) }
    var writer = OnnxWriter(opset: opset, irVersion: irVersion)
    body(&writer)
    self.writer = writer
  }

  /// The graph between an image `x` and scores `y`, which `body` must make.
  static func network(
    _ name: String, _ expected: Int? = nil, opset: Int = 17, size: OnnxWriter.Dimension = 16,
    _ body: (inout OnnxWriter) -> Void
  ) -> HostileGraph {
    HostileGraph(name, expected, opset: opset, irVersion: opset > 17 ? 10 : 8) {
      $0.input("x", [1, 3, size, size])
      body(&$0)
      $0.output("y", ["n", "c", "h", "w"])
    }
  }

  /// Loads in a process of its own, so that a trap is one failed test.
  func expectRefused() async {
    let bytes = writer.serialized()
    let allowed: [das3_status] = expected.map { [$0] } ?? Self.anyRefusal
    await #expect(processExitsWith: .success) {
      [bytes = bytes as [UInt8], allowed = allowed as [Int32]] in
      ProcessLimits.apply()
      var model: TestModel?
      let growth = PeakMemory.growth { model = TestModel(bytes) }
      let message = model?.message ?? ""
      #expect(allowed.contains(model?.status ?? 0), "\(model?.status ?? 0): \(message)")
      #expect(model?.handle == nil)
      #expect(HostileFileTests.isOneLine(message))
      #expect((growth ?? 0) < HostileFileTests.allowedGrowth, "\(growth ?? 0) bytes: \(message)")
    }
  }

  /// Loads, prepares and runs, whatever the answers.
  func expectHarmless() async {
    let bytes = writer.serialized()
    await #expect(processExitsWith: .success) { [bytes = bytes as [UInt8]] in
      ProcessLimits.apply()
      let growth = PeakMemory.growth { HostileFileTests.expectHarmless(bytes, "") }
      #expect((growth ?? 0) < HostileFileTests.allowedGrowth)
    }
  }
}

extension HostileGraph {
  /// DAS3_E_ARGUMENT to DAS3_E_LIMIT.
  static let anyRefusal = Array(das3_status(DAS3_E_LIMIT)...das3_status(DAS3_E_ARGUMENT))
  static let format = Int(DAS3_E_FORMAT)
  static let shape = Int(DAS3_E_SHAPE)
  static let limit = Int(DAS3_E_LIMIT)
  static let unsupported = Int(DAS3_E_UNSUPPORTED)

  /// The checker of libonnx judges opset 17, ours opset 18 and later: each must find it.
  static let structures: [HostileGraph] =
    [17, 18, 21].flatMap { opset in
      [
        network("a node that reads its own output", format, opset: opset) {
          $0.node("Relu", ["y"], ["y"])
        },
        network("two nodes in a circle", format, opset: opset) {
          $0.node("Relu", ["b"], ["a"])
          $0.node("Relu", ["a"], ["b"])
          $0.node("Add", ["a", "x"], ["y"])
        },
        network("a circle of nodes that only present scores", format, opset: opset) {
          $0.node("Identity", ["y"], ["a"])
          $0.node("Identity", ["a"], ["y"])
        },
        network("a circle of softmaxes", format, opset: opset) {
          $0.node("Softmax", ["y"], ["y"], ["axis": .int(1)])
        },
        network("an input that nothing makes", format, opset: opset) {
          $0.node("Add", ["x", "missing"], ["y"])
        },
        network("no inputs at all", format, opset: opset) { $0.node("Add", [], ["y"]) },
        network("an output that nothing makes", format, opset: opset) {
          $0.node("Relu", ["x"], ["z"])
        },
        network("two outputs of one name", format, opset: opset) {
          $0.node("Relu", ["x"], ["y"])
          $0.node("Sigmoid", ["x"], ["y"])
        },
        network("two initialisers of one name", format, opset: opset) {
          $0.floats("w", [1], [1])
          $0.floats("w", [1], [2])
          $0.node("Add", ["x", "w"], ["y"])
        },
        network("two attributes of one name", format, opset: opset) {
          $0.node("Softmax", ["x"], ["y"], ["axis": .int(1), "axis": .int(2)])
        },
        network("an operator that does not exist", unsupported, opset: opset) {
          $0.node("Frobnicate", ["x"], ["y"])
        },
        network("an operator of an unknown domain", opset: opset) {
          $0.node("Relu", ["x"], ["y"])
          $0.nodes[0].domain = "com.example"
        },
        network("a subgraph", opset: opset) {
          $0.node("If", ["x"], ["y"], ["then_branch": .graph, "else_branch": .graph])
        },
        network("an attribute of the wrong kind", format, opset: opset) {
          $0.floats("w", [3, 3, 1, 1], [Float](repeating: 1, count: 9))
          $0.node("Conv", ["x", "w"], ["y"], ["group": .string("many")])
        },
        HostileGraph("no nodes", opset: opset) {
          $0.input("x", [1, 3, 8, 8])
          $0.output("y", [1, 3, 8, 8])
        },
        HostileGraph("no outputs", format, opset: opset) {
          $0.input("x", [1, 3, 8, 8])
          $0.node("Relu", ["x"], ["y"])
        },
        HostileGraph("no inputs of the graph", opset: opset) { $0.output("y", [1, 3, 8, 8]) },
        HostileGraph("two images", opset: opset) {
          $0.input("a", [1, 3, 8, 8])
          $0.input("b", [1, 3, 8, 8])
          $0.node("Add", ["a", "b"], ["y"])
          $0.output("y", [1, 3, 8, 8])
        },
        HostileGraph("an image of rank 2", unsupported, opset: opset) {
          $0.input("x", [3, 8])
          $0.node("Relu", ["x"], ["y"])
          $0.output("y", [3, 8])
        },
      ]
    } + [
      HostileGraph("opset 0", unsupported, opset: 0) { $0.input("x", [1, 3, 8, 8]) },
      HostileGraph("opset 26", unsupported, opset: 26) { $0.input("x", [1, 3, 8, 8]) },
      HostileGraph("an opset of -1", unsupported, opset: -1) { $0.input("x", [1, 3, 8, 8]) },
      HostileGraph("IR version 2", unsupported, irVersion: 2) { $0.input("x", [1, 3, 8, 8]) },
      HostileGraph("IR version 14", unsupported, irVersion: 14) { $0.input("x", [1, 3, 8, 8]) },
    ]
}
