import CDas3
import Das3
import Das3TestSupport
import Testing

/// Networks with weights of int8 (QDQ): what comes of them in memory and in the saved file.
@Suite("Model save: quantized weights")
struct ModelSaveQuantizedTests {
  let saved: SavedModel

  init() throws { saved = try SavedModel() }

  @Test("weights are dequantised per tensor and per channel, and keep the nodes' names")
  func load() {
    let model = TestModel(QuantizedNetwork.writer(QuantizedNetwork.integers).serialized())
    #expect(model.status == DAS3_OK, "\(model.message)")
    #expect(model.parameters == QuantizedNetwork.weights)
  }

  @Test("the saved file holds float32 in place of integers and their DequantizeLinear")
  func save() throws {
    let bytes = QuantizedNetwork.writer(QuantizedNetwork.integers).serialized()
    let model = TestModel(bytes)
    let plain = try saved.bytes(model)
    let read = TestModel(plain)
    #expect(read.status == DAS3_OK, "\(read.message)")
    #expect(read.parameters == QuantizedNetwork.weights)
    let text = String(decoding: plain, as: UTF8.self)
    // One is left, that of the activation, with its scale.
    #expect(text.components(separatedBy: "DequantizeLinear").count == 2)
    for name in ["w.q", "w.scale", "w.zero", "b.q", "b.scale"] {
      #expect(!text.contains(name), "\(name) is left")
    }
    #expect(text.contains("x.scale"))
    let others = QuantizedNetwork.weights.map { $0 / 2 + 0.001 }
    let adapted = try saved.bytes(model.with(others))
    #expect(adapted.starts(with: plain.prefix(8)))
    #expect(TestModel(adapted).parameters == others)
    // Once float32, only values change.
    #expect(try saved.bytes(read) == plain)
  }

  @Test("integers that something else uses too stay in the file")
  func shared() throws {
    var writer = QuantizedNetwork.writer(QuantizedNetwork.integers)
    writer.node("Cast", ["w.q"], ["w.float"], ["to": .int(1)])
    writer.node("ReduceSum", ["w.float"], ["total"], ["keepdims": .int(0)])
    writer.node("Add", ["y", "total"], ["z"])
    writer.outputs[0].name = "z"
    let found = try saved.bytes(TestModel(writer.serialized()))
    let text = String(decoding: found, as: UTF8.self)
    #expect(text.contains("w.q") && !text.contains("w.scale"))
    #expect(TestModel(found).parameters == QuantizedNetwork.weights)
  }

  @Test("scales that do not fit name the node and both sizes")
  func wrongScales() {
    var writer = QuantizedNetwork.writer(QuantizedNetwork.integers)
    writer.initializers.removeAll { $0.name == "w.scale" }
    writer.floats("w.scale", [2], [1, 2])
    let model = TestModel(writer.serialized())
    #expect(model.status != DAS3_OK)
    #expect(model.message.contains("DequantizeLinear 'w'") && model.message.contains("2 scales"))
  }
}

/// A 1×1 convolution as ONNX Runtime quantizes it: 3 channels to 4.
enum QuantizedNetwork {
  static let integers = [-128, 127, 0, 5, -5, 64, 1, 2, 3, -1, -2, -3]
  private static let scales: [Float] = [0.5, 0.25, 0.125, 0.0625]
  private static let bias = [100, -100, 7, 0]

  /// In the order of the parameters: weights, bias.
  static let weights: [Float] =
    integers.enumerated().map { Float($1) * scales[$0 / 3] } + bias.map { Float($0) * 0.03125 }

  static func writer(_ integers: [Int]) -> OnnxWriter {
    var model = OnnxWriter()
    model.metadata = [("input", #"{"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}"#)]
    model.input("x", [1, 3, 8, 8])
    model.initializers = [
      OnnxTensor("w.q", type: OnnxTensor.int8, [4, 3, 1, 1], .ints(integers)),
      OnnxTensor("w.scale", [4], floats: scales),
      OnnxTensor("w.zero", type: OnnxTensor.int8, [4], .ints([0, 0, 0, 0])),
      OnnxTensor("b.q", type: OnnxTensor.int32, [4], .ints(bias)),
      OnnxTensor("b.scale", [], floats: [0.03125]),
      OnnxTensor("x.scale", [], floats: [0.0625]),
      OnnxTensor("x.zero", type: OnnxTensor.uint8, [], .ints([128])),
    ]
    model.node("QuantizeLinear", ["x", "x.scale", "x.zero"], ["x.q"])
    model.node("DequantizeLinear", ["x.q", "x.scale", "x.zero"], ["x.f"])
    model.node("DequantizeLinear", ["w.q", "w.scale", "w.zero"], ["w"], ["axis": .int(0)])
    model.node("DequantizeLinear", ["b.q", "b.scale"], ["b"])
    model.node("Conv", ["x.f", "w", "b"], ["y"])
    model.output("y", [1, 4, 8, 8])
    return model
  }
}
