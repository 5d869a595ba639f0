import CDas3
import Das3
import Das3TestSupport
import Foundation
import Testing

/// A model to the bytes of a file: only what has changed differs from the message it came from.
///
/// Where the file has its fields in the order of their numbers, as protobuf writes them, that goes
/// for every byte.
@Suite("Model save")
struct ModelSaveTests {
  let saved: SavedModel

  init() throws { saved = try SavedModel() }

  @Test("a model that has not changed is saved as the bytes it came from")
  func unchanged() throws {
    for bytes in [
      SampleModels.convolutional().serialized(), SampleModels.shapeArithmetic().serialized(),
    ] {
      #expect(try saved.bytes(TestModel(bytes)) == bytes)
    }
  }

  @Test(
    "every encoding of a weight is kept, the values are the new ones",
    arguments: WeightNetwork.encodings.indices, [false, true])
  func encodings(_ index: Int, _ isConstant: Bool) throws {
    let encoding = WeightNetwork.encodings[index]
    let (old, new) = (WeightNetwork.values(seed: 1), WeightNetwork.values(seed: 2))
    let bytes = WeightNetwork.writer(encoding.tensor(old), isConstant: isConstant).serialized()
    let model = TestModel(bytes)
    #expect(model.status == DAS3_OK, "\(encoding.name): \(model.message)")
    #expect(model.parameters == old, "\(encoding.name)")
    let same = try saved.bytes(model)
    #expect(same == bytes || encoding.isUnusual, "\(encoding.name)")
    #expect(TestModel(same).parameters == old, "\(encoding.name)")
    let other = WeightNetwork.writer(encoding.tensor(new), isConstant: isConstant).serialized()
    let expected = encoding.isUnusual ? try saved.bytes(TestModel(other)) : other
    let found = try saved.bytes(model.with(new))
    #expect(found == expected + (try SavedModel.provenance(of: bytes)), "\(encoding.name)")
    #expect(TestModel(found).parameters == new, "\(encoding.name)")
  }

  @Test("outside the weights every byte stays, found by comparing the files")
  func difference() throws {
    let old = SampleModels.convolutional().serialized()
    let model = TestModel(old)
    let weights = model.parameters
    let new = try saved.bytes(model.with(weights.map { -$0 }))
    // Each value has one byte with another sign bit; nothing else has moved.
    #expect(Array(new[old.count...]) == (try SavedModel.provenance(of: old)))
    let different = old.indices.filter { old[$0] != new[$0] }
    #expect(different.count == weights.count)
    #expect(different.allSatisfy { old[$0] ^ new[$0] == 0x80 })
    #expect(try saved.bytes(TestModel(new).with(weights)).prefix(old.count) == old[...])
  }

  @Test("unknown fields and the order of elements stay; fields come in the order of their numbers")
  func unusualFile() throws {
    let (old, new) = (WeightNetwork.values(seed: 3), WeightNetwork.values(seed: 4))
    let bytes = Self.unusual(old)
    let model = TestModel(bytes)
    #expect(model.status == DAS3_OK, "\(model.message)")
    #expect(model.parameters == old)
    let (same, found) = (try saved.bytes(model), try saved.bytes(model.with(new)))
    #expect(same == Self.usual(old, provenance: []))
    #expect(found == Self.usual(new, provenance: try SavedModel.provenance(of: bytes)))
  }

  /// The same message as protobuf writes it.
  private static func usual(_ values: [Float], provenance: [UInt8]) -> [UInt8] {
    var model = ProtobufWriter()
    model.varint(1, 10)
    model.string(6, "a doc string")
    model.message(7) { graph in
      graph.message(1) {
        $0.string(1, "x")
        $0.string(1, "w")
        $0.string(2, "y")
        $0.string(4, "Conv")
      }
      graph.message(5) { tensor in
        for size in WeightNetwork.dims { tensor.varint(1, size) }
        tensor.varint(2, OnnxTensor.float32)
        tensor.string(8, "w")
        tensor.data(9, OnnxTensor.bytes(values))
        tensor.string(12, "a tensor")
        tensor.string(1000, "unknown")
      }
      graph.string(10, "a graph")
      graph.message(11, port)
      graph.message(12) { $0.string(1, "y") }
      graph.varint(2000, 7)
    }
    model.message(8) { $0.varint(2, 17) }
    model.raw(provenance)
    model.raw([0xFA, 0x7F, 3, 1, 2, 3])
    return model.bytes
  }

