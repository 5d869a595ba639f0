import CDas3
import Das3
import Das3TestSupport
import Testing

/// A few frames with truth beside those without, from which every stage learns, too.
@Suite("Labelled frames that are learned from")
struct TruthLearningTests {
  /// Frames without truth, and three with one that the model does not know: bands of three classes.
  private func adapter(
    _ method: das3_method = DAS3_METHOD_DAS3, _ change: TestAdapter.Change = { _ in }
  ) -> TestAdapter {
    let adapter = TestAdapter {
      $0.method = Int32(method.rawValue)
      ($0.steps_a, $0.steps_b, $0.steps_c) = (4, 6, 6)
      ($0.rate_a, $0.rate_b, $0.rate_c) = (0.02, 0.02, 0.02)
      ($0.drift_a, $0.drift_b, $0.drift_c) = (0, 0, 0)
      change(&$0)
    }
    for picture in BlendTests.pictures.prefix(5) { #expect(adapter.add(picture) == DAS3_OK) }
    return adapter
  }

  private func truth(of picture: TestPicture, scale: UInt8 = 1) -> [UInt8] {
    (0..<picture.height).flatMap { y in
      [UInt8](repeating: UInt8(3 * y / picture.height) * scale, count: picture.width)
    }
  }

  private func teach(_ adapter: TestAdapter, count: Int = 3, scale: UInt8 = 1) {
    for picture in BlendTests.pictures.suffix(count) {
      #expect(adapter.add(picture, truth: truth(of: picture, scale: scale)) == DAS3_OK)
    }
  }

  private func reports(of adapter: TestAdapter) -> [das3_adapter_report] {
    var reports: [das3_adapter_report] = []
    while reports.last?.done != 1, reports.count < 200 { reports.append(adapter.step()) }
    return reports
  }

  @Test("their cross-entropy joins the losses of every stage, and falls")
  func learns() {
    let plain = adapter()
    let without = reports(of: plain)
    #expect(without.allSatisfy { $0.truth == 0 })
    let taught = adapter()
    teach(taught)
    let with = reports(of: taught)
    #expect(Set(with.map(\.stage)) == [97, 98, 99])
    #expect(with.allSatisfy { $0.truth > 0 && $0.loss > $0.truth * 0.99 })
    #expect(with.suffix(3).map(\.truth).reduce(0, +) < with.prefix(3).map(\.truth).reduce(0, +))
    #expect(plain.snapshot.bits != taught.snapshot.bits)
    #expect(taught.info.frame_count == 5)
  }

  @Test("a single one is enough; its weight is a factor of the loss, and 0 lets it judge instead")
  func weight() {
    let one = adapter()
    teach(one, count: 1)
    let single = one.step()
    let double = adapter { $0.label_weight = 2 }
    teach(double, count: 1)
    let twice = double.step()
    #expect(single.truth == twice.truth)
    #expect(abs(twice.loss - single.loss - single.truth) < 1e-5 * twice.loss)
    let judged = adapter { $0.label_weight = 0 }
    #expect(judged.add(truth: truth(of: AdapterTests.picture)) == DAS3_E_ARGUMENT)
    #expect(lastError().contains("label_weight above 0"))
  }

  @Test("methods that train nothing have no use for them", arguments: [DAS3_METHOD_BN])
  func refused(method: das3_method) {
    let adapter = adapter(method)
    #expect(adapter.add(truth: truth(of: AdapterTests.picture)) == DAS3_E_ARGUMENT)
    #expect(lastError().contains("no use for it"))
  }

  @Test(
    "of several classes that count as one of the truth, that which the model prefers is learned")
  func classes() {
    let classCount = AdapterTests.model.info.class_count
    let adapter = adapter()
    // Classes of the truth are 0, 7 and 14, and nobody knows the last.
    let known = (0..<classCount).map { UInt8($0 == 0 ? 0 : 7) }
    #expect(das3_adapter_set_truth_classes(adapter.handle, known, classCount) == DAS3_OK)
    teach(adapter, scale: 7)
    let found = reports(of: adapter)
    #expect(found.allSatisfy { $0.truth > 0 && $0.truth.isFinite })
  }

  @Test("a run that goes on takes the same steps")
  func resumed() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("taught.das3")
    let whole = adapter()
    teach(whole)
    _ = reports(of: whole)
    let first = adapter()
    teach(first)
    for _ in 0..<7 { _ = first.step() }
    #expect(das3_adapter_save(first.handle, path) == DAS3_OK)
    let second = adapter()
    teach(second)
    #expect(das3_adapter_resume(second.handle, path) == DAS3_OK, "\(lastError())")
    _ = reports(of: second)
    #expect(second.snapshot.bits == whole.snapshot.bits)
    let other = adapter()
    teach(other, count: 2)
    #expect(das3_adapter_resume(other.handle, path) == DAS3_E_ARGUMENT)
  }
}
