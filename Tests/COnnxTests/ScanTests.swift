import COnnx
import Das3TestSupport
import Testing

/// Damaged and oversized files: each is refused with a status and one line, before protobuf spends
/// memory on it.
@Suite("ONNX scan")
struct ScanTests {
  private static let sample = SampleModels.convolutional().serialized()

  @Test("a file cut off anywhere is refused as damaged, never as an empty network")
  func truncated() {
    // The opset stands last, so that no part of the file is a whole model.
    var writer = SampleModels.convolutional()
    writer.metadata = []
    let bytes = writer.serialized()
    for length in stride(from: 0, to: bytes.count, by: 7) {
      let parsed = ParsedModel(Array(bytes[..<length]))
      #expect(parsed.model == nil && parsed.answer.status != D3O_OK, "cut at \(length)")
      #expect(!parsed.answer.message.isEmpty && !parsed.answer.message.contains("\n"))
    }
  }

  @Test("random bytes and changed bytes never end the process")
  func damaged() {
    var random = SplitMix64(seed: 5)
    for _ in 0..<2000 {
      var bytes = Self.sample
      for _ in 0..<3 {
        bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(
          in: 0...255, using: &random)
      }
      let parsed = ParsedModel(bytes)
      #expect((parsed.model == nil) == (parsed.answer.status != D3O_OK))
      #expect((parsed.model == nil) == !parsed.answer.message.isEmpty)
    }
  }

  @Test("a length that reaches past the end is refused at its byte")
  func length() {
    var writer = ProtobufWriter()
    writer.raw([0x3A, 0xFF, 0xFF, 0xFF, 0xFF, 0x07])
    let answer = ParsedModel(writer.bytes).answer
    #expect(answer.status == D3O_E_FORMAT && answer.message.contains("at byte"))
  }

  @Test("messages nested without end are refused before they are parsed")
  func nesting() {
    var inner: [UInt8] = []
    for _ in 0..<200 {
      // GraphProto.node, NodeProto.attribute, AttributeProto.g, one around the other.
      for field in [6, 5, 1] {
        var around = ProtobufWriter()
        around.data(field, inner)
        inner = around.bytes
      }
    }
    var model = ProtobufWriter()
    model.data(7, inner)
    let answer = ParsedModel(model.bytes).answer
    #expect(answer.status == D3O_E_FORMAT && answer.message.contains("nested"))
  }

  @Test("limits on nodes and on bytes of tensors hold, and are named")
  func limits() {
    let nodes = ParsedModel(Self.sample, limits: d3o_limits(max_bytes: 1 << 20, max_nodes: 8))
    #expect(nodes.answer.status == D3O_E_LIMIT && nodes.answer.message.contains("the limit is 8"))
    let bytes = ParsedModel(Self.sample, limits: d3o_limits(max_bytes: 100, max_nodes: 100))
    #expect(bytes.answer.status == D3O_E_LIMIT && bytes.answer.message.contains("100 bytes"))
    let enough = ParsedModel(Self.sample, limits: d3o_limits(max_bytes: .max, max_nodes: .max))
    #expect(enough.answer.status == D3O_OK)
  }

  @Test("a million empty nodes are refused by the limit before they become objects")
  func manyNodes() async {
    await #expect(processExitsWith: .success) {
      var graph = ProtobufWriter()
      for _ in 0..<1_000_000 { graph.data(1, [UInt8]()) }
      var model = ProtobufWriter()
      model.data(7, graph.bytes)
      let growth = PeakMemory.growth {
        let limits = d3o_limits(max_bytes: 1 << 20, max_nodes: 1000)
        #expect(ParsedModel(model.bytes, limits: limits).answer.status == D3O_E_LIMIT)
      }
      #expect((growth ?? 0) < 32 << 20)
    }
  }

  @Test("no bytes, no place for the model and no room for the message are survived")
  func nothing() {
    #expect(ParsedModel([]).answer.status == D3O_E_FORMAT)
    #expect(d3o_parse(nil, Self.sample, Self.sample.count, nil, nil, 0) == D3O_E_FORMAT)
    var model: OpaquePointer?
    #expect(d3o_parse(&model, [1, 2, 3], 3, nil, nil, 0) == D3O_E_FORMAT && model == nil)
    d3o_free(nil)
    #expect(d3o_get_graph(nil) == nil)
  }
}