  private static func port(_ port: inout ProtobufWriter) {
    port.string(1, "x")
    port.message(2) { type in
      type.message(1) { tensor in
        tensor.varint(1, OnnxTensor.float32)
        tensor.message(2) { shape in
          for size in [1, 3, 8, 8] { shape.message(1) { $0.varint(1, size) } }
        }
      }
    }
  }

  /// The graph in two parts, in front; fields that ONNX does not have; a tensor from its end; a raw
  /// payload that a later one replaces.
  private static func unusual(_ values: [Float]) -> [UInt8] {
    let raw = OnnxTensor.bytes(values)
    var model = ProtobufWriter()
    model.message(7) { graph in
      var tensor = ProtobufWriter()
      tensor.data(9, [1, 2, 3])
      tensor.string(1000, "unknown")
      tensor.data(9, raw)
      tensor.string(8, "w")
      tensor.varint(2, OnnxTensor.float32)
      tensor.string(12, "a tensor")
      for size in WeightNetwork.dims { tensor.varint(1, size) }
      // A length of three bytes where one would do.
      let size = UInt8(tensor.bytes.count)
      graph.raw([5 << 3 | 2, size | 0x80, 0x80, 0] + tensor.bytes)
      graph.varint(2000, 7)
      graph.message(12) { $0.string(1, "y") }
    }
    model.string(6, "a doc string")
    model.message(8) { $0.varint(2, 17) }
    model.message(7) { graph in
      graph.string(10, "a graph")
      graph.message(11, port)
      graph.message(1) {
        $0.string(4, "Conv")
        $0.string(2, "y")
        $0.string(1, "x")
        $0.string(1, "w")
      }
    }
    model.varint(1, 10)
    model.raw([0xFA, 0x7F, 3, 1, 2, 3])
    return model.bytes
  }

  @Test("a weight in a Constant node leaves everything around it where it is")
  func constantNode() throws {
    func bytes(_ values: [Float], provenance: [UInt8] = []) -> [UInt8] {
      var model = ProtobufWriter()
      model.varint(1, 10)
      model.message(7) { graph in
        graph.message(1) { node in
          node.string(2, "w")
          node.string(4, "Constant")
          node.message(5) { attribute in
            attribute.string(1, "value")
            attribute.message(5) { tensor in
              for size in WeightNetwork.dims { tensor.varint(1, size) }
              tensor.varint(2, OnnxTensor.float32)
              tensor.string(8, "t")
              tensor.data(9, OnnxTensor.bytes(values))
              tensor.string(12, "a tensor")
              tensor.varint(1000, 1)
            }
            attribute.string(13, "an attribute")
            attribute.varint(20, 4)
            attribute.varint(1000, 2)
          }
          node.string(6, "a node")
          node.varint(1000, 3)
        }
        graph.message(1) {
          $0.string(1, "x")
          $0.string(1, "w")
          $0.string(2, "y")
          $0.string(4, "Conv")
        }
        graph.message(11, Self.port)
        graph.message(12) { $0.string(1, "y") }
      }
      model.message(8) { $0.varint(2, 17) }
      model.raw(provenance)
      return model.bytes
    }
    let (old, new) = (WeightNetwork.values(seed: 7), WeightNetwork.values(seed: 8))
    let model = TestModel(bytes(old))
    #expect(model.status == DAS3_OK, "\(model.message)")
    #expect(try saved.bytes(model) == bytes(old))
    let expected = bytes(new, provenance: try SavedModel.provenance(of: bytes(old)))
    #expect(try saved.bytes(model.with(new)) == expected)
  }

