import CDas3
import Das3
import Das3TestSupport
import Foundation
import Testing

/// Lives of handles, other models in a segmenter, other versions of structs, messages by thread.
@Suite("Handles")
struct HandleTests {
  let picture = PictureContent(width: 24, height: 16).rgb8()

  @Test("freeing in any order works: what is made from a model keeps it alive")
  func freeingOrder() {
    for modelFirst in [true, false] {
      var (model, segmenter): (OpaquePointer?, OpaquePointer?)
      let bytes = ArgumentTests.bytes
      #expect(das3_model_load_bytes(&model, bytes, bytes.count, nil) == DAS3_OK)
      #expect(das3_segmenter_create(&segmenter, model, nil) == DAS3_OK)
      if modelFirst { das3_model_free(model) }
      var labels = [UInt8](repeating: 254, count: 24 * 16)
      labels.withUnsafeMutableBufferPointer { buffer in
        var result = das3_segmentation()
        result.struct_size = UInt32(MemoryLayout<das3_segmentation>.size)
        result.labels = buffer.baseAddress
        picture.withImage {
          var image = $0
          #expect(das3_segmenter_run(segmenter, &image, &result) == DAS3_OK)
        }
      }
      #expect(labels.allSatisfy { $0 < 5 })
      das3_segmenter_free(segmenter)
      if !modelFirst { das3_model_free(model) }
    }
  }

  @Test("another model of the same graph changes the result to its own")
  func setModel() {
    let other = TestModel(SampleModels.convolutional(seed: 99).serialized())
    let segmenter = TestSegmenter(ArgumentTests.model)
    let before = segmenter.labels(picture)
    let expected = TestSegmenter(other).labels(picture)
    #expect(before != expected)
    #expect(das3_segmenter_set_model(segmenter.handle, other.handle) == DAS3_OK)
    #expect(segmenter.labels(picture) == expected)
    #expect(das3_segmenter_set_model(segmenter.handle, ArgumentTests.model.handle) == DAS3_OK)
    #expect(segmenter.labels(picture) == before)
  }

  @Test("a prepared model changes nothing before it is set, and then everything")
  func prepareModel() {
    let models =
      [ArgumentTests.model]
      + [99, 98].map {
        TestModel(SampleModels.convolutional(seed: $0).serialized())
      }
    let expected = models.map { TestSegmenter($0).labels(picture) }
    #expect(Set(expected).count == 3)
    let segmenter = TestSegmenter(models[0])
    // No frame has set the size: there is nothing to prepare yet.
    #expect(das3_segmenter_prepare_model(segmenter.handle, models[1].handle) == DAS3_OK)
    #expect(segmenter.labels(picture) == expected[0])
    // Set is what was prepared; what was not; what is in use; what was prepared last, and before that.
    let cases = [
      ([1], 1), ([2], 2), ([0], 0), ([1], 2), ([0], 1), ([0], 0), ([0], 0), ([1, 2], 2),
      ([0, 1, 2], 0),
    ]
    for (prepared, set) in cases {
      let before = segmenter.labels(picture)
      for index in prepared {
        #expect(das3_segmenter_prepare_model(segmenter.handle, models[index].handle) == DAS3_OK)
      }
      #expect(segmenter.labels(picture) == before)
      #expect(das3_segmenter_set_model(segmenter.handle, models[set].handle) == DAS3_OK)
      #expect(segmenter.labels(picture) == expected[set], "\(prepared), \(set)")
    }
    // Prepared for one size, set after another one.
    #expect(das3_segmenter_prepare_model(segmenter.handle, models[1].handle) == DAS3_OK)
    let larger = PictureContent(width: 2 * picture.width, height: 2 * picture.height).rgb8()
    _ = segmenter.labels(larger)
    #expect(das3_segmenter_set_model(segmenter.handle, models[1].handle) == DAS3_OK)
    #expect(segmenter.labels(larger) == TestSegmenter(models[1]).labels(larger))
  }

  @Test("a model set before the first frame is the one that labels it")
  func setModelFirst() {
    let other = TestModel(SampleModels.convolutional(seed: 99).serialized())
    let segmenter = TestSegmenter(ArgumentTests.model)
    #expect(das3_segmenter_set_model(segmenter.handle, other.handle) == DAS3_OK)
    #expect(segmenter.labels(picture) == TestSegmenter(other).labels(picture))
  }

  @Test("a model of another graph is refused and the old one stays in use")
  func otherGraph() {
    var (stride, weights, scale) = (
      SampleModels.convolutional(), SampleModels.convolutional(), SampleModels.convolutional()
    )
    stride.nodes[3].attributes[1].value = .ints([1, 1])
    stride.nodes[3].attributes[0].value = .ints([1, 1, 1, 1])
    weights.initializers[7] = OnnxTensor(
      "head.w", [6, 16, 1, 1], floats: [Float](repeating: 0, count: 96))
    weights.metadata = []
    scale.initializers[8] = OnnxTensor("scales", [4], floats: [1, 1, 4, 4])
    let segmenter = TestSegmenter(ArgumentTests.model)
    let before = segmenter.labels(picture)
    for writer in [stride, weights, scale, SampleModels.shapeArithmetic()] {
      let model = TestModel(writer.serialized())
      #expect(model.status == DAS3_OK, "\(model.message)")
      #expect(das3_segmenter_set_model(segmenter.handle, model.handle) == DAS3_E_SHAPE)
      #expect(HostileFileTests.isOneLine(lastError()))
      #expect(segmenter.labels(picture) == before)
    }
  }

