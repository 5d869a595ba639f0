import CDas3
import Das3
import Das3TestSupport
import Testing

/// Guarded runs through the C API: what is judged, what is taken, and when the source stays.
@Suite("Guarded runs")
struct GuardTests {
  private static let black = TestPicture(
    bytes: [UInt8](repeating: 0, count: 48 * 32 * 3), width: 48, height: 32, strideBytes: 0,
    format: DAS3_FORMAT_RGB8)
  /// 32 frames, of which every second one is a probe.
  private static let pictures = Array(BlendTests.pictures.prefix(32))

  private func adapter(
    pictures: [TestPicture] = pictures, stages: String = "abc",
    _ change: TestAdapter.Change = { _ in }
  ) -> TestAdapter {
    let adapter = stages.withCString { stages in
      TestAdapter {
        TestRun.options(&$0)
        ($0.method, $0.stages) = (Int32(DAS3_METHOD_AUTO.rawValue), stages)
        change(&$0)
      }
    }
    for picture in pictures { #expect(adapter.add(picture) == DAS3_OK, "\(lastError())") }
    return adapter
  }

  /// Runs to the end.
  ///
  /// - Returns: the last report of each stage.
  private func run(_ adapter: TestAdapter) -> [das3_adapter_report] {
    var reports: [das3_adapter_report] = []
    let status = adapter.run {
      if $0.stage_done == 1 { reports.append($0) }
      return true
    }
    #expect(status == DAS3_OK && reports.last?.done == 1, "\(lastError())")
    return reports
  }

  private func judged(_ report: das3_adapter_report) -> [das3_guard_candidate] {
    withUnsafeBytes(of: report.guard) {
      Array($0.bindMemory(to: das3_guard_candidate.self).prefix(Int(report.guard_count)))
    }
  }

  @Test("what each stage leaves is judged, and the best is the result")
  func best() throws {
    let adapter = adapter()
    var (kept, isDone) = ([Int32: [UInt32]](), false)
    var last = das3_adapter_report()
    while !isDone {
      last = adapter.step()
      // Judging changes nothing before it ends.
      if last.judging == 0, last.stage_done == 1 { kept[last.stage] = adapter.snapshot.bits }
      isDone = last.done == 1
    }
    let sets = judged(last)
    #expect(last.guard_done == 1 && last.guard_seconds > 0)
    #expect(sets[0].origin == 0 && sets[0].accepted == 1)
    for letter in [DAS3_GUARD_ORIGIN_A, DAS3_GUARD_ORIGIN_B, DAS3_GUARD_ORIGIN_C] {
      #expect(sets.contains { $0.origin == Int32(letter.rawValue) && $0.share == 1 })
    }
    for set in sets {
      #expect(abs(set.score - set.information * set.agreement) < 1e-12)
      #expect((0...1).contains(set.wins) && set.entropy > 0 && set.shift >= 0)
    }
    let choice = sets[Int(last.guard_choice)]
    #expect(choice.accepted == 1 && choice.veto == 0)
    #expect((last.guard_choice == 0) == (last.guard_reason != 0))
    let bits = adapter.snapshot.bits
    if last.guard_choice == 0 { #expect(bits == AdapterTests.model.bits) }
    if choice.share == 1, choice.origin > 90 { #expect(kept[choice.origin] == bits) }
  }

  @Test("nothing is learned from probes")
  func probes() {
    func trained(_ pictures: [TestPicture]) -> [UInt32] {
      let adapter = adapter(pictures: pictures) {
        ($0.method, $0.guard) = (Int32(DAS3_METHOD_DAS3.rawValue), 2)
      }
      var report = adapter.step()
      while report.stage == 0 || report.stage_done == 0 { report = adapter.step() }
      return adapter.snapshot.bits
    }
    var others = Self.pictures
    for index in stride(from: 1, to: others.count, by: 2) {
      others[index] = BlendTests.pictures[32 + index]
    }
    let bits = trained(Self.pictures)
    #expect(bits != AdapterTests.model.bits && trained(others) == bits)
    others[0] = BlendTests.pictures[32]
    #expect(trained(others) != bits)
  }

  @Test("black frames, one frame again and again: the source, bit for bit, and why")
  func nothingToLearn() {
    for (picture, reason, words) in [
      (Self.black, DAS3_GUARD_REASON_FEW_FRAMES, "too few frames show anything"),
      (Self.pictures[0], DAS3_GUARD_REASON_SAME_FRAMES, "the same"),
    ] {
      let adapter = adapter(pictures: [TestPicture](repeating: picture, count: 12))
      let reports = run(adapter)
      #expect(reports.count == 1 && reports[0].guard_done == 1 && reports[0].guard_count == 0)
      #expect(reports[0].guard_reason == Int32(reason.rawValue))
      #expect(String(cString: das3_guard_reason_text(reports[0].guard_reason)).contains(words))
      #expect(adapter.snapshot.bits == AdapterTests.model.bits)
      #expect(adapter.step().done == 1)
    }
    #expect(String(cString: das3_guard_reason_text(0)).isEmpty)
    #expect(String(cString: das3_guard_reason_text(99)).isEmpty)
  }

  @Test("where all weights are refused the source stays, after a walk back to it")
  func refused() throws {
    let adapter = adapter {
      ($0.stages, $0.guard_entropy, $0.blend_limit) = (nil, 1e6, 0)
    }
    let last = try #require(run(adapter).last)
    let sets = judged(last)
    #expect(last.guard_reason == Int32(DAS3_GUARD_REASON_REFUSED.rawValue))
    #expect(last.guard_choice == 0 && sets.count == 1 + 3 * 4)
    #expect(sets.dropFirst().allSatisfy { $0.veto == Int32(DAS3_GUARD_VETO_COLLAPSED.rawValue) })
    #expect(sets[1...4].map(\.share) == [1, 0.75, 0.5, 0.25])
    #expect(adapter.snapshot.bits == AdapterTests.model.bits)
  }

  /// Steps that change labels of so small a network.
  private static func steps(_ options: inout das3_adapter_options) {
    (options.rate_a, options.drift_a) = (0.5, 0)
  }

  /// A guarded run with frames whose truth is what a network says of them.
  private func judged(
    by teller: TestModel, stages: String = "abc", _ change: TestAdapter.Change = { _ in }
  ) throws -> TestAdapter {
    let adapter = adapter(stages: stages) {
      Self.steps(&$0)
      $0.label_weight = 0
      change(&$0)
    }
    for picture in BlendTests.pictures.suffix(6) {
      #expect(adapter.add(picture, truth: try labels(of: picture, by: teller)) == DAS3_OK)
    }
    return adapter
  }

  private func labels(of picture: TestPicture, by teller: TestModel) throws -> [UInt8] {
    let segmenter = TestSegmenter(teller, options: TestSegmenter.options(height: 32, width: 48))
    return try #require(segmenter.labels(picture))
  }

  @Test("where the source labels the labelled frames best, it stays, whatever the votes say")
  func sourceByLabels() throws {
    let adapter = try judged(by: AdapterTests.model)
    let last = try #require(run(adapter).last)
    let sets = judged(last)
    #expect(sets[0].miou == 1 && last.guard_choice == 0)
    #expect(sets.dropFirst().allSatisfy { $0.miou < 1 && $0.probability < 0.1 })
    #expect(last.guard_reason == Int32(DAS3_GUARD_REASON_NOT_BETTER.rawValue))
    #expect(adapter.snapshot.bits == AdapterTests.model.bits)
    // Nothing was learned from them: without the labels the same weights are judged.
    let unlabelled = self.adapter(Self.steps)
    let other = try #require(run(unlabelled).last)
    #expect(judged(other)[0].information == sets[0].information)
    #expect(judged(other).allSatisfy { $0.miou == -1 && $0.probability == -1 })
  }

  @Test("what labels the labelled frames best is taken, although the bounds would refuse it")
  func trainedByLabels() throws {
    let trained = self.adapter(stages: "a", Self.steps)
    var report = trained.step()
    while report.stage == 0 || report.stage_done == 0 { report = trained.step() }
    let teller = trained.snapshot
    #expect(teller.bits != AdapterTests.model.bits)
    let adapter = try judged(by: teller, stages: "a") { $0.guard_shift = 0 }
    let last = try #require(run(adapter).last)
    let choice = judged(last)[Int(last.guard_choice)]
    #expect(choice.origin == Int32(DAS3_GUARD_ORIGIN_A.rawValue) && choice.veto == 0)
    #expect(choice.miou == 1 && choice.probability == 1)
    #expect(adapter.snapshot.bits == teller.bits)
  }

  @Test("labelled frames that nobody judges by are refused, and so are too few")
  func labelsWithoutUse() throws {
    let picture = BlendTests.pictures[0]
    let truth = try labels(of: picture, by: AdapterTests.model)
    let paper = adapter { ($0.method, $0.label_weight) = (Int32(DAS3_METHOD_DAS3.rawValue), 0) }
    #expect(paper.add(picture, truth: truth) == DAS3_E_ARGUMENT)
    #expect(lastError().contains("guard = 2"))
    let few = adapter { $0.label_weight = 0 }
    for _ in 0..<4 { #expect(few.add(picture, truth: truth) == DAS3_OK) }
    var report = das3_adapter_report()
    report.struct_size = UInt32(MemoryLayout<das3_adapter_report>.size)
    #expect(das3_adapter_step(few.handle, &report) == DAS3_E_ARGUMENT)
    #expect(lastError().contains("at least 5"))
    #expect(few.info.frame_count == 32)
  }

  @Test("classes of the truth may be others than those of the model")
  func truthClasses() throws {
    let classCount = AdapterTests.model.info.class_count
    let adapter = try judged(by: AdapterTests.model, stages: "a")
    let renumbered = self.adapter(stages: "a") {
      Self.steps(&$0)
      $0.label_weight = 0
    }
    // All classes but the first are one.
    let classes = (0..<classCount).map { UInt8($0 == 0 ? 0 : 7) }
    #expect(das3_adapter_set_truth_classes(renumbered.handle, classes, classCount) == DAS3_OK)
    for picture in BlendTests.pictures.suffix(6) {
      let labels = try labels(of: picture, by: AdapterTests.model)
      #expect(renumbered.add(picture, truth: labels.map { classes[Int($0)] }) == DAS3_OK)
    }
    let one = judged(try #require(run(adapter).last))
    let other = judged(try #require(run(renumbered).last))
    #expect(one[0].miou == 1 && other[0].miou == 1)
    #expect(one[1].miou != other[1].miou)
  }

  @Test("a run that goes on judges by the same labelled frames, and by no others")
  func resumed() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("judged.das3")
    let whole = try judged(by: AdapterTests.model)
    _ = run(whole)
    let first = try judged(by: AdapterTests.model)
    var report = first.step()
    while report.judging == 0 || report.step < 20 { report = first.step() }
    #expect(das3_adapter_save(first.handle, path) == DAS3_OK)
    let second = try judged(by: AdapterTests.model)
    #expect(das3_adapter_resume(second.handle, path) == DAS3_OK, "\(lastError())")
    _ = run(second)
    #expect(second.snapshot.bits == whole.snapshot.bits)
    let unlabelled = adapter {
      Self.steps(&$0)
      $0.label_weight = 0
    }
    #expect(das3_adapter_resume(unlabelled.handle, path) == DAS3_E_ARGUMENT)
    #expect(lastError().contains("labelled"))
  }

  @Test("without a guard all frames are learned from, and the last stage is the result")
  func unguarded() throws {
    let adapter = adapter { $0.guard = 0 }
    let reports = run(adapter)
    #expect(reports.count == 4 && reports.allSatisfy { $0.guard_count == 0 && $0.guard_done == 0 })
    let paper = self.adapter {
      ($0.method, $0.start) = (Int32(DAS3_METHOD_DAS3.rawValue), Int32(DAS3_START_BLEND.rawValue))
    }
    _ = run(paper)
    #expect(adapter.snapshot.bits == paper.snapshot.bits)
  }
}
