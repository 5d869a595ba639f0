import CDas3
import Das3
import Das3TestSupport
import Foundation
import Testing

/// A camera loop through the C API: what it labels with, what it learns, and what it leaves alone.
@Suite("Online")
struct OnlineTests {
  private static let black = TestPicture(
    bytes: [UInt8](repeating: 0, count: 48 * 32 * 3), width: 48, height: 32, strideBytes: 0,
    format: DAS3_FORMAT_RGB8)
  private static let pictures = BlendTests.pictures

  /// Two steps a frame, in the calling thread.
  private func online(_ change: TestOnline.Change = { _, _ in }) -> TestOnline {
    let online = TestOnline(AdapterTests.model) { options, adapter in
      options.steps_per_frame = 2
      options.stage_steps = 6
      change(&options, &adapter)
    }
    #expect(online.status == DAS3_OK, "\(online.message)")
    return online
  }

  private static func segmenter(_ model: TestModel) -> TestSegmenter {
    TestSegmenter(model, options: TestSegmenter.options(height: 32, width: 48))
  }

  private func drive(_ online: TestOnline, _ count: Int, from first: Int = 0) {
    for index in first..<first + count {
      #expect(online.label(Self.pictures[index % Self.pictures.count]) == DAS3_OK, "\(lastError())")
    }
  }

  @Test("the source labels until something better is accepted; then that does")
  func labels() {
    let online = online()
    let source = Self.segmenter(AdapterTests.model)
    for index in 0..<80 {
      let picture = Self.pictures[index % Self.pictures.count]
      let before = online.snapshot
      #expect(online.label(picture) == DAS3_OK)
      let isSource = before.bits == AdapterTests.model.bits
      let segmenter = isSource ? source : Self.segmenter(before)
      #expect(online.labels == segmenter.labels(picture))
    }
    let report = online.report
    #expect(report.frame_count == 80 && report.observed_count == 80)
    #expect(report.judged_count > 1 && report.total_step > 12)
    #expect((report.reason == 0) == (report.origin != 0))
    #expect((online.snapshot.bits == AdapterTests.model.bits) == (report.origin == 0))
  }

  @Test("equal frames and options give equal bits")
  func determinism() {
    let (first, second, other) = (online(), online(), online { $1.seed = 9 })
    for online in [first, second, other] { drive(online, 60) }
    #expect(first.snapshot.bits == second.snapshot.bits)
    #expect(first.report.loss == second.report.loss && first.report.loss != other.report.loss)
  }

  @Test("without a guard and a blend, frames kept to judge by change nothing")
  func probes() {
    func learned(_ changes: Bool) -> [UInt32] {
      let online = online {
        ($1.guard, $1.blend_limit) = (0, 0)
        $0.restoration = 0
      }
      for index in 0..<60 {
        let other = changes && index % 3 == 2 ? index + 61 : index
        #expect(online.label(Self.pictures[other % Self.pictures.count]) == DAS3_OK)
      }
      #expect(online.report.repeated_count == 0 && online.report.accepted_count > 0)
      return online.snapshot.bits
    }
    #expect(learned(false) == learned(true))
  }

