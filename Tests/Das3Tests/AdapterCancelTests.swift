import CDas3
import Das3
import Das3TestSupport
import Foundation
import Testing

/// Whatever ends a call before its time, the next one goes on, and the end is the same.
@Suite("Cancelling an adapter")
struct AdapterCancelTests {
  static let expected: [UInt32] = {
    let adapter = TestRun.adapter()
    #expect(adapter.run() == DAS3_OK)
    return adapter.snapshot.bits
  }()

  private func expectEnd(_ adapter: TestAdapter, sourceLocation: SourceLocation = #_sourceLocation)
  {
    #expect(adapter.run() == DAS3_OK, sourceLocation: sourceLocation)
    let isSame = adapter.snapshot.bits == Self.expected
    #expect(isSame, sourceLocation: sourceLocation)
  }

  /// Cancels on a thread of its own, and waits for that.
  private func cancelElsewhere(_ adapter: TestAdapter) {
    let done = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      if das3_adapter_cancel(adapter.handle) == DAS3_OK { done.signal() }
    }
    #expect(done.wait(timeout: .now() + 600) == .success)
  }

  @Test("from another thread, among labels and among steps")
  func fromAnotherThread() {
    let moments: [(name: String, isThen: (das3_adapter_report) -> Bool)] = [
      ("first label of (b)", { $0.labelling == 1 && $0.labels_done == 1 }),
      ("last label of round 2", { $0.labelling == 1 && $0.round == 1 && $0.labels_done == 5 }),
      ("a label of (c)", { $0.labelling == 1 && $0.stage == 0x63 && $0.labels_done == 2 }),
      ("a step of (a)", { $0.labelling == 0 && $0.total_step == 3 }),
      ("the last step of (a)", { $0.labelling == 0 && $0.total_step == 12 }),
      ("a step that measures", { $0.labelling == 0 && $0.total_step == 22 }),
      ("a step of (c)", { $0.labelling == 0 && $0.total_step == 47 }),
    ]
    for (name, isThen) in moments {
      let adapter = TestRun.adapter()
      var (held, cancelled, last) = (adapter.snapshot.bits, 0, das3_adapter_report())
      let status = adapter.run { report in
        last = report
        if report.labelling == 0 { held = adapter.snapshot.bits }
        guard isThen(report) else { return true }
        cancelled += 1
        self.cancelElsewhere(adapter)
        return true
      }
      #expect(status == DAS3_E_CANCELLED && cancelled == 1, "\(name): \(status)")
      #expect(lastError().contains("cancelled"))
      // At once, or after the frame in work.
      #expect(isThen(last), "\(name)")
      let isUnmoved = adapter.snapshot.bits == held
      #expect(isUnmoved, "\(name)")
      expectEnd(adapter)
    }
  }

  @Test("before a call it ends the next one, and only that")
  func before() {
    let adapter = TestRun.adapter()
    #expect(das3_adapter_cancel(adapter.handle) == DAS3_OK)
    #expect(das3_adapter_cancel(adapter.handle) == DAS3_OK)
    #expect(das3_adapter_step(adapter.handle, nil) == DAS3_E_CANCELLED)
    #expect(adapter.step().total_step == 1)
    #expect(das3_adapter_cancel(adapter.handle) == DAS3_OK)
    #expect(adapter.run() == DAS3_E_CANCELLED)
    #expect(adapter.step().total_step == 2)
    expectEnd(adapter)
    #expect(das3_adapter_cancel(nil) == DAS3_E_ARGUMENT)
  }

  @Test("a thread that cancels at any time delays the end and does not change it")
  func atAnyTime() {
    let adapter = TestRun.adapter()
    let done = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      var random = SplitMix64(seed: 5)
      for _ in 0..<60 {
        usleep(UInt32(random.bytes(1)[0]) * 16)
        das3_adapter_cancel(adapter.handle)
      }
      done.signal()
    }
    var statuses: Set<das3_status> = []
    repeat { statuses.insert(adapter.run()) } while !statuses.contains(das3_status(DAS3_OK))
    done.wait()
    #expect(statuses.isSubset(of: [DAS3_OK, DAS3_E_CANCELLED].map { das3_status($0) }))
    let isSame = adapter.snapshot.bits == Self.expected
    #expect(isSame)
  }

  @Test("among the frames of one step it ends that step, not the next")
  func amongFrames() {
    let source = TestSource()
    // ThreadSanitizer does not see the barriers of a thread team.
    let adapter = TestAdapter { ($0.batch_size, $0.threads) = (5, 1) }
    #expect(source.set(in: adapter) == DAS3_OK)
    for place in [2, 5] {
      let first = source.reads.count
      source.willRead = { _ in
        if source.reads.count == first + place { das3_adapter_cancel(adapter.handle) }
        return true
      }
      #expect(das3_adapter_step(adapter.handle, nil) == DAS3_E_CANCELLED)
      #expect(source.reads.count == first + place)
      source.willRead = { _ in true }
      #expect(adapter.step().step_count > 0)
    }
  }

  enum Ending: CaseIterable { case cancelled, failed }

  @Test(
    "at any reading of a frame: cancelled or failed, with statistics that follow or not",
    arguments: Ending.allCases, [DAS3_BATCH_NORM_FROZEN, DAS3_BATCH_NORM_BATCH])
  func atAnyReading(_ ending: Ending, _ mode: das3_batch_norm) {
    func adapter(_ source: TestSource) -> TestAdapter {
      let adapter = TestAdapter {
        TestRun.options(&$0)
        $0.batch_norm = Int32(mode.rawValue)
        $0.batch_size = 2
      }
      #expect(source.set(in: adapter) == DAS3_OK)
      return adapter
    }
    let source = TestSource()
    let whole = adapter(source)
    #expect(whole.run() == DAS3_OK)
    let interrupted = TestSource()
    let tried = adapter(interrupted)
    var (left, allowed, endings) = (0, 0, 0)
    interrupted.willRead = { _ in
      left -= 1
      guard left == 0 else { return true }
      if ending == .cancelled { das3_adapter_cancel(tried.handle) }
      return ending == .cancelled
    }
    var held = tried.snapshot.bits
    while true {
      // A step of (c) wants 22 readings, a measurement before it five: more must be allowed.
      allowed = allowed % 29 + 1
      left = allowed
      let status = tried.run { report in
        if report.labelling == 0 { held = tried.snapshot.bits }
        return true
      }
      if status == DAS3_OK { break }
      let expected = das3_status(ending == .cancelled ? DAS3_E_CANCELLED : DAS3_E_IO)
      #expect(status == expected, "\(lastError())")
      let isUnmoved = tried.snapshot.bits == held
      #expect(isUnmoved)
      endings += 1
      if endings > 1000 { Issue.record("no end") }
      guard endings <= 1000, isUnmoved else { return }
    }
    #expect(endings > 10)
    let isSame = tried.snapshot.bits == whole.snapshot.bits
    #expect(isSame)
    #expect(interrupted.reads.count > source.reads.count)
  }
}
