import CDas3
import Das3
import Das3TestSupport
import Testing

/// Well-formed protobuf with a hostile graph in it: cycles, names, ranks, sizes.
@Suite("Hostile graphs")
struct HostileGraphTests {
  @Test("wrong structure is refused by name", arguments: HostileGraph.structures)
  func structure(_ graph: HostileGraph) async {
    await graph.expectRefused()
  }

  @Test("hostile sizes are refused before memory is taken", arguments: HostileGraph.sizes)
  func sizes(_ graph: HostileGraph) async {
    await graph.expectRefused()
  }

  @Test("hostile attributes are refused", arguments: HostileGraph.attributes)
  func attributes(_ graph: HostileGraph) async {
    await graph.expectRefused()
  }

  @Test("odd but harmless graphs neither trap nor take memory", arguments: HostileGraph.harmless)
  func harmless(_ graph: HostileGraph) async {
    await graph.expectHarmless()
  }

  @Test("limits on bytes, nodes and time are kept")
  func limits() {
    let bytes = HostileFileTests.samples[0]
    var options = TestModel.options()
    options.max_bytes = 100
    #expect(TestModel(bytes, options: options).status == DAS3_E_LIMIT)
    options = TestModel.options()
    options.max_nodes = 8
    let model = TestModel(bytes, options: options)
    #expect(model.status == DAS3_E_LIMIT)
    #expect(model.message.contains("9") && model.message.contains("8"))
    options.max_nodes = 9
    #expect(TestModel(bytes, options: options).status == DAS3_OK)
  }

  @Test("a long chain of nodes stops at the time limit")
  func timeLimit() {
    var writer = OnnxWriter()
    writer.input("x0", [1, 3, 8, 8])
    for index in 0..<50_000 { writer.node("Relu", ["x\(index)"], ["x\(index + 1)"]) }
    writer.output("x50000", [1, 3, 8, 8])
    var options = TestModel.options()
    options.max_milliseconds = 1
    #expect(TestModel(writer.serialized(), options: options).status == DAS3_E_LIMIT)
    // As long as can be said is for ever.
    options.max_milliseconds = .max
    let bytes = SampleModels.convolutional().serialized()
    #expect(TestModel(bytes, options: options).status == DAS3_OK, "\(lastError())")
  }

  @Test("folding of large constants stops at the time limit")
  func foldingTimeLimit() {
    let bytes = HostileGraph.network("sums") {
      $0.initializers.append(
        OnnxTensor(
          "large", type: 3, [1 << 12, 1 << 12], .raw([UInt8](repeating: 1, count: 1 << 24))))
      $0.ints("axes", [0])
      for index in 0..<1000 { $0.node("ReduceSum", ["large", "axes"], ["s\(index)"]) }
      $0.node("Sum", ["x"] + (0..<1000).map { "s\($0)" }, ["y"])
    }.writer.serialized()
    var options = TestModel.options()
    options.max_milliseconds = 2000
    let clock = ContinuousClock()
    let start = clock.now
    let model = TestModel(bytes, options: options)
    let duration = clock.now - start
    #expect(model.status == DAS3_E_LIMIT, "\(model.message)")
    #expect(model.message.contains("2000 ms"), "\(model.message)")
    // A busy machine may take long for the one sum that was begun.
    #expect(duration < .seconds(30), "\(duration)")
  }
}