  @Test("a double that has not changed keeps the bits that float32 lacks")
  func doubles() throws {
    let bits = (0..<9).map { (0.1 + Double($0)).bitPattern }
    func bytes(_ bits: [UInt64]) -> [UInt8] {
      WeightNetwork.writer(
        OnnxTensor(
          "w", type: OnnxTensor.double, WeightNetwork.dims, .raw(OnnxTensor.bytes(bits)))
      ).serialized()
    }
    let model = TestModel(bytes(bits))
    #expect(try saved.bytes(model) == bytes(bits))
    var (values, expected) = (model.parameters, bits)
    values[4] = 0.3
    expected[4] = Double(Float(0.3)).bitPattern
    let found = try saved.bytes(model.with(values))
    #expect(found == bytes(expected) + (try SavedModel.provenance(of: bytes(bits))))
  }

  @Test("float16 and bfloat16 round to the nearest, ties to even")
  func rounding() throws {
    let values: [Float] = [
      1 + 0x1p-11, 1 + 0x3p-11, 65519, 65520, 0x1p-25, 0x1.8p-24, -0x1.FFEp-15, .nan,
      1 + 0x1p-8 + 0x1p-20,
    ]
    let expected: [(type: Int, bits: [UInt16])] = [
      (
        OnnxTensor.float16,
        [0x3C00, 0x3C02, 0x7BFF, 0x7C00, 0, 2, 0x8400, 0x7E00, 0x3C04]
      ),
      (
        OnnxTensor.bfloat16,
        [0x3F80, 0x3F80, 0x4780, 0x4780, 0x3300, 0x33C0, 0xB880, 0x7FC0, 0x3F81]
      ),
    ]
    for (type, bits) in expected {
      func bytes(_ bits: [UInt16]) -> [UInt8] {
        WeightNetwork.writer(
          OnnxTensor("w", type: type, WeightNetwork.dims, .raw(OnnxTensor.bytes(bits)))
        ).serialized()
      }
      let source = bytes([UInt16](repeating: 0, count: 9))
      let found = try saved.bytes(TestModel(source).with(values))
      #expect(found == bytes(bits) + (try SavedModel.provenance(of: source)), "type \(type)")
    }
  }

  @Test("subnormals, infinities and NaN of float16 return to the same bits")
  func halfBits() throws {
    let all: [UInt16] = [0x0001, 0x83FF, 0x7C00, 0xFC00, 0x7C01, 0xFE00, 0x7BFF, 0x8000, 0x0400]
    for tensor in [
      OnnxTensor("w", type: OnnxTensor.float16, WeightNetwork.dims, .raw(OnnxTensor.bytes(all))),
      OnnxTensor(
        "w", type: OnnxTensor.float16, WeightNetwork.dims, .ints(all.map { Int($0) - 65536 })),
      OnnxTensor(
        "w", type: OnnxTensor.bfloat16, WeightNetwork.dims,
        .raw(OnnxTensor.bytes([0x7F81, 0xFF80, 1, 0x8000, 0x7FFF, 3, 4, 5, 6] as [UInt16]))),
    ] {
      let bytes = WeightNetwork.writer(tensor).serialized()
      let model = TestModel(bytes)
      #expect(try saved.bytes(model) == bytes)
      // Also where they are said to have changed: the file is the same, with provenance.
      let found = try saved.bytes(model.with(model.parameters))
      #expect(found == bytes + (try SavedModel.provenance(of: bytes)))
    }
  }

  @Test("a weight that two nodes share is one parameter, once in the file")
  func shared() throws {
    func bytes(_ values: [Float]) -> [UInt8] {
      var writer = WeightNetwork.writer(OnnxTensor("w", WeightNetwork.dims, floats: values))
      writer.nodes = []
      writer.node("Conv", ["x", "w"], ["h"])
      writer.node("Conv", ["h", "w"], ["y"])
      return writer.serialized()
    }
    let (old, new) = (WeightNetwork.values(seed: 5), WeightNetwork.values(seed: 6))
    let model = TestModel(bytes(old))
    #expect(model.info.parameter_count == 9)
    #expect(model.info.parameter_tensor_count == 1)
    let found = try saved.bytes(model.with(new))
    #expect(found == bytes(new) + (try SavedModel.provenance(of: bytes(old))))
  }

