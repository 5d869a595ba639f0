import CDas3
import Das3
import Das3TestSupport
import Testing

/// The one callback of the process: called with its payload, by level, until it is taken away.
@Suite("Log", .serialized)
struct LogTests {
  private static func collect(
    _ minimumLevel: Int32, _ mailbox: Mailbox, _ body: () -> Void
  ) -> das3_status {
    let status = das3_set_log_callback(
      { level, message, payload in
        guard let message, let payload else { return }
        Unmanaged<Mailbox>.fromOpaque(payload).takeUnretainedValue()
          .add("\(level) \(String(cString: message))")
      }, minimumLevel, Unmanaged.passUnretained(mailbox).toOpaque())
    body()
    das3_set_log_callback(nil, 0, nil)
    return status
  }

  /// A model that says nothing of its preprocessing, which is worth a warning.
  private static var silentModel: [UInt8] {
    var model = SampleModels.convolutional()
    model.metadata = []
    return model.serialized()
  }

  @Test("a warning reaches the callback in one line", arguments: [0, 1, 2])
  func warning(_ level: Int32) {
    let mailbox = Mailbox()
    #expect(Self.collect(level, mailbox) { _ = TestModel(Self.silentModel) } == DAS3_OK)
    #expect(mailbox.texts.contains { $0.hasPrefix("2 ") && $0.contains("preprocessing") })
    #expect(mailbox.texts.allSatisfy(HostileFileTests.isOneLine))
  }

  @Test("weights that are stored as integers are said to be used as float32")
  func quantized() {
    let mailbox = Mailbox()
    let bytes = QuantizedNetwork.writer(QuantizedNetwork.integers).serialized()
    #expect(Self.collect(0, mailbox) { _ = TestModel(bytes) } == DAS3_OK)
    #expect(mailbox.texts.contains { $0.hasPrefix("1 2 weights") && $0.contains("float32") })
  }

  @Test("a model that was adapted before is told of, from a snapshot as from its file")
  func adaptedBefore() throws {
    let first = TestRun.adapter()
    #expect(first.run() == DAS3_OK)
    let snapshot = first.snapshot
    let folder = try TemporaryFolder()
    let path = folder.path("adapted.onnx")
    #expect(das3_model_save(snapshot.handle, path) == DAS3_OK)
    let loaded = TestModel(path: path)
    for model in [snapshot, loaded] {
      let mailbox = Mailbox()
      #expect(Self.collect(2, mailbox) { _ = TestAdapter(of: model) } == DAS3_OK)
      #expect(mailbox.texts.count { $0.contains("adapted before (stages abc)") } == 1)
    }
  }

  @Test("the callback may call the library: that causes no messages, and it cannot be replaced")
  func nested() {
    let mailbox = Mailbox()
    let status = das3_set_log_callback(
      { _, _, payload in
        guard let payload else { return }
        let mailbox = Unmanaged<Mailbox>.fromOpaque(payload).takeUnretainedValue()
        mailbox.add("\(TestModel(LogTests.silentModel).status)")
        mailbox.add("\(das3_set_log_callback(nil, 0, nil))")
      }, 2, Unmanaged.passUnretained(mailbox).toOpaque())
    #expect(status == DAS3_OK)
    let model = TestModel(Self.silentModel)
    #expect(model.status == DAS3_OK && lastError().isEmpty)
    #expect(das3_set_log_callback(nil, 0, nil) == DAS3_OK)
    #expect(mailbox.texts == ["\(DAS3_OK)", "\(DAS3_E_ARGUMENT)"])
  }

  @Test("after NULL nothing is called")
  func ended() {
    let mailbox = Mailbox()
    #expect(Self.collect(0, mailbox) {} == DAS3_OK)
    let count = mailbox.texts.count
    _ = TestModel(Self.silentModel)
    #expect(mailbox.texts.count == count)
  }

  @Test("small changes that 16 bits do not hold are told when the model is saved")
  func lostChanges() throws {
    let folder = try TemporaryFolder()
    func messages(_ type: Int, changedBy delta: Float) -> [String] {
      let ones = [UInt8](repeating: 0, count: 9).flatMap { _ in
        type == OnnxTensor.float16 ? [0, 0x3C] as [UInt8] : [0x80, 0x3F]
      }
      let model = TestModel(
        WeightNetwork.writer(OnnxTensor("w", type: type, WeightNetwork.dims, .raw(ones)))
          .serialized())
      let mailbox = Mailbox()
      #expect(model.parameters.allSatisfy { $0 == 1 })
      let changed = model.with(model.parameters.map { $0 + delta })
      _ = Self.collect(2, mailbox) {
        #expect(das3_model_save(changed.handle, folder.path("saved.onnx")) == DAS3_OK)
      }
      return mailbox.texts
    }
    for type in [OnnxTensor.float16, OnnxTensor.bfloat16] {
      #expect(messages(type, changedBy: 1e-4).contains { $0.contains("100 %") })
      #expect(messages(type, changedBy: 0.5).isEmpty)
    }
  }
}