  @Test("options of an older client end early: what lies behind is not read")
  func olderOptions() {
    var options = TestSegmenter.options(height: -5, width: -5)
    options.format = 1000
    options.struct_size = 8
    let segmenter = TestSegmenter(ArgumentTests.model, options: options)
    #expect(segmenter.status == DAS3_OK, "\(segmenter.message)")
    var modelOptions = TestModel.options()
    modelOptions.metadata_json = UnsafePointer(bitPattern: 1)
    modelOptions.struct_size = 8
    #expect(TestModel(ArgumentTests.bytes, options: modelOptions).status == DAS3_OK)
  }

  @Test("a struct of an older client is filled only as far as it goes")
  func olderInfo() {
    var info = das3_model_info()
    info.channel_count = -77
    info.struct_size = 8
    #expect(das3_model_get_info(ArgumentTests.model.handle, &info) == DAS3_OK)
    #expect(info.class_count == 5)
    #expect(info.channel_count == -77)
    #expect(info.struct_size == 8)
  }

  @Test("a struct of a newer client is filled as far as the library knows it")
  func newerInfo() {
    let known = MemoryLayout<das3_class>.size
    var bytes = [UInt8](repeating: 0xAB, count: known + 64)
    bytes.withUnsafeMutableBytes { raw in
      raw.storeBytes(of: UInt32(known + 64), as: UInt32.self)
      let entry = raw.baseAddress?.assumingMemoryBound(to: das3_class.self)
      #expect(das3_model_get_class(ArgumentTests.model.handle, 1, entry) == DAS3_OK)
      #expect(entry?.pointee.name.map { String(cString: $0) } == "sky")
    }
    #expect(bytes[known...].allSatisfy { $0 == 0xAB })
  }

  @Test("the message is the thread's own, and a success clears it")
  func messages() throws {
    #expect(das3_model_get_info(nil, nil) == DAS3_E_ARGUMENT)
    let message = lastError()
    #expect(message.contains("model"))
    let (done, other) = (DispatchSemaphore(value: 0), Mailbox())
    Thread.detachNewThread {
      other.texts.append(lastError())
      das3_set_log_callback(nil, 99, nil)
      other.texts.append(lastError())
      done.signal()
    }
    done.wait()
    #expect(other.texts.first == "")
    #expect(other.texts.last?.contains("minimum_level") == true)
    #expect(lastError() == message)
    #expect(das3_evaluator_create(nil, 1, 255) == DAS3_E_ARGUMENT)
    #expect(lastError() != message)
    var info = das3_model_info()
    info.struct_size = UInt32(MemoryLayout<das3_model_info>.size)
    #expect(das3_model_get_info(ArgumentTests.model.handle, &info) == DAS3_OK)
    #expect(lastError() == "")
  }

  @Test("a message is one line of whole characters, whatever the names in a file are")
  func longNames() {
    for name in [
      String(repeating: "é", count: 3000), String(repeating: "a", count: 1001) + "🚗🚗🚗🚗🚗🚗🚗",
      "a\nb\r\u{85}\u{2028}\u{2029}\u{1B}[31mc", "\u{7F}\t\u{B}\u{C}",
    ] {
      var writer = OnnxWriter(opset: 18, irVersion: 10)
      writer.input("x", [1, 3, 8, 8])
      writer.node("Softmax", ["x"], ["y"], ["axis": .int(9)])
      writer.nodes[0].name = name
      writer.node("Relu", ["y"], ["z"])
      writer.output("z")
      let model = TestModel(writer.serialized())
      #expect(model.status == DAS3_E_SHAPE)
      #expect(HostileFileTests.isOneLine(model.message))
      #expect(model.message.utf8.count > 20 && model.message.utf8.count < 1024)
      // A character cut in two would have become the replacement character.
      #expect(!model.message.contains("\u{FFFD}"))
      #expect(model.message.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 })
    }
  }

  @Test("different segmenters of one model run side by side")
  func sideBySide() {
    let expected = TestSegmenter(ArgumentTests.model).labels(picture)
    let mailbox = Mailbox()
    DispatchQueue.concurrentPerform(iterations: 8) { _ in
      let segmenter = TestSegmenter(ArgumentTests.model)
      for _ in 0..<5 where segmenter.labels(picture) != expected { mailbox.add("differs") }
    }
    #expect(mailbox.texts == [])
  }
}

/// What other threads leave for the test.
final class Mailbox: @unchecked Sendable {
  private let lock = NSLock()
  var texts: [String] = []

  func add(_ text: String) { lock.withLock { texts.append(text) } }
}
