import CDas3
import Das3
import Das3TestSupport
import Testing

/// Parameters out and in, and the mean of several models.
@Suite("Model parameters")
struct ModelParametersTests {
  static let models = (1...3).map {
    TestModel(SampleModels.convolutional(seed: UInt64($0)).serialized())
  }
  let model = ModelParametersTests.models[0]

  private func expectRefused(
    _ status: das3_status, _ expected: Int, _ mention: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let message = lastError()
    #expect(status == das3_status(expected), "\(message)", sourceLocation: sourceLocation)
    #expect(HostileFileTests.isOneLine(message), sourceLocation: sourceLocation)
    #expect(message.contains(mention), "\(message)", sourceLocation: sourceLocation)
  }

  private func expectRefused(
    _ model: TestModel, _ expected: Int, _ mention: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(model.handle == nil, sourceLocation: sourceLocation)
    #expect(model.status == das3_status(expected), sourceLocation: sourceLocation)
    #expect(model.message.contains(mention), "\(model.message)", sourceLocation: sourceLocation)
    #expect(HostileFileTests.isOneLine(model.message), sourceLocation: sourceLocation)
  }

  private func parameter(_ index: Int32) -> das3_parameter? {
    var entry = das3_parameter()
    entry.struct_size = UInt32(MemoryLayout<das3_parameter>.size)
    return das3_model_get_parameter(model.handle, index, &entry) == DAS3_OK ? entry : nil
  }

