import CDas3
import Das3
import Das3TestSupport
import Foundation
import Testing

/// A run that is saved and gone on with is the run that was left alone; what does not fit is refused.
@Suite("Checkpoints")
struct CheckpointTests {
  static let variants: [(name: String, change: @Sendable (inout das3_adapter_options) -> Void)] = [
    ("SGD", { _ in }),
    (
      "the optimizer of each stage, rates that follow the drift",
      { $0.optimizer = Int32(DAS3_OPTIMIZER_DEFAULT.rawValue) }
    ),
    (
      "batch statistics, light and focus, two frames a step",
      {
        $0.batch_norm = Int32(DAS3_BATCH_NORM_BATCH.rawValue)
        ($0.augment, $0.batch_size) = (1, 2)
      }
    ),
    (
      "AdamW, stages that end early",
      {
        $0.optimizer = Int32(DAS3_OPTIMIZER_ADAMW.rawValue)
        ($0.rate_a, $0.rate_b, $0.rate_c) = (1e-2, 1e-2, 1e-2)
        ($0.drift_a, $0.drift_b, $0.drift_c) = (0.01, 0.01, 0.01)
      }
    ),
    ("self-training", { $0.method = Int32(DAS3_METHOD_SELFTRAIN.rawValue) }),
    ("tent", { $0.method = Int32(DAS3_METHOD_TENT.rawValue) }),
    (
      "align, teach, propagate",
      {
        ($0.method, $0.optimizer) = (
          Int32(DAS3_METHOD_ATP.rawValue), Int32(DAS3_OPTIMIZER_SGD.rawValue)
        )
      }
    ),
    ("labels of rising share", { $0.method = Int32(DAS3_METHOD_LD.rawValue) }),
    ("labels that follow, and none", { $0.method = Int32(DAS3_METHOD_DINE.rawValue) }),
    ("labels of four views", { $0.method = Int32(DAS3_METHOD_HCL.rawValue) }),
    ("auxiliary classifiers", { $0.method = Int32(DAS3_METHOD_URMA.rawValue) }),
    ("a blend", { $0.method = Int32(DAS3_METHOD_BLEND.rawValue) }),
    ("DAS3 from a blend", { $0.start = Int32(DAS3_START_BLEND.rawValue) }),
    ("auto", { $0.method = Int32(DAS3_METHOD_AUTO.rawValue) }),
    (
      "tent under a guard",
      { ($0.method, $0.guard) = (Int32(DAS3_METHOD_TENT.rawValue), 2) }
    ),
  ]

  let folder: TemporaryFolder
  var path: String { folder.path("run.das3") }

  init() throws { folder = try TemporaryFolder() }

  /// The least limit, to 10,000 bytes, under which a run begins.
  private func leastMemory(_ change: TestAdapter.Change) -> UInt64 {
    var limit: UInt64 = 90_000
    while true {
      let adapter = TestAdapter {
        TestRun.options(&$0)
        change(&$0)
        $0.memory_limit = limit
      }
      let statuses = TestRun.pictures.map { adapter.add($0) }
      let isAdded = adapter.handle != nil && statuses.allSatisfy { $0 == DAS3_OK }
      if isAdded, das3_adapter_save(adapter.handle, path) == DAS3_OK { return limit }
      if isAdded {
        // To have failed once changes nothing: least of all the size.
        let message = lastError()
        #expect(das3_adapter_save(adapter.handle, path) == DAS3_E_MEMORY && lastError() == message)
      }
      limit += 10_000
    }
  }

  /// A report without its times and bytes.
  private func content(_ report: das3_adapter_report) -> [UInt8] {
    var report = report
    (report.seconds, report.network_seconds, report.memory_bytes) = (0, 0, 0)
    (report.blend_seconds, report.guard_seconds) = (0, 0)
    return withUnsafeBytes(of: &report) { Array($0) }
  }

  @Test(
    "saved and resumed after every step: the same steps, the same bits", arguments: variants.indices
  )
  func everyStep(_ index: Int) throws {
    let (name, change) = Self.variants[index]
    let whole = TestRun.adapter(change)
    var adapter = TestRun.adapter(change)
    let limit = leastMemory(change)
    var (isSame, endedEarly, isDone) = (true, 0, false)
    var (rate, isRising) = (Double.infinity, false)
    while !isDone {
      #expect(das3_adapter_save(adapter.handle, path) == DAS3_OK, "\(lastError())")
      // How much memory there is makes no difference: here labels are on disk.
      adapter = TestRun.adapter {
        change(&$0)
        $0.memory_limit = limit
      }
      #expect(das3_adapter_resume(adapter.handle, path) == DAS3_OK, "\(lastError())")
      let (expected, found) = (whole.step(), adapter.step())
      isSame =
        isSame && content(expected) == content(found)
        && whole.snapshot.bits == adapter.snapshot.bits
      endedEarly += Int(expected.stopped_early)
      isRising = isRising || expected.learning_rate > rate
      rate = expected.stage_done != 0 ? .infinity : expected.learning_rate
      isDone = expected.done != 0
      if !isSame { Issue.record("\(name): step \(expected.total_step)") }
      guard isSame else { return }
    }
    #expect((endedEarly > 0) == name.contains("early"))
    #expect(isRising == name.contains("drift"))
    #expect(das3_adapter_save(adapter.handle, path) == DAS3_OK)
    let last = TestRun.adapter(change)
    #expect(das3_adapter_resume(last.handle, path) == DAS3_OK)
    #expect(last.step().done == 1)
    let isEqual = last.snapshot.bits == whole.snapshot.bits
    #expect(isEqual)
  }