  @Test("the same model gives the same bytes; a saved model says once how it came about")
  func repeated() throws {
    let bytes = SampleModels.convolutional().serialized()
    let first = TestModel(bytes)
    let second = first.with(first.parameters.map { $0 / 2 })
    let file = try saved.bytes(second)
    #expect(try saved.bytes(second, "again.onnx") == file)
    #expect(try saved.bytes(TestModel(file)) == file)
    let third = TestModel(file).with(first.parameters)
    let changed = try saved.bytes(third)
    #expect(changed == bytes + (try SavedModel.provenance(of: file)))
    // A model of a model in memory names the file, not what was between.
    let direct = try saved.bytes(second.with(first.parameters))
    #expect(direct == bytes + (try SavedModel.provenance(of: bytes)))
  }

  @Test("what the JSON file and the options say stands in the saved file, once")
  func metadata() throws {
    var writer = SampleModels.convolutional()
    writer.metadata = [("classes", #"["a","b","c","d","e"]"#), ("author", "someone")]
    let bytes = writer.serialized()
    try saved.folder.write(bytes, to: "net.onnx")
    try saved.folder.write(
      Array(
        #"{"classes": ["no", "f", "g", "h", "i"], "ignore": 7, "input": {"std": [0.229, 2, 3e-5]}}"#
          .utf8), to: "net.json")
    var options = TestModel.options()
    let model = #"{"output": {"name": "logits", "kind": "logits"}, "colours": [[1, 2, 3]]}"#
      .withCString { text in
        options.metadata_json = text
        return TestModel(path: saved.folder.path("net.onnx"), options: options)
      }
    #expect(model.status == DAS3_OK, "\(model.message)")
    let file = try saved.bytes(model)
    let added = [
      ("colours", "[[1,2,3]]"), ("ignore", "7"), ("input", #"{"std":[0.229,2,3e-05]}"#),
      ("output", #"{"kind":"logits","name":"logits"}"#),
    ]
    #expect(file == bytes + added.flatMap { SavedModel.entry($0.0, $0.1) })
    let alone = TestModel(file)
    #expect(alone.info.ignore_label == 7)
    #expect(alone.info.std.2 == 3e-5)
    var entry = das3_class()
    entry.struct_size = UInt32(MemoryLayout<das3_class>.size)
    #expect(das3_model_get_class(alone.handle, 0, &entry) == DAS3_OK)
    #expect(entry.name.map { String(cString: $0) } == "a")
    #expect([entry.red, entry.green, entry.blue] == [1, 2, 3])
  }

  @Test("options that contradict the file replace its entry")
  func overridden() throws {
    var writer = SampleModels.convolutional()
    let bytes = writer.serialized()
    var options = TestModel.options()
    let model = #"{"classes": ["α", "\"", "\\", "\n\u0001", "🚗"]}"#.withCString { text in
      options.metadata_json = text
      return TestModel(bytes, options: options)
    }
    writer.metadata.removeAll { $0.key == "classes" }
    let text = #"["α","\"","\\","\n\u0001","🚗"]"#
    #expect(
      try saved.bytes(model) == writer.serialized() + SavedModel.entry("classes", text))
    #expect(try saved.bytes(TestModel(try saved.bytes(model))) == (try saved.bytes(model)))
  }

  @Test("what is saved labels as what it was saved from, and as its parameters in a segmenter")
  func labels() throws {
    let picture = PictureContent(width: 24, height: 16).rgb8()
    let model = TestModel(SampleModels.convolutional(seed: 4).serialized())
    let other = model.with(TestModel(SampleModels.convolutional(seed: 5).serialized()).parameters)
    let segmenter = TestSegmenter(model)
    let before = segmenter.probabilities(picture, classCount: 5)
    #expect(das3_segmenter_set_model(segmenter.handle, other.handle) == DAS3_OK)
    let after = segmenter.probabilities(picture, classCount: 5)
    #expect(before != nil && after != nil && before != after)
    let read = TestModel(try saved.bytes(other))
    #expect(TestSegmenter(read).probabilities(picture, classCount: 5) == after)
  }
}
