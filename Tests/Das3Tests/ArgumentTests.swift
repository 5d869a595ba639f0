import CDas3
import Das3
import Das3TestSupport
import Testing

/// NULL and garbage for every function of the header: a status, a line, and nothing changed.
@Suite("Arguments")
struct ArgumentTests {
  static let model = TestModel(SampleModels.convolutional().serialized())
  static let bytes = SampleModels.convolutional().serialized()
  /// What no struct can have.
  static let structSizes: [UInt32] = [0, 1, 3, 70_000, .max]

  private func expectRefused(
    _ status: das3_status, _ expected: Int = Int(DAS3_E_ARGUMENT), _ mention: String? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let message = lastError()
    #expect(status == das3_status(expected), "\(message)", sourceLocation: sourceLocation)
    #expect(HostileFileTests.isOneLine(message), sourceLocation: sourceLocation)
    guard let mention else { return }
    #expect(message.contains(mention), "\(message)", sourceLocation: sourceLocation)
  }

  private func load(_ change: (inout das3_model_options) -> Void) -> das3_status {
    var options = TestModel.options()
    change(&options)
    var out = OpaquePointer(bitPattern: 8)
    let status = das3_model_load_bytes(&out, Self.bytes, Self.bytes.count, &options)
    #expect((out == nil) == (status != DAS3_OK))
    let message = lastError()
    das3_model_free(out)
    #expect(message == lastError() || out != nil)
    return status
  }

  private func create(_ change: (inout das3_segmenter_options) -> Void) -> das3_status {
    var options = TestSegmenter.options(height: 16, width: 24)
    change(&options)
    var out = OpaquePointer(bitPattern: 8)
    let status = das3_segmenter_create(&out, Self.model.handle, &options)
    #expect((out == nil) == (status != DAS3_OK))
    return status
  }

  @Test("NULL for what is required is refused by name")
  func null() {
    var handle: OpaquePointer?
    var info = das3_model_info()
    var entry = das3_class()
    var segmenterInfo = das3_segmenter_info()
    var image = das3_image()
    var result = das3_segmentation()
    var evaluation = das3_evaluation()
    expectRefused(das3_model_load(nil, "x", nil), Int(DAS3_E_ARGUMENT), "out")
    expectRefused(das3_model_load(&handle, nil, nil), Int(DAS3_E_ARGUMENT), "path")
    expectRefused(das3_model_load(&handle, "", nil), Int(DAS3_E_ARGUMENT), "path")
    expectRefused(das3_model_load_bytes(nil, "x", 1, nil), Int(DAS3_E_ARGUMENT), "out")
    expectRefused(das3_model_load_bytes(&handle, nil, 1, nil), Int(DAS3_E_ARGUMENT), "bytes")
    expectRefused(das3_model_get_info(nil, &info), Int(DAS3_E_ARGUMENT), "model")
    expectRefused(das3_model_get_info(Self.model.handle, nil), Int(DAS3_E_ARGUMENT), "info")
    expectRefused(das3_model_get_class(nil, 0, &entry), Int(DAS3_E_ARGUMENT), "model")
    expectRefused(das3_model_get_class(Self.model.handle, 0, nil), Int(DAS3_E_ARGUMENT), "entry")
    expectRefused(das3_segmenter_create(nil, Self.model.handle, nil), Int(DAS3_E_ARGUMENT), "out")
    expectRefused(das3_segmenter_create(&handle, nil, nil), Int(DAS3_E_ARGUMENT), "model")
    expectRefused(das3_segmenter_run(nil, &image, &result), Int(DAS3_E_ARGUMENT), "segmenter")
    expectRefused(das3_segmenter_prepare_model(nil, Self.model.handle), Int(DAS3_E_ARGUMENT))
    expectRefused(das3_segmenter_set_model(nil, Self.model.handle), Int(DAS3_E_ARGUMENT))
    expectRefused(das3_segmenter_get_info(nil, &segmenterInfo), Int(DAS3_E_ARGUMENT))
    expectRefused(das3_evaluator_create(nil, 2, 255), Int(DAS3_E_ARGUMENT), "out")
    expectRefused(das3_evaluator_add(nil, "", "", 0), Int(DAS3_E_ARGUMENT), "evaluator")
    expectRefused(das3_evaluator_get_result(nil, &evaluation), Int(DAS3_E_ARGUMENT), "evaluator")
    let segmenter = TestSegmenter(Self.model)
    expectRefused(das3_segmenter_run(segmenter.handle, nil, &result), Int(DAS3_E_ARGUMENT), "image")
    expectRefused(
      das3_segmenter_run(segmenter.handle, &image, &result), Int(DAS3_E_ARGUMENT), "data")
    expectRefused(
      das3_segmenter_prepare_model(segmenter.handle, nil), Int(DAS3_E_ARGUMENT), "model")
    expectRefused(das3_segmenter_set_model(segmenter.handle, nil), Int(DAS3_E_ARGUMENT), "model")
    expectRefused(das3_segmenter_get_info(segmenter.handle, nil), Int(DAS3_E_ARGUMENT), "info")
    #expect(handle == nil)
  }

