import CDas3
import Das3
import Das3TestSupport
import Testing

/// Pixels that count for nothing, through the C API.
@Suite("Ignored pixels")
struct IgnoredTests {
  /// The left part of the pictures: what is mirrored lies elsewhere.
  private static let mask = (0..<32 * 48).map { UInt8($0 % 48 < 20 ? 255 : 0) }
  private static let pictures = BlendTests.pictures

  private func set(_ adapter: TestAdapter, _ mask: [UInt8] = mask) -> das3_status {
    das3_adapter_set_ignored(adapter.handle, mask, 32, 48)
  }

  /// Truth that knows classes where the mask says so, and chance elsewhere.
  private static func truth(_ seed: UInt64) -> [UInt8] {
    var random = SplitMix64(seed: seed)
    return zip(random.bytes(mask.count), mask.indices).map {
      mask[$1] == 0 ? UInt8($1 / 100 % 3) : $0 % 4
    }
  }

  @Test("truth of ignored pixels teaches nothing, of mirrored frames neither")
  func truth() {
    func learned(_ seed: UInt64, isMasked: Bool) -> [UInt32] {
      let adapter = TestAdapter {
        ($0.method, $0.flip) = (Int32(DAS3_METHOD_SUPERVISED.rawValue), 1)
      }
      if isMasked { #expect(set(adapter) == DAS3_OK, "\(lastError())") }
      for picture in Self.pictures.prefix(4) {
        #expect(adapter.add(picture, truth: Self.truth(seed)) == DAS3_OK)
      }
      for _ in 0..<8 {
        let report = adapter.step()
        #expect(abs(report.ignored_share - (isMasked ? 20.0 / 48 : 0)) < 1e-9)
      }
      return adapter.snapshot.bits
    }
    let bits = learned(1, isMasked: true)
    #expect(bits == learned(2, isMasked: true))
    #expect(learned(1, isMasked: false) != learned(2, isMasked: false))
    #expect(bits != learned(1, isMasked: false) && bits != AdapterTests.model.bits)
  }

  @Test("labels of a teacher count only where pixels do, and so does their share")
  func teacher() {
    func learned(_ seed: UInt64) -> (bits: [UInt32], coverage: Double) {
      let adapter = TestAdapter { options in
        TestRun.options(&options)
        options.steps_b = 6
      }
      #expect(set(adapter) == DAS3_OK)
      for picture in Self.pictures.prefix(3) { #expect(adapter.add(picture) == DAS3_OK) }
      // Known memory that stays where it is.
      let labels = UnsafeMutablePointer<UInt8>.allocate(capacity: 2 * Self.mask.count)
      defer { labels.deallocate() }
      for (index, label) in Self.truth(seed).enumerated() {
        labels[index] = label < 3 ? label : 255
        labels[Self.mask.count + index] = 255
      }
      let teacher = TestTeacher { _, _, prediction in
        (prediction.height, prediction.width) = (32, 48)
        prediction.labels = UnsafePointer(labels)
        prediction.confidence = UnsafePointer(labels + Self.mask.count)
        return true
      }
      #expect(teacher.set(in: adapter) == DAS3_OK, "\(lastError())")
      var coverage = 0.0
      #expect(
        adapter.run {
          coverage = max(coverage, $0.stage == 98 ? $0.label_coverage : 0)
          return $0.stage != 98 || $0.stage_done == 0
        } == DAS3_OK)
      return withExtendedLifetime(teacher) { (adapter.snapshot.bits, coverage) }
    }
    let (first, second) = (learned(1), learned(2))
    #expect(first.bits == second.bits && first.bits != AdapterTests.model.bits)
    // All others have one.
    #expect(first.coverage > 0.6 && first.coverage <= 1)
  }

  @Test("a mask that ignores nothing changes no bit; what cannot be one is refused")
  func limits() {
    let (plain, masked) = (TestRun.adapter(), TestRun.adapter())
    #expect(set(masked, Self.mask.map { _ in 0 }) == DAS3_OK)
    for _ in 0..<3 { #expect(plain.step().loss == masked.step().loss) }
    #expect(plain.snapshot.bits == masked.snapshot.bits)
    #expect(set(masked) == DAS3_E_ARGUMENT && lastError().contains("after the first step"))

    let adapter = TestRun.adapter()
    for (height, width) in [(0, 48), (32, -1), (40000, 1)] as [(Int32, Int32)] {
      #expect(das3_adapter_set_ignored(adapter.handle, Self.mask, height, width) == DAS3_E_ARGUMENT)
    }
    #expect(das3_adapter_set_ignored(adapter.handle, nil, 3, 4) == DAS3_E_ARGUMENT)
    #expect(set(adapter, Self.mask.map { _ in 1 }) == DAS3_E_ARGUMENT)
    #expect(lastError().contains("every pixel"))
    #expect(set(adapter) == DAS3_OK)
    #expect(adapter.step().ignored_share > 0.4)
    let other = TestRun.adapter()
    #expect(set(other) == DAS3_OK)
    #expect(das3_adapter_set_ignored(other.handle, nil, 0, 0) == DAS3_OK)
    #expect(other.step().ignored_share == 0)
  }

  @Test("a checkpoint goes on only with the same mask")
  func checkpoints() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("run.das3")
    let adapter = TestRun.adapter()
    #expect(set(adapter) == DAS3_OK)
    for _ in 0..<5 { _ = adapter.step() }
    #expect(das3_adapter_save(adapter.handle, path) == DAS3_OK)
    for mask in [Self.mask, Self.mask.reversed(), []] {
      let other = TestRun.adapter()
      if !mask.isEmpty { #expect(set(other, mask) == DAS3_OK) }
      let status = das3_adapter_resume(other.handle, path)
      #expect(status == (mask == Self.mask ? DAS3_OK : DAS3_E_ARGUMENT))
      if status != DAS3_OK { #expect(lastError().contains("mask")) }
    }
  }

  // MARK: What is found

  /// The pictures behind a bonnet.
  private static let behindBonnet = pictures.map { picture in
    var picture = picture
    for index in 24 * 48 * 3..<32 * 48 * 3 { picture.bytes[index] = UInt8(80 + index % 3) }
    return picture
  }

  private func guarded(_ change: TestAdapter.Change = { _ in }) -> TestAdapter {
    let adapter = TestAdapter {
      TestRun.options(&$0)
      $0.method = Int32(DAS3_METHOD_AUTO.rawValue)
      change(&$0)
    }
    for picture in Self.behindBonnet { #expect(adapter.add(picture) == DAS3_OK) }
    return adapter
  }

  @Test("a guarded run finds a bonnet, before anything is judged, and again in another process")
  func bonnet() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("run.das3")
    let (adapter, plain) = (guarded(), guarded { $0.find_ignored = 0 })
    var shares: [(ignored: Double, found: Double)] = []
    var savedAt: Int64 = 0
    let status = adapter.run { report in
      shares.append((report.ignored_share, report.found_share))
      if report.stage == 97, savedAt == 0 {
        savedAt = report.total_step
        #expect(das3_adapter_save(adapter.handle, path) == DAS3_OK)
      }
      return true
    }
    #expect(status == DAS3_OK)
    #expect(shares.first?.found == 0 && shares.last?.found == 0.25)
    #expect(shares.allSatisfy { $0.ignored == $0.found })
    var foundShare = 0.0
    #expect(
      plain.run {
        foundShare = max(foundShare, $0.ignored_share)
        return true
      } == DAS3_OK)
    #expect(foundShare == 0)
    let other = guarded()
    #expect(das3_adapter_resume(other.handle, path) == DAS3_OK, "\(lastError())")
    #expect(other.step().found_share == 0.25)
    #expect(other.run() == DAS3_OK)
    let isSame = other.snapshot.bits == adapter.snapshot.bits
    #expect(isSame && savedAt > 0)
  }

  @Test("what is found is united with the mask; where that leaves nothing, the mask alone counts")
  func union() {
    func shares(_ mask: [UInt8]) -> (ignored: Double, found: Double) {
      let adapter = guarded()
      #expect(set(adapter, mask) == DAS3_OK)
      var last = das3_adapter_report()
      #expect(
        adapter.run {
          last = $0
          return $0.blend_done == 0
        } == DAS3_OK)
      return (last.ignored_share, last.found_share)
    }
    let both = shares(Self.mask)
    #expect(both.found == 0.25 && abs(both.ignored - (0.25 + 0.75 * 20 / 48)) < 1e-9)
    let rest = shares((0..<32 * 48).map { $0 < 24 * 48 ? 1 : 0 })
    #expect(rest.found == 0 && rest.ignored == 0.75)
  }
}