  @Test("while labels are made with older weights, snapshots and checkpoints have the newest")
  func amongLabels() {
    let whole = TestRun.adapter()
    let first = TestRun.adapter()
    // In the second round of (b), whose labels come from the weights that it began with.
    for _ in 0..<12 + 11 + 5 { _ = first.step() }
    #expect(das3_adapter_save(first.handle, path) == DAS3_OK)
    let second = TestRun.adapter()
    #expect(das3_adapter_resume(second.handle, path) == DAS3_OK)
    let (bits, inside) = (first.snapshot.bits, folder.path("inside.das3"))
    var labelling = 0
    let status = second.run { report in
      guard report.labelling == 1 else { return false }
      labelling += 1
      let isNewest = second.snapshot.bits == bits
      #expect(isNewest)
      #expect(das3_adapter_save(second.handle, inside) == DAS3_OK)
      return true
    }
    #expect(status == DAS3_OK && labelling == TestRun.pictures.count)
    let third = TestRun.adapter()
    #expect(das3_adapter_resume(third.handle, inside) == DAS3_OK)
    #expect(third.run() == DAS3_OK && whole.run() == DAS3_OK)
    let isSame = third.snapshot.bits == whole.snapshot.bits
    #expect(isSame)
  }

  /// Saves three steps of a run.
  private func save() -> TestAdapter {
    let adapter = TestRun.adapter()
    for _ in 0..<3 { _ = adapter.step() }
    #expect(das3_adapter_save(adapter.handle, path) == DAS3_OK)
    return adapter
  }

  private func expectRefused(
    _ adapter: TestAdapter, _ expected: Int, _ words: String, _ file: String
  ) {
    let status = das3_adapter_resume(adapter.handle, folder.path(file))
    let message = lastError()
    #expect(status == das3_status(expected) && message.contains(words), "\(status), \(message)")
    #expect(HostileFileTests.isOneLine(message))
  }

