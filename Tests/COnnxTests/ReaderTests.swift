import COnnx
import Das3TestSupport
import Testing

/// Bytes of an ONNX file to the records of the C interface.
@Suite("ONNX reader")
struct ReaderTests {
  @Test("nodes stand in the order of the file, with their inputs, outputs and attributes")
  func nodes() {
    let parsed = ParsedModel(SampleModels.convolutional().serialized())
    #expect(parsed.answer.status == D3O_OK && parsed.answer.message.isEmpty)
    let graph = parsed.graph
    let types = (0..<Int(graph.node_count)).map { String(cString: graph.nodes[$0].op_type) }
    #expect(
      types == [
        "Conv", "BatchNormalization", "Relu", "Conv", "MaxPool", "Add", "Concat", "Conv", "Resize",
      ])
    let resize = graph.nodes[8]
    #expect(resize.input_count == 3 && resize.output_count == 1)
    #expect(resize.inputs[1].map { String(cString: $0) } == "", "an input that is left out")
    let attribute = graph.nodes[6].attributes[0]
    #expect(String(cString: attribute.name) == "axis" && attribute.i == 1)
    #expect(attribute.kind == Int32(D3O_INT.rawValue))
  }

  @Test("inputs have their sizes, -1 where a size is open; initialisers have their values")
  func values() throws {
    let parsed = ParsedModel(SampleModels.convolutional().serialized())
    let graph = parsed.graph
    #expect(graph.input_count == 1 && graph.output_count == 1 && graph.opset == 17)
    let image = graph.inputs[0]
    #expect((0..<Int(image.dim_count)).map { image.dims[$0] } == [1, 3, -1, -1])
    let scales = try #require(parsed.tensorIndex("scales"))
    #expect(parsed.floats(scales) == [1, 1, 2, 2])
  }

  @Test("the records do not need the bytes that they were made from")
  func bytesMayGo() throws {
    var bytes = SampleModels.convolutional().serialized()
    let parsed = ParsedModel(bytes)
    for index in bytes.indices { bytes[index] = 0xFF }
    let scales = try #require(parsed.tensorIndex("scales"))
    #expect(parsed.floats(scales) == [1, 1, 2, 2])
  }

  @Test("a graph inside a node becomes a block, whose nodes are not those of the graph")
  func blocks() {
    var writer = OnnxWriter()
    writer.input("x", [1, 3, 4, 4])
    writer.floats("c", [1], [1])
    let branch = OnnxWriter.Attribute.block(
      [OnnxWriter.Node("Relu", ["x"], ["r"])], outputs: ["r"])
    writer.node("If", ["c"], ["y"], ["then_branch": branch, "else_branch": branch])
    writer.output("y")
    let graph = ParsedModel(writer.serialized()).graph
    #expect(graph.node_count == 1 && graph.block_count == 2 && graph.function_count == 0)
    #expect(graph.blocks[0].node_count == 1)
    #expect(String(cString: graph.blocks[0].nodes[0].op_type) == "Relu")
  }

  @Test("a tensor is read as its own kind of number, and only with room for all its values")
  func wrongReading() throws {
    let parsed = ParsedModel(SampleModels.convolutional().serialized())
    let scales = try #require(parsed.tensorIndex("scales"))
    var ints = [Int64](repeating: 0, count: 4)
    let asIntegers = Answer.of { d3o_read_ints(parsed.model, scales, -1, &ints, 4, $0, $1) }
    #expect(asIntegers.status == D3O_E_UNSUPPORTED && asIntegers.message.contains("'scales'"))
    var floats = [Float](repeating: 0, count: 3)
    let withoutRoom = Answer.of { d3o_read_floats(parsed.model, scales, -1, &floats, 3, $0, $1) }
    #expect(withoutRoom.status == D3O_E_FORMAT)
    let noTensor = Answer.of { d3o_read_floats(parsed.model, 1000, -1, &floats, 3, $0, $1) }
    #expect(noTensor.status == D3O_E_FORMAT)
  }

  @Test("two initialisers, or two attributes of a node, of one name are refused by that name")
  func duplicates() {
    var writer = SampleModels.convolutional()
    writer.floats("scales", [1], [1])
    let initializers = ParsedModel(writer.serialized()).answer
    #expect(initializers.status == D3O_E_FORMAT && initializers.message.contains("'scales'"))
    writer = SampleModels.convolutional()
    writer.nodes[6].attributes.append((name: "axis", value: .int(2)))
    let attributes = ParsedModel(writer.serialized()).answer
    #expect(attributes.status == D3O_E_FORMAT && attributes.message.contains("'axis'"))
  }

  @Test("versions beyond what is read are refused with the number that was found")
  func versions() {
    for (opset, irVersion, found) in [(26, 13, "26"), (17, 14, "14"), (17, 2, "2")] {
      var writer = SampleModels.convolutional()
      writer.opset = opset
      writer.irVersion = irVersion
      let answer = ParsedModel(writer.serialized()).answer
      #expect(answer.status == D3O_E_UNSUPPORTED && answer.message.contains(found))
    }
  }
}
