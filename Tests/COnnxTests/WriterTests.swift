import COnnx
import Das3TestSupport
import Testing

/// Records back to the bytes of a file, with the same weights and with others.
@Suite("ONNX writer")
struct WriterTests {
  private static let names = ["stem.w", "norm.scale", "deep.w", "head.w"]

  private func savable(_ bytes: [UInt8]) -> (model: SavableModel, weights: [Float]) {
    let parsed = ParsedModel(bytes)
    let tensors = Self.names.compactMap(parsed.tensorIndex)
    // Reading comes first: the message is gone from the records afterwards.
    let weights = tensors.flatMap(parsed.floats)
    return (SavableModel(parsed, weights: tensors), weights)
  }

  @Test("the file's own weights give the file's own bytes, as many as were announced")
  func sameBytes() {
    let bytes = SampleModels.convolutional().serialized()
    let (model, weights) = savable(bytes)
    let once = model.saved(weights)
    #expect(once.answer.status == D3O_OK && once.announced == UInt64(once.bytes.count))
    let again = savable(once.bytes)
    #expect(again.weights == weights)
    #expect(again.model.saved(weights).bytes == once.bytes)
  }

  @Test("other weights are written where the file's stood, and nothing else changes")
  func otherWeights() throws {
    let bytes = SampleModels.convolutional().serialized()
    let (model, weights) = savable(bytes)
    let changed = weights.map { $0 * 2 + 1 }
    let saved = model.saved(changed)
    #expect(saved.answer.status == D3O_OK && saved.bytes.count == model.saved(weights).bytes.count)
    #expect(savable(saved.bytes).weights == changed)
    let parsed = ParsedModel(saved.bytes)
    let shift = try #require(parsed.tensorIndex("norm.shift"))
    let original = ParsedModel(bytes)
    #expect(
      try parsed.floats(shift) == original.floats(#require(original.tensorIndex("norm.shift"))))
  }

  @Test(
    "a float16 tensor keeps its bits, and is rounded to float16 where it changes",
    arguments: [OnnxTensor.Payload.raw([0x01, 0x3C, 0xFF, 0x7B]), .ints([0x3C01, 0x7BFF])])
  func halfPrecision(_ payload: OnnxTensor.Payload) {
    var writer = OnnxWriter()
    writer.input("x", [1, 2, 4, 4])
    writer.initializers.append(OnnxTensor("w", type: OnnxTensor.float16, [2, 1, 1], payload))
    writer.node("Add", ["x", "w"], ["y"])
    writer.output("y")
    let values = ParsedModel(writer.serialized()).floats(0)
    let same = SavableModel(ParsedModel(writer.serialized()), weights: [0]).saved(values)
    #expect(ParsedModel(same.bytes).floats(0) == values)
    let other = SavableModel(ParsedModel(writer.serialized()), weights: [0]).saved([0.1, -0.1])
    #expect(ParsedModel(other.bytes).floats(0) == [Float(Float16(0.1)), Float(Float16(-0.1))])
  }

  @Test("weights of another count, tensors that are not there and no source at all are refused")
  func refusals() {
    let (model, weights) = savable(SampleModels.convolutional().serialized())
    #expect(model.saved(weights + [0]).answer.status == D3O_E_FORMAT)
    let parsed = ParsedModel(SampleModels.convolutional().serialized())
    var content = d3o_content()
    var size: UInt64 = 0
    #expect(Answer.of { d3o_source_measure(nil, &content, &size, $0, $1) }.status == D3O_E_FORMAT)
    var source: OpaquePointer?
    let missing = [d3o_parameter(tensor: 1000, offset: 0, node: -1)]
    let answer = Answer.of { d3o_source_create(&source, parsed.model, missing, 1, 1, $0, $1) }
    #expect(answer.status == D3O_E_FORMAT && source == nil)
  }
}