  @Test("a run of another model, other frames or other settings is refused by what differs")
  func others() {
    _ = save()
    let model = TestModel(SampleModels.convolutional(seed: 99).serialized())
    let other = TestAdapter(of: model, TestRun.options)
    for picture in TestRun.pictures { #expect(other.add(picture) == DAS3_OK) }
    expectRefused(other, Int(DAS3_E_ARGUMENT), "another model", "run.das3")
    let more = TestRun.adapter()
    #expect(more.add() == DAS3_OK)
    expectRefused(more, Int(DAS3_E_ARGUMENT), "frames 5; here it is 6", "run.das3")
    let elsewhere = TestAdapter(TestRun.options)
    for picture in TestRun.pictures.dropLast() { #expect(elsewhere.add(picture) == DAS3_OK) }
    #expect(elsewhere.add() == DAS3_OK)
    expectRefused(elsewhere, Int(DAS3_E_ARGUMENT), "other frames", "run.das3")
    let taught = TestRun.adapter()
    let teacher = TestTeacher { _, _, _ in false }
    #expect(teacher.set(in: taught) == DAS3_OK)
    expectRefused(taught, Int(DAS3_E_ARGUMENT), "teacher no; here it is yes", "run.das3")
    let changes: [(String, TestAdapter.Change)] = [
      ("seed 0; here it is 7", { $0.seed = 7 }), ("height 32; here it is 48", { $0.height = 48 }),
      ("method das3; here it is tent", { $0.method = Int32(DAS3_METHOD_TENT.rawValue) }),
      ("stage a of 12 steps", { $0.steps_a = 13 }),
      ("here it is 12 steps, rate 1e-06", { $0.rate_c = 1e-6 }),
      ("drift 0.1; here", { $0.drift_b = 0.2 }),
      ("batch_size 1; here it is 2", { $0.batch_size = 2 }),
      ("positive_share 0.65; here it is 0.5", { $0.positive_share = 0.5 }),
      ("batch_norm default", { $0.batch_norm = Int32(DAS3_BATCH_NORM_BATCH.rawValue) }),
    ]
    for (words, change) in changes {
      expectRefused(TestRun.adapter(change), Int(DAS3_E_ARGUMENT), words, "run.das3")
    }
    let stages = "bc".withCString { stages in TestRun.adapter { $0.stages = stages } }
    expectRefused(stages, Int(DAS3_E_ARGUMENT), "stages", "run.das3")
  }

  @Test("every option that decides bits has a key, which stays")
  func keys() throws {
    _ = save()
    let whole = try Data(contentsOf: URL(filePath: path))
    let start = try #require(whole.firstIndex(of: UInt8(ascii: "\n"))) + 9
    let length = whole[start - 8..<start].reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = try JSONSerialization.jsonObject(with: whole[start..<start + length])
    let identity = try #require((header as? [String: Any])?["identity"] as? [String: String])
    // Where memory lies and how many threads work decides nothing.
    let others: Set = ["struct_size", "reserved", "threads", "memory_limit", "scratch_directory"]
    let older = [
      "augment": "augments", "flip": "mirrors", "filter_mixed": "filters_mixed",
      "balance_classes": "balances_classes", "optimizer": "rule",
    ]
    let names = Mirror(reflecting: das3_adapter_options()).children.compactMap(\.label)
    let keys = names.filter { !others.contains($0) }.map { name in
      // The options of a stage share a key.
      name.wholeMatch(of: /[a-z]+_([abc])/).map { String($0.1) } ?? older[name] ?? name
    }
    #expect(names.count > 50)
    let run: Set = ["model", "frames", "pictures", "teacher", "draws"]
    #expect(Set(identity.keys) == run.union(keys))
  }

  @Test("a damaged, shortened or lengthened file, or one of another version, is refused")
  func damaged() throws {
    let source = save()
    let whole = [UInt8](try Data(contentsOf: URL(filePath: path)))
    let start = try #require(whole.firstIndex(of: UInt8(ascii: "\n"))) + 1
    let header = whole[start..<start + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
    let adapter = TestRun.adapter()
    let (format, count) = (Int(DAS3_E_FORMAT), source.info.height)
    #expect(count == 32)
    // Magic, version, length of the header, header, vectors, checksum.
    let places = [
      start, start + 7, start + 8, start + 8 + header / 2, start + 7 + header, start + 8 + header,
      start + 8 + header + 4000, whole.count - 33, whole.count - 32, whole.count - 1,
    ]
    for place in places {
      for bit in [0, 7] {
        var bytes = whole
        bytes[place] ^= 1 << UInt8(bit)
        try folder.write(bytes, to: "bad.das3")
        expectRefused(adapter, format, "damaged", "bad.das3")
      }
    }
    for count in [0, 1, start - 3] {
      try folder.write(Array(whole[..<count]), to: "bad.das3")
      expectRefused(adapter, format, "not a checkpoint", "bad.das3")
    }
    for count in places.map({ max($0, start) }) + [whole.count - 31] {
      try folder.write(Array(whole[..<count]), to: "bad.das3")
      expectRefused(adapter, format, "damaged", "bad.das3")
    }
    try folder.write(whole + [0], to: "bad.das3")
    expectRefused(adapter, format, "damaged", "bad.das3")
    try folder.write(ArgumentTests.bytes, to: "bad.das3")
    expectRefused(adapter, format, "not a checkpoint", "bad.das3")
    var bytes = whole
    bytes[start - 2] = UInt8(ascii: "2")
    try folder.write(bytes, to: "bad.das3")
    expectRefused(adapter, format, "'DAS3 checkpoint 2'; this library reads", "bad.das3")
    bytes.replaceSubrange(start - 2..<start, with: "17\n".utf8)
    try folder.write(bytes, to: "bad.das3")
    expectRefused(adapter, format, "'DAS3 checkpoint 17'", "bad.das3")
    // Nothing of all this has touched the adapter.
    #expect(das3_adapter_resume(adapter.handle, path) == DAS3_OK)
    let isSame = adapter.snapshot.bits == source.snapshot.bits
    #expect(isSame)
    #expect(content(adapter.step()) == content(source.step()))
  }

  @Test("a file that is not there, or cannot be there, is refused; so is resuming among steps")
  func places() throws {
    let adapter = save()
    expectRefused(adapter, Int(DAS3_E_ARGUMENT), "taken steps already", "run.das3")
    let fresh = TestRun.adapter()
    expectRefused(fresh, Int(DAS3_E_IO), "nothing.das3", "nothing.das3")
    #expect(das3_adapter_resume(fresh.handle, folder.url.path) == DAS3_E_IO)
    #expect(das3_adapter_save(fresh.handle, folder.path("no/where.das3")) == DAS3_E_IO)
    #expect(lastError().contains("no/where.das3"))
    #expect(das3_adapter_save(fresh.handle, folder.url.path) == DAS3_E_IO)
    for path in [nil, ""] {
      #expect(das3_adapter_save(fresh.handle, path) == DAS3_E_ARGUMENT)
      #expect(das3_adapter_resume(fresh.handle, path) == DAS3_E_ARGUMENT)
    }
    #expect(das3_adapter_save(nil, path) == DAS3_E_ARGUMENT)
    #expect(das3_adapter_resume(nil, path) == DAS3_E_ARGUMENT)
    let empty = TestAdapter()
    #expect(das3_adapter_resume(empty.handle, path) == DAS3_E_ARGUMENT)
    #expect(lastError().contains("no frames"))
  }
}
