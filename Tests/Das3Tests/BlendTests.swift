import CDas3
import Das3
import Das3TestSupport
import Testing

/// Blends of statistics through the C API: what moves, what is reported, and when the source stays.
@Suite("Blend")
struct BlendTests {
  /// Enough frames for as few probes as choose freely.
  static let pictures = (0..<64).map { index in
    PictureContent(width: 48, height: 32, blockSize: 4 + index % 5, seed: UInt64(index)).rgb8()
  }

  private static let black = TestPicture(
    bytes: [UInt8](repeating: 0, count: 48 * 32 * 3), width: 48, height: 32, strideBytes: 0,
    format: DAS3_FORMAT_RGB8)

  private func adapter(
    of model: TestModel = AdapterTests.model, pictures: [TestPicture] = pictures,
    _ change: TestAdapter.Change = { _ in }
  ) -> TestAdapter {
    let adapter = TestAdapter(of: model) {
      $0.method = Int32(DAS3_METHOD_BLEND.rawValue)
      change(&$0)
    }
    for picture in pictures { #expect(adapter.add(picture) == DAS3_OK, "\(lastError())") }
    return adapter
  }

  private func candidates(_ report: das3_adapter_report) -> [das3_blend_candidate] {
    let all = [
      report.blend.0, report.blend.1, report.blend.2, report.blend.3, report.blend.4,
    ]
    return Array(all.prefix(Int(report.blend_count)))
  }

  @Test("statistics move by the share that is reported, and nothing else does")
  func moves() {
    let adapter = adapter()
    let report = adapter.finished()
    let line = candidates(report)
    #expect(line.map(\.share) == [0, 0.25, 0.5] && report.blend_done == 1)
    #expect(report.blend_share == line[Int(report.blend_choice)].share)
    #expect(report.blend_reason == 0 && report.blend_seconds > 0 && report.memory_bytes > 0)
    for candidate in line {
      #expect(abs(candidate.score - candidate.information * candidate.agreement) < 1e-12)
      #expect((0...1).contains(candidate.agreement) && candidate.divergence < 0.7)
    }
    let (before, after) = (AdapterTests.model.parameters, adapter.snapshot.parameters)
    for tensor in AdapterTests.model.tensors {
      let isMoved = before[tensor.range] != after[tensor.range]
      #expect(isMoved == (tensor.isStatistic && report.blend_share > 0), "\(tensor.name)")
    }
  }

  @Test("a limit of 0 compares the source alone; of 1, all quarters")
  func limits() {
    let none = adapter { $0.blend_limit = 0 }
    #expect(candidates(none.finished()).map(\.share) == [0])
    #expect(none.snapshot.bits == AdapterTests.model.bits)
    let all = candidates(adapter { $0.blend_limit = 1 }.finished())
    #expect(all.map(\.share) == [0, 0.25, 0.5, 0.75, 1])
    // With few frames nothing beyond a quarter is tried.
    let few = adapter(pictures: Array(Self.pictures.prefix(20))) { $0.blend_limit = 1 }
    #expect(candidates(few.finished()).map(\.share) == [0, 0.25])
  }

  @Test("training that begins at a blend begins at the same one")
  func start() {
    let blend = adapter()
    _ = blend.finished()
    let trained = adapter {
      ($0.method, $0.start) = (Int32(DAS3_METHOD_DAS3.rawValue), Int32(DAS3_START_BLEND.rawValue))
    }
    var report = trained.step()
    while report.stage_done == 0 {
      #expect(report.blending == 1 && report.stage == 0 && report.learning_rate == 0)
      // Nothing is taken before it is chosen.
      #expect(report.blend_done == 0)
      report = trained.step()
    }
    #expect(report.blend_done == 1 && trained.snapshot.bits == blend.snapshot.bits)
    let first = trained.step()
    #expect(first.blending == 0 && first.stage == 0x61 && first.blend_done == 1)
    #expect(trained.snapshot.bits != blend.snapshot.bits)
  }

  @Test("black frames, one frame again and again, hardly any frames: the source, and why")
  func nothingToLearn() {
    let black = [TestPicture](repeating: Self.black, count: 6)
    for (pictures, reason, words) in [
      (black, DAS3_BLEND_REASON_FEW_FRAMES, "too few frames show anything"),
      (Array(Self.pictures.prefix(3)), DAS3_BLEND_REASON_FEW_FRAMES, "at least 4"),
      // Five that show something among so many are before the first probe.
      (
        [TestPicture](repeating: Self.black, count: 400) + Self.pictures.prefix(5),
        DAS3_BLEND_REASON_FEW_FRAMES, "neither black nor blank"
      ),
      (
        [TestPicture](repeating: Self.pictures[0], count: 9), DAS3_BLEND_REASON_SAME_FRAMES,
        "the same"
      ),
    ] {
      let adapter = adapter(pictures: pictures)
      let report = adapter.finished()
      #expect(report.blend_reason == Int32(reason.rawValue) && report.blend_count == 0)
      #expect(String(cString: das3_blend_reason_text(report.blend_reason)).contains(words))
      #expect(adapter.snapshot.bits == AdapterTests.model.bits)
    }
    #expect(String(cString: das3_blend_reason_text(0)).isEmpty)
    #expect(String(cString: das3_blend_reason_text(99)).isEmpty)
  }

  @Test("black frames between others are neither probes nor part of the statistics")
  func covered() {
    let seen = adapter()
    let covered = adapter(
      pictures: [Self.black]
        + Self.pictures.enumerated().flatMap { index, picture in
          index % 7 == 3 ? [picture, Self.black] : [picture]
        })
    let (expected, found) = (seen.finished(), covered.finished())
    #expect(found.blend_reason == 0 && found.total_step > expected.total_step)
    #expect(candidates(found).map(\.score) == candidates(expected).map(\.score))
    #expect(covered.snapshot.bits == seen.snapshot.bits)
  }

  @Test("a network without statistics: the source, and how to export it")
  func withoutStatistics() {
    let model = TestModel(SampleModels.shapeArithmetic().serialized())
    let blended = adapter(of: model)
    let report = blended.finished()
    #expect(report.blend_reason == Int32(DAS3_BLEND_REASON_NO_STATISTICS.rawValue))
    let text = String(cString: das3_blend_reason_text(report.blend_reason))
    #expect(text.contains("TrainingMode.PRESERVE, do_constant_folding=False"))
    #expect(blended.snapshot.bits == model.bits)
    let trained = adapter(of: model) {
      ($0.method, $0.start) = (Int32(DAS3_METHOD_ENTROPY.rawValue), 1)
      $0.steps_a = 2
    }
    #expect(trained.finished().blend_reason == report.blend_reason)
    #expect(trained.snapshot.bits != model.bits)
    for (method, name) in [(DAS3_METHOD_BN, "bn"), (DAS3_METHOD_TENT, "tent")] {
      let refused = TestAdapter(of: model) { $0.method = Int32(method.rawValue) }
      #expect(refused.status == DAS3_E_UNSUPPORTED && refused.handle == nil)
      #expect(refused.message.hasPrefix("method \(name): ") && refused.message.contains(text))
    }
  }

  @Test("one value a channel has no statistics: such a layer keeps those of the source")
  func singlePixels() throws {
    var writer = SampleModels.convolutional()
    let place = try #require(writer.nodes.firstIndex { $0.opType == "MaxPool" })
    writer.node("GlobalAveragePool", ["deep"], ["mean"])
    writer.floats("pool.scale", [8], [Float](repeating: 1, count: 8))
    writer.floats("pool.shift", [8], [Float](repeating: 0, count: 8))
    writer.floats("pool.mean", [8], (0..<8).map { Float($0) / 8 })
    writer.floats("pool.variance", [8], [Float](repeating: 0.7, count: 8))
    writer.node(
      "BatchNormalization", ["mean", "pool.scale", "pool.shift", "pool.mean", "pool.variance"],
      ["gate"])
    writer.node("Add", ["deep", "gate"], ["gated"])
    writer.nodes.insert(contentsOf: writer.nodes.suffix(3), at: place)
    writer.nodes.removeLast(3)
    writer.nodes[place + 3].inputs[0] = "gated"
    let model = TestModel(writer.serialized())
    #expect(model.status == DAS3_OK, "\(model.message)")
    for method in [DAS3_METHOD_BLEND, DAS3_METHOD_BN, DAS3_METHOD_TENT] {
      let adapter = adapter(of: model) {
        $0.method = Int32(method.rawValue)
        $0.steps_a = 4
      }
      _ = adapter.finished()
      let (before, after) = (model.parameters, adapter.snapshot.parameters)
      for tensor in model.tensors where tensor.name.hasPrefix("pool.") && tensor.isStatistic {
        #expect(before[tensor.range] == after[tensor.range], "\(method), \(tensor.name)")
      }
    }
  }

  @Test("a limit that cannot be kept is refused, one that can is kept")
  func memory() {
    let free = adapter { ($0.method, $0.start, $0.steps_a) = (0, 1, 2) }
    let bits = { (adapter: TestAdapter) in
      _ = adapter.finished()
      return adapter.snapshot.bits
    }
    let refused = TestAdapter { ($0.method, $0.start, $0.memory_limit) = (0, 1, 1) }
    #expect(refused.status == DAS3_E_MEMORY)
    let words = lastError().split(separator: " ")
    let least = words.firstIndex(of: "least").flatMap { UInt64(words[$0 + 1]) } ?? 0
    // Beside what the message names there are the frames.
    let limit = least + UInt64(2 * Self.pictures.count * 48 * 32 * 3)
    var most: UInt64 = 0
    let tight = adapter {
      ($0.method, $0.start, $0.steps_a, $0.memory_limit) = (0, 1, 2, limit)
    }
    while true {
      let report = tight.step()
      most = max(most, report.memory_bytes)
      if report.done != 0 { break }
    }
    #expect(most <= limit && tight.snapshot.bits == bits(free))
  }

  @Test("cancelled, it goes on where it was")
  func cancelled() {
    let whole = adapter()
    _ = whole.finished()
    let stopped = adapter()
    for _ in 0..<60 {
      #expect(das3_adapter_cancel(stopped.handle) == DAS3_OK)
      #expect(das3_adapter_step(stopped.handle, nil) == DAS3_E_CANCELLED)
      if stopped.step().done != 0 { break }
    }
    _ = stopped.finished()
    #expect(stopped.snapshot.bits == whole.snapshot.bits)
  }
}
