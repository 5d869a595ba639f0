import CDas3
import Das3
import Das3TestSupport
import Testing

/// Training through the C API: steps, snapshots, limits and what is refused.
@Suite("Adapter")
struct AdapterTests {
  static let model = TestModel(SampleModels.convolutional().serialized())
  static let picture = PictureContent(width: 48, height: 32, blockSize: 8).rgb8()

  @Test("steps lower the loss, move weights but no statistics, and report what they did")
  func learns() {
    let adapter = TestAdapter()
    #expect(adapter.add() == DAS3_OK)
    let first = adapter.step()
    var last = first
    for _ in 0..<30 { last = adapter.step() }
    #expect(last.loss < first.loss && last.step == 31 && last.total_step == 31 && last.skipped == 0)
    #expect(abs(first.loss - (first.focal_entropy + 0.1 * first.diversity)) < 1e-6)
    #expect(
      first.gradient_norm > 0 && first.learning_rate == Double(Float(0.05)))
    #expect(first.seconds > first.network_seconds && first.network_seconds > 0)
    let (before, after) = (Self.model.parameters, adapter.snapshot.parameters)
    for tensor in Self.model.tensors {
      let isMoved = before[tensor.range] != after[tensor.range]
      // In stage (a) the classifier stays.
      #expect(isMoved == (!tensor.isStatistic && tensor.name != "head.w"), "\(tensor.name)")
    }
    #expect(adapter.info.frame_count == 1 && adapter.info.multiply_adds > 0)
  }

  @Test("the same run gives the same bits, also with the least memory that does")
  func isDeterministic() {
    func run(_ limit: UInt64) -> (bits: [UInt32], peak: UInt64, inUse: UInt64) {
      let adapter = TestAdapter { $0.memory_limit = limit }
      #expect(adapter.status == DAS3_OK && adapter.add() == DAS3_OK)
      let inUse = (0..<3).map { _ in adapter.step().memory_bytes }.max() ?? 0
      return (adapter.snapshot.bits, adapter.info.peak_bytes, inUse)
    }
    let free = run(0)
    let isRepeatable = run(0).bits == free.bits
    #expect(isRepeatable)
    let refused = TestAdapter { $0.memory_limit = 1 }
    #expect(refused.status == DAS3_E_MEMORY && refused.handle == nil)
    let words = lastError().split(separator: " ")
    let least = words.firstIndex(of: "least").flatMap { UInt64(words[$0 + 1]) } ?? 0
    // Beside what the message names there is the frame.
    let limit = least + 48 * 32 * 3
    let tight = run(limit)
    let isSame = tight.bits == free.bits
    #expect(isSame && tight.peak < free.peak && tight.inUse <= limit)
    let adapter = TestAdapter { $0.memory_limit = least }
    var status = adapter.add()
    while status == DAS3_OK { status = adapter.add() }
    #expect(status == DAS3_E_MEMORY && lastError().contains("half of the memory limit"))
  }

  @Test("two frames a step are the mean of their gradients")
  func accumulates() {
    let other = PictureContent(width: 48, height: 32, blockSize: 4, seed: 9).rgb8()
    let adapter = TestAdapter { $0.batch_size = 2 }
    #expect(adapter.add() == DAS3_OK && adapter.add(other) == DAS3_OK)
    let both = adapter.step()
    let losses = [Self.picture, other].map { picture in
      let single = TestAdapter()
      #expect(single.add(picture) == DAS3_OK)
      return single.step().loss
    }
    #expect(abs(both.loss - (losses[0] + losses[1]) / 2) < 1e-6)
  }

  @Test("re-estimating statistics moves nothing else")
  func statisticsAlone() {
    let adapter = TestAdapter { $0.batch_norm = Int32(DAS3_BATCH_NORM_STATISTICS.rawValue) }
    #expect(adapter.add() == DAS3_OK)
    _ = adapter.step()
    let (before, after) = (Self.model.parameters, adapter.snapshot.parameters)
    let moved = zip(before, after).filter { $0 != $1 }.count
    #expect(moved > 0 && moved <= 16)
  }

  @Test("a weight that a file uses as a statistic too is none")
  func sharedStatistic() throws {
    var writer = SampleModels.convolutional()
    let place = try #require(writer.nodes.firstIndex { $0.opType == "BatchNormalization" })
    writer.nodes[place].inputs[4] = "alias"
    writer.node("Identity", ["norm.scale"], ["alias"])
    writer.nodes.insert(writer.nodes.removeLast(), at: place)
    let model = TestModel(writer.serialized())
    #expect(model.status == DAS3_OK, "\(model.message)")
    let adapter = TestAdapter(of: model) { $0.method = Int32(DAS3_METHOD_BN.rawValue) }
    #expect(adapter.status == DAS3_E_UNSUPPORTED && adapter.message.contains("no BatchNorm"))
    let trained = TestAdapter(of: model) { $0.method = Int32(DAS3_METHOD_TENT.rawValue) }
    #expect(trained.add() == DAS3_OK && trained.step().step == 1)
    let isKept = model.tensors.filter(\.isStatistic).allSatisfy { tensor in
      trained.snapshot.parameters[tensor.range] == model.parameters[tensor.range]
    }
    #expect(isKept)
  }

  @Test("a gradient that is not finite moves nothing")
  func skips() {
    let adapter = TestAdapter { $0.alpha = 1e38 }
    #expect(adapter.add() == DAS3_OK)
    let report = adapter.step()
    if report.skipped == 1 {
      let isUnmoved = adapter.snapshot.bits == Self.model.bits
      #expect(isUnmoved)
    }
    let isFinite = adapter.snapshot.parameters.allSatisfy(\.isFinite)
    #expect(isFinite)
  }

  @Test(
    "a frame whose statistics are not finite moves nothing, though its gradient is",
    arguments: [DAS3_METHOD_TENT, DAS3_METHOD_BN], [Float.greatestFiniteMagnitude, 1e30])
  func forgets(_ method: das3_method, _ pixel: Float) {
    let adapter = TestAdapter { $0.method = Int32(method.rawValue) }
    var planes = [Float](repeating: 0.5, count: 3 * 32 * 48)
    planes[100] = pixel
    let status = planes.withUnsafeBytes { bytes in
      var image = das3_image(
        data: bytes.baseAddress, width: 48, height: 32, stride_bytes: 0,
        format: Int32(DAS3_FORMAT_FLOAT32.rawValue))
      return das3_adapter_add_frame(adapter.handle, &image)
    }
    let report = adapter.step()
    #expect(status == DAS3_OK && report.skipped == 1 && report.step == 1)
    #expect(report.gradient_norm.isFinite || method == DAS3_METHOD_BN || pixel > 1e30)
    let isUnmoved = adapter.snapshot.bits == Self.model.bits
    #expect(isUnmoved)
  }

  @Test(
    "a step in which no pixel counts moves nothing: no decay, no momentum",
    arguments: [DAS3_BATCH_NORM_FROZEN, DAS3_BATCH_NORM_BATCH])
  func nothingSelected(_ mode: das3_batch_norm) {
    let adapter = TestAdapter {
      $0.method = Int32(DAS3_METHOD_SUPERVISED.rawValue)
      $0.batch_norm = Int32(mode.rawValue)
      $0.weight_decay = 0.1
    }
    let pixelCount = Self.picture.width * Self.picture.height
    let nobodyKnows = [UInt8](repeating: 255, count: pixelCount)
    #expect(adapter.add(truth: nobodyKnows) == DAS3_OK)
    for _ in 0..<3 { #expect(adapter.step().skipped == 1) }
    let isUnmoved = adapter.snapshot.bits == Self.model.bits
    #expect(isUnmoved)

    let known = TestAdapter {
      $0.method = Int32(DAS3_METHOD_SUPERVISED.rawValue)
      $0.batch_norm = Int32(mode.rawValue)
      $0.weight_decay = 0.1
    }
    #expect(known.add(truth: [UInt8](repeating: 0, count: pixelCount)) == DAS3_OK)
    #expect(known.step().skipped == 0)
    let isMoved = known.snapshot.bits != Self.model.bits
    #expect(isMoved)
  }

  @Test("a report that cannot be written keeps the step from being taken")
  func badReport() {
    let adapter = TestAdapter()
    #expect(adapter.add() == DAS3_OK)
    var report = das3_adapter_report()
    #expect(das3_adapter_step(adapter.handle, &report) == DAS3_E_ARGUMENT)
    #expect(lastError().contains("struct_size"))
    let isUnmoved = adapter.snapshot.bits == Self.model.bits
    #expect(isUnmoved)
  }

  @Test("a scratch directory must be there and take files")
  func scratchDirectory() throws {
    let folder = try TemporaryFolder()
    try folder.write([1], to: "file")
    func adapter(_ path: String) -> TestAdapter {
      path.withCString { text in TestAdapter { $0.scratch_directory = text } }
    }
    #expect(adapter(folder.path("")).status == DAS3_OK)
    for path in [folder.path("nowhere"), folder.path("file"), ""] {
      let refused = adapter(path)
      #expect(refused.status == DAS3_E_ARGUMENT, "'\(path)'")
      #expect(refused.message.contains("scratch_directory '\(path)'"), "\(refused.message)")
    }
  }

  @Test("before the first step frames may come, whatever was tried")
  func untouched() {
    let adapter = TestAdapter()
    #expect(adapter.add() == DAS3_OK)
    #expect(das3_adapter_resume(adapter.handle, "/no/such/file") == DAS3_E_IO)
    #expect(das3_adapter_save(adapter.handle, "/no/such/place/file") == DAS3_E_IO)
    #expect(das3_adapter_cancel(adapter.handle) == DAS3_OK)
    #expect(das3_adapter_step(adapter.handle, nil) == DAS3_E_CANCELLED)
    #expect(adapter.add() == DAS3_OK && adapter.info.frame_count == 2)
    #expect(adapter.step().total_step == 1)
    #expect(adapter.add() == DAS3_E_ARGUMENT && lastError().contains("after the first step"))
  }

  @Test("agreement is looked at where a drift may end the stage")
  func agreement() {
    for (drift, expected) in [(0.5, 1.0), (0, -1)] {
      let adapter = TestAdapter { $0.drift_a = drift }
      #expect(adapter.add() == DAS3_OK && adapter.step().agreement == expected)
    }
  }

  @Test("bad options and calls are refused with a message")
  func refused() {
    let changes: [(inout das3_adapter_options) -> Void] = [
      { $0.rate_a = -1 }, { $0.momentum = .nan }, { $0.momentum = 2 },
      { $0.momentum = 1 }, { $0.batch_size = 0 }, { $0.batch_norm = 7 },
      { $0.precision = 9 }, { $0.steps_a = -1 }, { $0.height = 0 }, { $0.positive_share = 1.5 },
      { $0.statistics_momentum = 2 }, { $0.threads = 5000 }, { $0.struct_size = 1 },
      { $0.method = 14 }, { $0.optimizer = -1 }, { $0.label_rounds = 0 }, { $0.flip = 2 },
      { $0.start = 2 }, { $0.blend_limit = 1.5 }, { $0.guard = 3 }, { $0.guard_entropy = -1 },
      { $0.guard_class_share = 2 }, { $0.guard_shift = .nan }, { $0.find_ignored = 2 },
      { ($0.method, $0.start) = (Int32(DAS3_METHOD_BN.rawValue), 1) },
      { ($0.optimizer, $0.momentum) = (Int32(DAS3_OPTIMIZER_ADAMW.rawValue), 1) },
    ]
    for (index, change) in changes.enumerated() {
      let adapter = TestAdapter(change)
      #expect(adapter.status == DAS3_E_ARGUMENT && adapter.handle == nil, "change \(index)")
      #expect(!lastError().isEmpty)
    }
    "no.such.*".withCString { pattern in
      #expect(TestAdapter { $0.trained = pattern }.status == DAS3_E_ARGUMENT)
    }
    // Halves its input and adds what has half its size: odd heights do not fit.
    let halving = TestModel(SampleModels.shapeArithmetic().serialized())
    #expect(TestAdapter(of: halving) { ($0.height, $0.width) = (31, 48) }.status == DAS3_E_SHAPE)
    var pointer: OpaquePointer?
    #expect(das3_adapter_create(nil, Self.model.handle, nil) == DAS3_E_ARGUMENT)
    #expect(das3_adapter_create(&pointer, nil, nil) == DAS3_E_ARGUMENT)
    #expect(das3_adapter_add_frame(nil, nil) == DAS3_E_ARGUMENT)
    #expect(das3_adapter_step(nil, nil) == DAS3_E_ARGUMENT)
    #expect(das3_adapter_get_info(nil, nil) == DAS3_E_ARGUMENT)
    #expect(das3_adapter_snapshot(&pointer, nil) == DAS3_E_ARGUMENT)
    let adapter = TestAdapter()
    #expect(das3_adapter_add_frame(adapter.handle, nil) == DAS3_E_ARGUMENT)
    #expect(das3_adapter_step(adapter.handle, nil) == DAS3_E_ARGUMENT)
    #expect(lastError().contains("no frames"))
    #expect(das3_adapter_snapshot(nil, adapter.handle) == DAS3_E_ARGUMENT)
    das3_adapter_options_init(nil)
    das3_adapter_free(nil)
  }
}
