import CDas3
import Das3
import Das3TestSupport
import Foundation
import Testing

/// Models with data in other files are saved as one.
@Suite("Model save from external data")
struct ModelSaveExternalTests {
  let saved: SavedModel

  init() throws { saved = try SavedModel() }

  private func load(_ writer: OnnxWriter, options: das3_model_options? = nil) throws -> TestModel {
    try saved.folder.write(writer.serialized(), to: "net.onnx")
    return TestModel(path: saved.folder.path("net.onnx"), options: options)
  }

  /// The tensor as it stands in one file: its data behind what it had in the model.
  private static func inline(_ name: String, type: Int, _ dims: [Int], _ raw: [UInt8])
    -> OnnxTensor
  {
    OnnxTensor(name, type: type, dims, .fields { if !raw.isEmpty { $0.data(9, raw) } })
  }

  @Test(
    "weights of every type come in, from an initializer and from a Constant node",
    arguments: [false, true])
  func weights(_ isConstant: Bool) throws {
    let (old, new) = (WeightNetwork.values(seed: 1), WeightNetwork.values(seed: 2))
    let types: [(type: Int, bytes: ([Float]) -> [UInt8])] = [
      (OnnxTensor.float32, { OnnxTensor.bytes($0) }),
      (OnnxTensor.float16, { OnnxTensor.bytes(WeightNetwork.halves($0)) }),
      (OnnxTensor.bfloat16, { OnnxTensor.bytes(WeightNetwork.brains($0)) }),
      (OnnxTensor.double, { OnnxTensor.bytes(WeightNetwork.doubles($0)) }),
    ]
    for (type, bytes) in types {
      try saved.folder.write([9, 9, 9] + bytes(old) + [9], to: "inner/w.bin")
      let writer = WeightNetwork.writer(
        OnnxTensor(
          "w", type: type, WeightNetwork.dims,
          .external([("location", "inner/w.bin"), ("offset", "3")])), isConstant: isConstant)
      let model = try load(writer)
      #expect(model.status == DAS3_OK, "\(model.message)")
      #expect(model.parameters == old)
      try FileManager.default.removeItem(atPath: saved.folder.path("inner/w.bin"))
      func expected(_ values: [Float]) -> [UInt8] {
        WeightNetwork.writer(
          Self.inline("w", type: type, WeightNetwork.dims, bytes(values)), isConstant: isConstant
        ).serialized()
      }
      #expect(try saved.bytes(model) == expected(old))
      let found = try saved.bytes(model.with(new))
      #expect(found == expected(new) + (try SavedModel.provenance(of: writer.serialized())))
    }
  }

  /// Constants of all kinds in one file beside the model.
  private func mixed(isInline: Bool) throws -> OnnxWriter {
    var writer = OnnxWriter()
    let data = OnnxTensor.bytes(WeightNetwork.values(seed: 3))
    let shape = OnnxTensor.bytes([1, 3, 8, 8] as [Int64])
    let unused: [UInt8] = Array(1...5)
    try saved.folder.write(data + shape + unused, to: "all.bin")
    func tensor(_ name: String, _ type: Int, _ dims: [Int], _ raw: [UInt8], at offset: Int)
      -> OnnxTensor
    {
      isInline
        ? Self.inline(name, type: type, dims, raw)
        : OnnxTensor(
          name, type: type, dims, .external([("location", "all.bin"), ("offset", "\(offset)")]))
    }
    writer.input("x", [1, 3, 8, 8])
    writer.node(
      "Constant", [], ["shape"],
      ["value": .tensor(tensor("", OnnxTensor.int64, [4], shape, at: 36))])
    writer.node("Conv", ["x", "w"], ["h"])
    writer.node("Reshape", ["h", "shape"], ["y"])
    writer.initializers = [
      tensor("w", OnnxTensor.float32, [3, 3, 1, 1], data, at: 0),
      tensor("unused", 2, [5], unused, at: 68),
      tensor("empty", OnnxTensor.float32, [0], [], at: 0),
    ]
    writer.output("y", [1, 3, 8, 8])
    return writer
  }

  @Test("constants come in too, used or not, and nothing is said of other files")
  func constants() throws {
    let model = try load(try mixed(isInline: false))
    #expect(model.status == DAS3_OK, "\(model.message)")
    try FileManager.default.removeItem(atPath: saved.folder.path("all.bin"))
    let found = try saved.bytes(model)
    #expect(found == (try mixed(isInline: true)).serialized())
    #expect(TestModel(found).status == DAS3_OK)
  }

  @Test("data that nothing uses and that is missing is missed only when the model is saved")
  func missing() throws {
    var writer = WeightNetwork.writer(
      OnnxTensor("w", WeightNetwork.dims, floats: WeightNetwork.values(seed: 4)))
    writer.initializers.append(OnnxTensor("unused", [4], location: "missing.bin"))
    let model = try load(writer)
    #expect(model.status == DAS3_OK, "\(model.message)")
    for model in [model, model.with(model.parameters)] {
      #expect(model.status == DAS3_OK)
      #expect(das3_model_save(model.handle, saved.folder.path("saved.onnx")) == DAS3_E_IO)
      #expect(lastError().contains("missing.bin") && lastError().contains("saved.onnx"))
    }
    #expect(saved.names == ["net.onnx"])
  }

  @Test("more than an ONNX file can hold is refused, without reading what nobody needs")
  func tooLarge() async {
    await #expect(processExitsWith: .success) {
      ProcessLimits.apply(bytes: 3 << 30)
      let saved = try SavedModel()
      try saved.folder.write([], to: "large.bin")
      #expect(truncate(saved.folder.path("large.bin"), 1 << 31) == 0)
      var options = TestModel.options()
      options.max_bytes = 4 << 30
      var writer = WeightNetwork.writer(
        OnnxTensor("w", WeightNetwork.dims, floats: WeightNetwork.values(seed: 4)))
      writer.initializers.append(
        OnnxTensor("large", type: 2, [1 << 31], .external([("location", "large.bin")])))
      try saved.folder.write(writer.serialized(), to: "net.onnx")
      let growth = PeakMemory.growth {
        let model = TestModel(path: saved.folder.path("net.onnx"), options: options)
        #expect(model.status == DAS3_OK, "\(model.message)")
        #expect(das3_model_save(model.handle, saved.folder.path("saved.onnx")) == DAS3_E_LIMIT)
        #expect(lastError().contains("2147483647"), "\(lastError())")
      }
      #expect((growth ?? 0) < 64 << 20)
    }
  }

  @Test("what came from a refused policy cannot come in: loading says so")
  func policy() throws {
    var options = TestModel.options()
    options.external_data = DAS3_EXTERNAL_DATA_REFUSE.rawValue
    #expect(try load(try mixed(isInline: false), options: options).status == DAS3_E_IO)
  }
}