  @Test("what is ignored is what was given and what is found in the probes")
  func ignored() {
    func driven(_ change: @escaping TestOnline.Change = { _, _ in }, _ mask: [UInt8]? = nil)
      -> das3_online_report
    {
      let online = online(change)
      if let mask { #expect(online.ignore(mask) == DAS3_OK, "\(lastError())") }
      for var picture in Self.pictures.prefix(60) {
        for index in 0..<6 * 48 * 3 { picture.bytes[index] = 30 }
        #expect(online.label(picture) == DAS3_OK)
      }
      #expect(online.ignore([UInt8](repeating: 0, count: 32 * 48)) == DAS3_E_ARGUMENT)
      #expect(lastError().contains("before the first"))
      return online.report
    }
    let left = (0..<32 * 48).map { UInt8($0 % 48 < 12 ? 1 : 0) }
    let found = driven()
    #expect(found.found_share == 6.0 / 32 && found.ignored_share == found.found_share)
    #expect(found.judged_count > 0 && found.status == das3_status(DAS3_OK))
    let both = driven({ _, _ in }, left)
    #expect(both.found_share == 6.0 / 32)
    #expect(abs(both.ignored_share - (6.0 / 32 + 0.25 * 26 / 32)) < 1e-9)
    let given = driven({ $1.find_ignored = 0 }, left)
    #expect(given.found_share == 0 && given.ignored_share == 0.25 && given.total_step > 0)
    #expect(online().ignore([UInt8](repeating: 1, count: 32 * 48)) == DAS3_E_ARGUMENT)
  }

  @Test("nothing is learned from frames that show nothing, or the same")
  func nothing() {
    for picture in [Self.black, Self.pictures[0]] {
      let online = online()
      for _ in 0..<60 { #expect(online.label(picture) == DAS3_OK) }
      let report = online.report
      #expect(report.unseen_count + report.repeated_count >= 59 && report.total_step == 0)
      #expect(report.reason == Int32(DAS3_GUARD_REASON_FEW_FRAMES.rawValue))
      #expect(online.snapshot.bits == AdapterTests.model.bits)
    }
  }

  @Test("a pause ends the learning, and it goes on; a reset forgets it")
  func pause() {
    let online = online { adapter, _ in adapter.probes = 12 }
    drive(online, 40)
    let before = online.report
    #expect(before.total_step > 0)
    #expect(online.pause(1) == DAS3_OK)
    drive(online, 10, from: 40)
    #expect(online.report.total_step == before.total_step && online.report.paused == 1)
    #expect(online.report.frame_count == 50)
    #expect(online.pause(0) == DAS3_OK)
    drive(online, 10, from: 50)
    #expect(online.report.total_step > before.total_step && online.report.paused == 0)
    #expect(online.pause(2) == DAS3_E_ARGUMENT)
    #expect(das3_online_reset(online.handle) == DAS3_OK)
    #expect(online.report.total_step == 0)
    #expect(online.snapshot.bits == AdapterTests.model.bits)
    let picture = Self.pictures[3]
    #expect(online.label(picture) == DAS3_OK)
    let source = Self.segmenter(AdapterTests.model)
    #expect(online.labels == source.labels(picture))
  }

  @Test("what was learned is saved, and labels the first frame of another process")
  func resume() throws {
    let path = NSTemporaryDirectory() + "online-\(UUID()).das3"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let first = online { $1.guard = 0 }
    drive(first, 60)
    #expect(first.snapshot.bits != AdapterTests.model.bits)
    #expect(das3_online_save(first.handle, path) == DAS3_OK, "\(lastError())")
    #expect(das3_online_save(first.handle, "/missing/a.das3") == DAS3_E_IO)
    let second = online()
    #expect(second.resume(path) == DAS3_OK, "\(lastError())")
    #expect(second.snapshot.bits == first.snapshot.bits)
    let picture = Self.pictures[61]
    #expect(second.label(picture) == DAS3_OK)
    let same = Self.segmenter(first.snapshot)
    #expect(second.labels == same.labels(picture))
    #expect(second.report.total_step >= first.report.total_step)
    #expect(second.resume(path) == DAS3_E_ARGUMENT)
    #expect(lastError().contains("before the first"))

    let other = TestModel(path: SharedData.package.path + "/examples/street/street.onnx")
    let wrong = TestOnline(other) { _, _ in }
    #expect(wrong.resume(path) == DAS3_E_ARGUMENT)
    #expect(lastError().contains("another model"))
    var bytes = try Data(contentsOf: URL(filePath: path))
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: URL(filePath: path))
    let third = online()
    #expect(third.resume(path) == DAS3_E_FORMAT)
    try Data("DAS3 checkpoint 5\n".utf8).write(to: URL(filePath: path))
    #expect(third.resume(path) == DAS3_E_FORMAT)
    #expect(lastError().contains("not a stream checkpoint of das3"))
  }

  @Test("a thread learns beside the camera, and other threads may ask it anything")
  func background() async throws {
    let path = NSTemporaryDirectory() + "background-\(UUID()).das3"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let online = online {
      $0.steps_per_frame = 0
      $0.probes = 12
      $0.learning_threads = 2
      _ = $1
    }
    let isOver = TestFlag()
    let asking = Task.detached {
      var count = 0
      while !isOver.isSet {
        _ = online.report
        #expect(online.snapshot.info.class_count > 0)
        #expect(das3_online_save(online.handle, path) == DAS3_OK)
        #expect(online.pause(Int32(count % 2)) == DAS3_OK)
        count += 1
        try await Task.sleep(for: .milliseconds(5))
      }
      #expect(online.pause(0) == DAS3_OK)
      return count
    }
    // As long as it takes: nothing here is timed.
    var index = 0
    while index < 500 || online.report.judged_count < 2 {
      #expect(online.label(Self.pictures[index % Self.pictures.count]) == DAS3_OK)
      index += 1
      try await Task.sleep(for: .milliseconds(2))
    }
    isOver.set()
    #expect(try await asking.value > 0)
    let report = online.report
    #expect(report.status == DAS3_OK && report.observed_count <= report.frame_count)
    #expect(report.seconds > 0 && report.memory_bytes > 0)
    let other = TestOnline(AdapterTests.model) { _, _ in }
    #expect(other.resume(path) == DAS3_OK)
  }

  @Test("options that cannot be are refused by name")
  func options() {
    func refusal(_ change: @escaping TestOnline.Change) -> String {
      let online = TestOnline(AdapterTests.model, change)
      #expect(online.status == DAS3_E_ARGUMENT)
      return online.message
    }
    #expect(refusal { o, _ in o.budget = 1.5 }.contains("budget is 1.5; expected 0.0 to 1.0"))
    #expect(refusal { o, _ in o.budget = .nan }.contains("budget"))
    #expect(refusal { o, _ in o.probes = 3 }.contains("probes is 3; expected 12 to 256"))
    #expect(refusal { o, _ in o.reservoir = 0 }.contains("reservoir"))
    #expect(refusal { o, _ in o.learning_threads = 0 }.contains("learning_threads"))
    #expect(refusal { o, _ in o.restoration = -1 }.contains("restoration"))
    #expect(
      refusal { _, a in a.method = Int32(DAS3_METHOD_TENT.rawValue) }.contains("method is tent"))
    let off = online {
      ($0.budget, $0.steps_per_frame) = (0, 0)
      _ = $1
    }
    drive(off, 5)
    #expect(off.report.frame_count == 5 && off.report.observed_count == 0)
  }
}