  @Test("NULL where it is harmless is harmless")
  func harmlessNull() {
    das3_model_free(nil)
    das3_segmenter_free(nil)
    das3_evaluator_free(nil)
    das3_model_options_init(nil)
    das3_segmenter_options_init(nil)
    das3_segmenter_options_init_sized(nil, 8)
    #expect(das3_set_log_callback(nil, 0, nil) == DAS3_OK)
  }

  @Test("a struct_size that no struct has is refused", arguments: structSizes)
  func structSize(_ size: UInt32) {
    expectRefused(load { $0.struct_size = size }, Int(DAS3_E_ARGUMENT), "struct_size")
    expectRefused(create { $0.struct_size = size }, Int(DAS3_E_ARGUMENT), "struct_size")
    var info = das3_model_info()
    info.struct_size = size
    expectRefused(
      das3_model_get_info(Self.model.handle, &info), Int(DAS3_E_ARGUMENT), "struct_size")
    var entry = das3_class()
    entry.struct_size = size
    expectRefused(das3_model_get_class(Self.model.handle, 0, &entry))
    let segmenter = TestSegmenter(Self.model)
    var segmenterInfo = das3_segmenter_info()
    segmenterInfo.struct_size = size
    expectRefused(das3_segmenter_get_info(segmenter.handle, &segmenterInfo))
    let picture = PictureContent(width: 8, height: 8).rgb8()
    expectRefused(segmenter.run(picture) { $0.struct_size = size })
  }

  @Test("options of a model out of their range are refused")
  func modelOptions() {
    for value: UInt32 in [2, 255, .max] {
      expectRefused(load { $0.external_data = value }, Int(DAS3_E_ARGUMENT), "external_data")
    }
    for text in ["", "{", "[]", "3", "null", "\u{1}", #"{"classes": 1}"#, #"{"ignore": 300}"#] {
      let status = text.withCString { text in load { $0.metadata_json = text } }
      #expect(status == DAS3_E_ARGUMENT || status == DAS3_E_FORMAT, "\(text)")
      #expect(HostileFileTests.isOneLine(lastError()))
    }
    for name in ["", "cityscapes", "CITYSCAPES19", "synthia16 "] {
      let status = name.withCString { name in load { $0.class_preset = name } }
      expectRefused(status, Int(DAS3_E_ARGUMENT), "class_preset")
    }
    let status = "cityscapes19".withCString { name in load { $0.class_preset = name } }
    expectRefused(status, Int(DAS3_E_SHAPE), "19")
  }

  @Test("a size of bytes that cannot be is refused without reading them")
  func byteCount() {
    var out: OpaquePointer?
    for count in [-1, Int.min, Int.max, 3 << 30] {
      expectRefused(das3_model_load_bytes(&out, Self.bytes, count, nil), Int(DAS3_E_LIMIT))
    }
    expectRefused(das3_model_load_bytes(&out, Self.bytes, 0, nil), Int(DAS3_E_FORMAT))
  }

  @Test("class numbers outside the model are refused")
  func classIndex() {
    var entry = das3_class()
    entry.struct_size = UInt32(MemoryLayout<das3_class>.size)
    for index in [-1, 5, Int32.min, Int32.max] {
      expectRefused(das3_model_get_class(Self.model.handle, index, &entry))
    }
    #expect(entry.name == nil)
    #expect(das3_model_get_class(Self.model.handle, 4, &entry) == DAS3_OK)
  }

  @Test("options of a segmenter out of their range are refused")
  func segmenterOptions() {
    for threads: UInt32 in [1025, 1_000_000_000, .max] {
      expectRefused(create { $0.threads = threads }, Int(DAS3_E_ARGUMENT), "threads")
    }
    for size in [-1, 0, 32_769, Int32.min, Int32.max] {
      expectRefused(create { $0.height = size }, Int(DAS3_E_ARGUMENT), "24x\(size)")
      expectRefused(create { $0.width = size }, Int(DAS3_E_ARGUMENT), "\(size)x16")
    }
    for format in [-1, 9, Int32.min, Int32.max] {
      expectRefused(create { $0.format = format }, Int(DAS3_E_ARGUMENT), "format")
    }
    for precision in [-1, 3, Int32.min, Int32.max] {
      expectRefused(create { $0.precision = precision }, Int(DAS3_E_ARGUMENT), "precision")
    }
    for limit: UInt64 in [1, 1000] {
      expectRefused(create { $0.memory_limit = limit }, Int(DAS3_E_MEMORY), "memory limit")
    }
    #expect(create { $0.memory_limit = .max } == DAS3_OK)
  }

  @Test("log levels that do not exist are refused")
  func logLevel() {
    for level in [-1, 3, Int32.min, Int32.max] {
      expectRefused(das3_set_log_callback(nil, level, nil), Int(DAS3_E_ARGUMENT), "minimum_level")
    }
  }
}