  @Test("every parameter is listed with its name, shape and place")
  func list() throws {
    let writer = SampleModels.convolutional(seed: 1)
    let entries = (0..<model.info.parameter_tensor_count).compactMap(parameter)
    #expect(entries.count == 8)
    var offset: Int64 = 0
    for (entry, tensor) in zip(entries, writer.initializers) {
      #expect(entry.name.map { String(cString: $0) } == tensor.name)
      #expect(entry.offset == offset)
      #expect(entry.count == Int64(tensor.dims.reduce(1, *)))
      #expect(entry.rank == Int32(tensor.dims.count))
      let dims = withUnsafeBytes(of: entry.dims) { Array($0.bindMemory(to: Int64.self)) }
      #expect(
        dims == (tensor.dims + [Int](repeating: 0, count: 8 - tensor.dims.count)).map(Int64.init))
      let isStatistic = ["norm.mean", "norm.variance"].contains(tensor.name)
      #expect(entry.is_statistic == (isStatistic ? 1 : 0))
      #expect(entry.is_classifier == (tensor.name == "head.w" ? 1 : 0))
      offset += entry.count
    }
    #expect(offset == model.info.parameter_count)
    #expect(offset == Int64(model.parameters.count))
  }

  @Test("parameters that go in come out, to the bit, and the first model stays as it was")
  func roundTrip() {
    let before = model.parameters
    var values = before.map { $0 * 3 }
    values.replaceSubrange(0..<4, with: [.infinity, -0.0, .leastNonzeroMagnitude, .nan])
    let other = model.with(values)
    #expect(other.parameters.map(\.bitPattern) == values.map(\.bitPattern))
    #expect(model.parameters == before)
    #expect(other.info.parameter_count == model.info.parameter_count)
    #expect(other.info.class_count == 5)
    #expect(other.info.input_name.map { String(cString: $0) } == "image")
  }

  @Test("what is made from a model outlives it")
  func lifetime() {
    var (first, second, third): (OpaquePointer?, OpaquePointer?, OpaquePointer?)
    let bytes = ArgumentTests.bytes
    var values = ArgumentTests.model.parameters
    #expect(das3_model_load_bytes(&first, bytes, bytes.count, nil) == DAS3_OK)
    #expect(das3_model_with_parameters(&second, first, values, Int64(values.count)) == DAS3_OK)
    #expect(das3_model_merge(&third, [first, second], nil, 2) == DAS3_OK)
    das3_model_free(first)
    das3_model_free(second)
    var found = [Float](repeating: 0, count: values.count)
    #expect(das3_model_get_parameters(third, &found, Int64(found.count)) == DAS3_OK)
    #expect(found == values)
    values = []
    das3_model_free(third)
  }

  @Test("the merged model has the weighted mean of every parameter, statistics included")
  func mean() {
    let parameters = Self.models.map(\.parameters)
    for weights in [
      nil, [1, 1, 1], [1, 2, 5], [0.5, 0, 1.5], [1e308, 1e308, 0], [.leastNonzeroMagnitude, 0, 0],
    ]
      as [[Double]?]
    {
      let merged = TestModel.merge(Self.models, weights)
      #expect(merged.status == DAS3_OK, "\(merged.message)")
      let largest = (weights ?? [1]).max() ?? 1
      let shares = (weights ?? [1, 1, 1]).map { $0 / largest }
      let expected = parameters[0].indices.map { index in
        let sum = (0..<3).reduce(0.0) { $0 + shares[$1] * Double(parameters[$1][index]) }
        return Float(sum / shares.reduce(0, +))
      }
      #expect(merged.parameters == expected)
    }
  }

  @Test("a mean of equal models, or of one, is that model to the bit")
  func meanOfEqual() {
    for (models, weights) in [
      ([model], [7]), ([model, model, model], [0.1, 0.7, 0.3]), ([model, Self.models[1]], [3, 0]),
    ] as [([TestModel], [Double])] {
      #expect(TestModel.merge(models, weights).parameters == model.parameters)
    }
  }

  @Test("a model without a share does not count, whatever its parameters are")
  func zeroShare() {
    let wild = model.with(
      [Float](repeating: .infinity, count: model.parameters.count))
    #expect(TestModel.merge([wild, model], [0, 1]).parameters == model.parameters)
    #expect(TestModel.merge([wild, model]).parameters.allSatisfy { $0 == .infinity })
  }

  @Test("a merged model says so in its file, and labels like it")
  func mergedFile() throws {
    let saved = try SavedModel()
    let merged = TestModel.merge(Self.models)
    let bytes = SampleModels.convolutional(seed: 1).serialized()
    let file = try saved.bytes(merged)
    #expect(
      Array(file[bytes.count...]) == (try SavedModel.provenance(of: bytes, method: "merge")))
    #expect(TestModel(file).parameters == merged.parameters)
    let picture = PictureContent(width: 24, height: 16).rgb8()
    #expect(
      TestSegmenter(merged).probabilities(picture, classCount: 5)
        == TestSegmenter(TestModel(file)).probabilities(picture, classCount: 5))
  }

  @Test("models of other graphs are refused with what differs")
  func otherGraphs() {
    let base = SampleModels.convolutional()
    func refused(_ mention: String, _ change: (inout OnnxWriter) -> Void) {
      var writer = base
      writer.metadata = []
      change(&writer)
      let other = TestModel(writer.serialized())
      #expect(other.status == DAS3_OK, "\(other.message)")
      expectRefused(TestModel.merge([model, other]), Int(DAS3_E_SHAPE), mention)
      #expect(TestModel.merge([model, other]).message.contains("model 1"))
    }
    refused("head.w") {
      $0.initializers[7] = OnnxTensor(
        "head.w", [6, 16, 1, 1], floats: [Float](repeating: 0, count: 96))
    }
    refused("scales") { $0.initializers[8] = OnnxTensor("scales", [4], floats: [1, 1, 4, 4]) }
    refused("Conv 'deep'") {
      $0.nodes[3].attributes[0].value = .ints([1, 1, 1, 1])
      $0.nodes[3].attributes[1].value = .ints([1, 1])
    }
    refused("stem") {
      $0.initializers[0].name = "other.w"
      $0.nodes[0].inputs[1] = "other.w"
    }
    refused("nodes") { $0.node("Relu", ["logits"], ["unused"]) }
    expectRefused(
      TestModel.merge([model, TestModel(SampleModels.shapeArithmetic().serialized())]),
      Int(DAS3_E_SHAPE), "model 1")
  }

  @Test("models of one graph merge though their files, names of nodes and metadata differ")
  func otherFiles() {
    var writer = SampleModels.convolutional(seed: 2)
    writer.metadata = []
    writer.producer = "another"
    writer.nodes[0].name = "first"
    writer.initializers.swapAt(0, 0)
    writer.initializers[0].payload = .floats(SplitMix64.floats(seed: 2, count: 216))
    let merged = TestModel.merge([model, TestModel(writer.serialized())])
    #expect(merged.status == DAS3_OK, "\(merged.message)")
  }

  @Test("models of another opset are others, models with constants that are no numbers are not")
  func sameGraph() throws {
    func model(opset: Int) -> TestModel {
      var writer = OnnxWriter(opset: opset)
      writer.input("x", [1, 3, 8, 8])
      writer.initializers.append(OnnxTensor("low", [], floats: [.nan]))
      writer.node("Clip", ["x", "low"], ["c"])
      writer.node("Softmax", ["c"], ["y"], ["axis": .int(1)])
      writer.output("y", [1, 3, 8, 8])
      return TestModel(writer.serialized())
    }
    let (first, same, older) = (model(opset: 13), model(opset: 13), model(opset: 11))
    let segmenter = TestSegmenter(first)
    #expect(TestModel.merge([first, same]).status == DAS3_OK, "\(lastError())")
    #expect(das3_segmenter_set_model(segmenter.handle, same.handle) == DAS3_OK, "\(lastError())")
    expectRefused(TestModel.merge([first, older]), Int(DAS3_E_SHAPE), "opset")
    expectRefused(
      das3_segmenter_set_model(segmenter.handle, older.handle), Int(DAS3_E_SHAPE), "opset")
  }

  @Test("weights that make no mean are refused")
  func weights() {
    for (weights, mention) in [
      ([1, -1], "-1"), ([0, 0], "0"), ([1, .infinity], "inf"), ([.nan, 1], "nan"),
    ] as [([Double], String)] {
      expectRefused(TestModel.merge([model, model], weights), Int(DAS3_E_ARGUMENT), mention)
    }
  }

  @Test("NULL, wrong counts and wrong indices are refused and change nothing")
  func arguments() {
    let count = model.info.parameter_count
    var values = [Float](repeating: 7, count: Int(count))
    var entry = das3_parameter()
    entry.struct_size = UInt32(MemoryLayout<das3_parameter>.size)
    let argument = Int(DAS3_E_ARGUMENT)
    expectRefused(das3_model_save(nil, "x"), argument, "model")
    expectRefused(das3_model_save(model.handle, nil), argument, "path")
    expectRefused(das3_model_get_parameters(nil, &values, count), argument, "model")
    expectRefused(das3_model_get_parameters(model.handle, nil, count), argument, "values")
    expectRefused(das3_model_get_parameter(nil, 0, &entry), argument, "model")
    expectRefused(das3_model_get_parameter(model.handle, 0, nil), argument, "entry")
    for index in [-1, 8, Int32.min, Int32.max] {
      expectRefused(das3_model_get_parameter(model.handle, index, &entry), argument, "\(index)")
    }
    for size in ArgumentTests.structSizes {
      entry.struct_size = size
      expectRefused(das3_model_get_parameter(model.handle, 0, &entry), argument, "struct_size")
    }
    for wrong in [0, -1, count - 1, count + 1, Int64.min, Int64.max] {
      expectRefused(das3_model_get_parameters(model.handle, &values, wrong), argument, "\(wrong)")
      expectRefused(
        TestModel { das3_model_with_parameters($0, model.handle, values, wrong) }, argument,
        "\(wrong)")
    }
    #expect(entry.name == nil)
    #expect(values.allSatisfy { $0 == 7 })
    expectRefused(
      das3_model_with_parameters(nil, model.handle, values, count), argument, "out")
    expectRefused(
      TestModel { das3_model_with_parameters($0, nil, values, count) }, argument, "model")
    expectRefused(
      TestModel { das3_model_with_parameters($0, model.handle, nil, count) }, argument, "values")
    expectRefused(das3_model_merge(nil, [model.handle], nil, 1), argument, "out")
    expectRefused(TestModel { das3_model_merge($0, nil, nil, 1) }, argument, "models")
    expectRefused(
      TestModel { das3_model_merge($0, [model.handle, nil], nil, 2) }, argument, "models[1]")
    for count in [0, -1, Int32.min] {
      expectRefused(
        TestModel { das3_model_merge($0, [model.handle], nil, count) }, argument, "\(count)")
    }
  }

  @Test("a network without parameters has none, in and out")
  func none() throws {
    var writer = OnnxWriter()
    writer.input("x", [1, 3, 8, 8])
    writer.node("Relu", ["x"], ["y"])
    writer.output("y", [1, 3, 8, 8])
    let model = TestModel(writer.serialized())
    #expect(model.info.parameter_count == 0 && model.info.parameter_tensor_count == 0)
    var value: Float = 7
    #expect(das3_model_get_parameters(model.handle, &value, 0) == DAS3_OK)
    #expect(value == 7)
    #expect(TestModel { das3_model_with_parameters($0, model.handle, &value, 0) }.status == DAS3_OK)
    #expect(TestModel.merge([model, model]).status == DAS3_OK)
    #expect(try SavedModel().bytes(model) == writer.serialized())
  }
}
