import Das3Graph
import Das3TestSupport
import Testing

/// Bytes of an ONNX file to values: every encoding of a tensor, what counts as a parameter.
@Suite("ONNX import")
struct OnnxImportTests {
  /// The model x + w, with whatever tensor `w` is.
  private func adding(_ tensor: OnnxTensor) throws(Das3Error) -> OnnxModel {
    try TestGraph.model {
      $0.input("x", [1, 3, 4, 4])
      $0.initializers.append(tensor)
      $0.node("Add", ["x", "w"], ["y"])
      $0.output("y")
    }
  }

  private static let values: [Float] = [0, -0.0, 1, -2.5, 65504, 1.0 / 1024]

  @Test("float32 as raw bytes and as a list of floats is the same")
  func float32() throws {
    let payloads: [OnnxTensor.Payload] = [
      .raw(OnnxTensor.bytes(Self.values)), .floats(Self.values),
    ]
    for payload in payloads {
      let model = try adding(OnnxTensor("w", type: OnnxTensor.float32, [6, 1, 1], payload))
      #expect(model.weights == Self.values)
    }
  }

  @Test("float16 becomes float32, with subnormals, infinities and NaN")
  func float16() throws {
    let bits = [0x0000, 0x8000, 0x3C00, 0xC100, 0x7BFF, 0x1400, 0x0001, 0x83FF, 0x7C00, 0xFC00]
    let expected: [Float] = [
      0, -0.0, 1, -2.5, 65504, 1.0 / 1024, 0x1p-24, -0x1.FF8p-15, .infinity, -.infinity,
    ]
    let raw = bits.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
    for payload in [OnnxTensor.Payload.raw(raw), .ints(bits)] {
      let tensor = OnnxTensor("w", type: OnnxTensor.float16, [bits.count, 1, 1], payload)
      #expect(try adding(tensor).weights.map(\.bitPattern) == expected.map(\.bitPattern))
    }
    let nan = OnnxTensor("w", type: OnnxTensor.float16, [1, 1, 1], .raw([1, 0x7C]))
    #expect(try adding(nan).weights[0].isNaN)
  }

  @Test("bfloat16 and double become float32")
  func otherFloats() throws {
    let brain = OnnxTensor(
      "w", type: OnnxTensor.bfloat16, [3, 1, 1], .raw([0x80, 0x3F, 0x20, 0xC0, 0x80, 0x7F]))
    #expect(try adding(brain).weights == [1, -2.5, .infinity])
    let doubles = [1.0, -2.5, 1e300, 0.1]
    let raw = doubles.flatMap { value in
      withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
    }
    let tensor = OnnxTensor("w", type: OnnxTensor.double, [4, 1, 1], .raw(raw))
    #expect(try adding(tensor).weights == [1, -2.5, .infinity, 0.1])
  }

  @Test(
    "integers of every width are read",
    arguments: [
      (7, [7, -9], [UInt8](repeating: 0, count: 0)), (6, [7, -9], []), (5, [7, -9], []),
      (3, [7, -9], []), (2, [7, 249], []), (9, [1, 0], []),
      (6, [-2, 1], [254, 255, 255, 255, 1, 0, 0, 0]), (3, [-2, 1], [254, 1]), (9, [1, 0], [1, 0]),
      (4, [258, 1], [2, 1, 1, 0]),
    ])
  func integers(_ type: Int, _ values: [Int], _ raw: [UInt8]) throws {
    let found = try TestGraph.folded {
      let payload: OnnxTensor.Payload = raw.isEmpty ? .ints(values) : .raw(raw)
      $0.initializers.append(OnnxTensor("c", type: type, [2], payload))
      $0.node("Identity", ["c"], ["y"])
    }
    #expect(found?.ints == values.map { Int64($0) })
  }

  @Test(
    "strings, complex and 8-bit floats are refused by name", arguments: [8, 14, 15, 17, 20, 99])
  func otherTypes(_ type: Int) {
    let error = #expect(throws: Das3Error.self) {
      try adding(OnnxTensor("w", type: type, [1, 1, 1], .raw([0, 0])))
    }
    #expect(error?.code == .unsupported || error?.code == .format)
    #expect(error?.message.contains("w") == true, "\(error?.message ?? "")")
  }

  @Test("data that is longer or shorter than the sizes say is refused")
  func dataLength() {
    let payloads: [OnnxTensor.Payload] = [
      .raw([0, 0, 0]), .raw([]), .floats([1, 2]), .ints([1]), .missing,
    ]
    for payload in payloads {
      let error = #expect(throws: Das3Error.self) {
        try adding(OnnxTensor("w", type: OnnxTensor.float32, [1, 1, 1], payload))
      }
      #expect(error?.code == .format, "\(error?.message ?? "")")
    }
  }

  @Test("weights stand one after the other; running statistics are marked, shapes are constants")
  func parameters() throws {
    let model = try TestGraph.model(SampleModels.convolutional())
    #expect(
      model.parameters.map(\.name) == [
        "stem.w", "norm.scale", "norm.shift", "norm.mean", "norm.variance", "deep.w", "deep.b",
        "head.w",
      ])
    let marked = model.parameters.filter(\.isStatistic).map(\.name)
    #expect(marked == ["norm.mean", "norm.variance"])
    var offset = 0
    for parameter in model.parameters {
      #expect(parameter.offset == offset)
      offset += parameter.shape.elementCount
    }
    #expect(model.weights.count == offset)
    #expect(model.constants.keys.sorted() == ["scales"])
    #expect(model.opset == 17 && model.irVersion == 8 && model.producer == "libdas3 tests")
    #expect(model.metadata.keys.sorted() == ["classes", "input"])
  }

  @Test("a weight in a Constant node is a parameter like any other")
  func constantNode() throws {
    let model = try TestGraph.model {
      $0.input("x", [1, 1, 4, 4])
      $0.node("Constant", [], ["w"], ["value": .tensor(OnnxTensor("", [1, 1, 1, 1], floats: [3]))])
      $0.node("Conv", ["x", "w"], ["y"])
      $0.output("y")
    }
    #expect(model.parameters.map(\.name) == ["w"] && model.weights == [3])
    #expect(model.nodeCount == 2)
  }

  @Test("an initialiser that nothing uses is not read")
  func unused() throws {
    let model = try TestGraph.model {
      $0.input("x", [1, 3, 4, 4])
      $0.floats("unused", [2], [1, 2])
      $0.node("Relu", ["x"], ["y"])
      $0.output("y")
    }
    #expect(model.weights.isEmpty && model.constants.isEmpty)
  }

  @Test("an initialiser that is an input too is no input")
  func initializerAsInput() throws {
    let model = try TestGraph.model {
      $0.input("x", [1, 3, 4, 4])
      $0.input("w", [3, 1, 1])
      $0.floats("w", [3, 1, 1], [1, 2, 3])
      $0.node("Mul", ["x", "w"], ["y"])
      $0.output("y")
    }
    #expect(model.inputs.map(\.name) == ["x"])
  }
}