/// Set by one thread, seen by another.
private final class TestFlag: @unchecked Sendable {
  private let lock = NSLock()
  private var value = false
  var isSet: Bool { lock.withLock { value } }
  func set() { lock.withLock { value = true } }
}

/// An online object with one thread to label and one to learn, ended with the value.
private final class TestOnline: @unchecked Sendable {
  typealias Change = (inout das3_online_options, inout das3_adapter_options) -> Void

  let handle: OpaquePointer?
  let status: das3_status
  let message: String
  private(set) var labels: [UInt8] = []

  init(_ model: TestModel, _ change: Change) {
    var handle = OpaquePointer(bitPattern: 8)
    var options = das3_online_options()
    das3_online_options_init(&options)
    var adapter = das3_adapter_options()
    das3_adapter_options_init(&adapter)
    var segmenter = TestSegmenter.options(height: 32, width: 48)
    change(&options, &adapter)
    status = withUnsafePointer(to: &adapter) { adapter in
      withUnsafePointer(to: &segmenter) { segmenter in
        (options.adapter, options.segmenter) = (adapter, segmenter)
        return das3_online_create(&handle, model.handle, &options)
      }
    }
    message = lastError()
    self.handle = handle
  }

  deinit { das3_online_free(handle) }

  func label(_ picture: TestPicture) -> das3_status {
    labels = [UInt8](repeating: 255, count: picture.width * picture.height)
    return picture.withImage { image in
      var image = image
      return labels.withUnsafeMutableBufferPointer { labels in
        var result = das3_segmentation()
        result.struct_size = UInt32(MemoryLayout<das3_segmentation>.size)
        result.labels = labels.baseAddress
        return das3_online_run(handle, &image, &result)
      }
    }
  }

  var report: das3_online_report {
    var report = das3_online_report()
    report.struct_size = UInt32(MemoryLayout<das3_online_report>.size)
    #expect(das3_online_get_report(handle, &report) == DAS3_OK)
    return report
  }

  var snapshot: TestModel { TestModel { das3_online_snapshot($0, handle) } }
  func pause(_ value: Int32) -> das3_status {
    withExtendedLifetime(self) { das3_online_pause(handle, value) }
  }
  func ignore(_ mask: [UInt8]) -> das3_status {
    withExtendedLifetime(self) { das3_online_set_ignored(handle, mask, 32, 48) }
  }
  func resume(_ path: String) -> das3_status {
    withExtendedLifetime(self) { das3_online_resume(handle, path) }
  }
}
