import CDas3
import Das3
import Das3TestSupport
import Testing

/// Where an adapter's frames come from, and with what: added, read from a source, with their truth.
@Suite("Frames of an adapter")
struct FrameSourceTests {
  private func expectRefused(
    _ status: das3_status, _ expected: Int, _ words: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let message = lastError()
    #expect(
      status == das3_status(expected) && message.contains(words), "\(status), \(message)",
      sourceLocation: sourceLocation)
    #expect(HostileFileTests.isOneLine(message), sourceLocation: sourceLocation)
  }

  @Test("frames of a source give the bits of the same frames added")
  func sameBits() {
    let added = TestRun.adapter()
    let source = TestSource()
    let read = TestAdapter(TestRun.options)
    #expect(source.set(in: read) == DAS3_OK)
    #expect(read.info.frame_count == 5)
    #expect(added.run() == DAS3_OK && read.run() == DAS3_OK)
    let isSame = added.snapshot.bits == read.snapshot.bits
    #expect(isSame)
  }

  @Test("an epoch reads every frame once, in an order of its own")
  func epochs() {
    let source = TestSource(count: 20)
    let adapter = "a".withCString { stages in
      TestAdapter {
        ($0.threads, $0.steps_a, $0.epochs_a, $0.drift_a) = (1, 0, 2, 0)
        $0.stages = stages
      }
    }
    #expect(source.set(in: adapter) == DAS3_OK)
    #expect(adapter.run() == DAS3_OK)
    let (first, second) = (source.reads.prefix(20), source.reads.dropFirst(20))
    #expect(first.sorted() == Array(0..<20) && second.sorted() == Array(0..<20))
    #expect(Array(first) != Array(second) && Array(first) != Array(0..<20))
  }

  @Test("the first frame decides the size, of a source with the first step")
  func size() {
    func options(_ options: inout das3_adapter_options) { (options.height, options.width) = (0, 0) }
    let source = TestSource(Array(TestRun.pictures[2...]))
    let read = TestAdapter(options)
    #expect(source.set(in: read) == DAS3_OK)
    #expect(read.info.height == 0 && read.info.peak_bytes == 0)
    _ = read.step()
    #expect((read.info.width, read.info.height) == (56, 36))
    #expect(read.info.peak_bytes > 0 && read.info.multiply_adds > 0)
    let added = TestAdapter(options)
    #expect(added.add(TestRun.pictures[2]) == DAS3_OK)
    #expect((added.info.width, added.info.height) == (56, 36))
  }

  @Test("a frame that cannot be read, or is none, fails the call that wants it; the next goes on")
  func failures() {
    let changes: [(Int, String, (inout das3_image) -> Void)] = [
      (Int(DAS3_E_ARGUMENT), "data", { $0.data = nil }),
      (Int(DAS3_E_ARGUMENT), "format is 99", { $0.format = 99 }),
      (Int(DAS3_E_ARGUMENT), "image is 0x", { $0.width = 0 }),
      (Int(DAS3_E_ARGUMENT), "stride_bytes", { $0.stride_bytes = 1 }),
    ]
    let source = TestSource()
    let adapter = TestAdapter { ($0.threads, $0.drift_a) = (1, 0) }
    #expect(source.set(in: adapter) == DAS3_OK)
    for (status, words, change) in changes {
      source.change = change
      expectRefused(das3_adapter_step(adapter.handle, nil), status, words)
      #expect(lastError().contains("frame \(source.reads.last ?? -1)"), "\(lastError())")
    }
    source.change = { _ in }
    source.willRead = { _ in false }
    expectRefused(das3_adapter_step(adapter.handle, nil), Int(DAS3_E_IO), "could not read frame")
    source.willRead = { _ in true }
    #expect(adapter.step().total_step == 1)
    #expect(Set(source.reads).count == 1)
  }

  @Test("a source that is none is refused")
  func badSources() {
    let source = TestSource()
    let adapter = TestAdapter()
    func set(_ change: (inout das3_frame_source) -> Void) -> das3_status {
      var record = source.record
      change(&record)
      return das3_adapter_set_source(adapter.handle, &record)
    }
    for count: Int64 in [0, -1, 1 << 24 + 1, .max, .min] {
      expectRefused(set { $0.count = count }, Int(DAS3_E_ARGUMENT), "source.count is \(count)")
    }
    expectRefused(set { $0.read = nil }, Int(DAS3_E_ARGUMENT), "source.read is NULL")
    expectRefused(set { $0.struct_size = 0 }, Int(DAS3_E_ARGUMENT), "struct_size")
    expectRefused(
      das3_adapter_set_source(adapter.handle, nil), Int(DAS3_E_ARGUMENT), "source is NULL")
    var record = source.record
    #expect(das3_adapter_set_source(nil, &record) == DAS3_E_ARGUMENT)
    #expect(das3_adapter_step(adapter.handle, nil) == DAS3_E_ARGUMENT)
    #expect(source.reads == [])
  }

  @Test("a source and added frames do not go together, and nothing is added after the first step")
  func together() {
    let source = TestSource()
    let teacher = TestTeacher { _, _, _ in false }
    let (added, read) = (TestAdapter(), TestAdapter())
    #expect(added.add() == DAS3_OK && source.set(in: read) == DAS3_OK)
    expectRefused(source.set(in: added), Int(DAS3_E_ARGUMENT), "1 frames")
    expectRefused(read.add(), Int(DAS3_E_ARGUMENT), "has a source")
    // Another source may take the place of the first.
    let shorter = TestSource(count: 3)
    #expect(shorter.set(in: read) == DAS3_OK && read.info.frame_count == 3)
    #expect(source.set(in: read) == DAS3_OK && read.info.frame_count == 5)
    for adapter in [added, read] {
      _ = adapter.step()
      expectRefused(adapter.add(), Int(DAS3_E_ARGUMENT), "after the first step")
      expectRefused(source.set(in: adapter), Int(DAS3_E_ARGUMENT), "after the first step")
      expectRefused(teacher.set(in: adapter), Int(DAS3_E_ARGUMENT), "after the first step")
    }
    #expect(added.info.frame_count == 1 && read.info.frame_count == 5)
  }

  @Test("supervised training wants the truth of every frame, and learns it")
  func supervised() {
    func make() -> TestAdapter {
      TestAdapter { $0.method = Int32(DAS3_METHOD_SUPERVISED.rawValue) }
    }
    let truth = (0..<32 * 48).map { UInt8($0 % 48 < 24 ? 1 : $0 % 7 == 0 ? 255 : 3) }
    let (none, some, all) = (make(), make(), make())
    #expect(none.add() == DAS3_OK)
    expectRefused(
      das3_adapter_step(none.handle, nil), Int(DAS3_E_ARGUMENT), "1 frames, 0 with truth")
    #expect(some.add(truth: truth) == DAS3_OK && some.add() == DAS3_OK)
    expectRefused(
      das3_adapter_step(some.handle, nil), Int(DAS3_E_ARGUMENT), "2 frames, 1 with truth")
    let (read, source) = (make(), TestSource())
    #expect(source.set(in: read) == DAS3_OK)
    expectRefused(
      das3_adapter_step(read.handle, nil), Int(DAS3_E_ARGUMENT), "5 frames, 0 with truth")
    var image = source.images[0]
    #expect(das3_adapter_add_labelled_frame(all.handle, &image, nil) == DAS3_E_ARGUMENT)
    #expect(all.add(truth: truth) == DAS3_OK)
    let first = all.step()
    for _ in 0..<40 { _ = all.step() }
    let last = all.step()
    #expect(first.positive == first.loss && last.loss < first.loss / 2, "\(last.loss)")
  }

  @Test("frames and their truth may take half of the memory limit")
  func memory() {
    let supervised = Int32(DAS3_METHOD_SUPERVISED.rawValue)
    let limit = 2 * TestAdapter { $0.method = supervised }.info.peak_bytes
    let adapter = TestAdapter { ($0.memory_limit, $0.method) = (limit, supervised) }
    let truth = [UInt8](repeating: 0, count: 48 * 32)
    var status = adapter.add(truth: truth)
    while status == DAS3_OK { status = adapter.add(truth: truth) }
    expectRefused(status, Int(DAS3_E_MEMORY), "half of the memory limit")
    #expect(adapter.info.frame_count == Int64(limit / 2 / (48 * 32 * 4)))
  }
}
