import CDas3
import Das3
import Das3TestSupport
import Foundation
import Testing

/// Scenes through the C API: found, learned with, saved, gone on with, and refused where they cannot be.
@Suite("Scenes")
struct SceneTests {
  /// A network without weights that anybody trained, but which is better with scenes.
  static let model = TestModel(SampleModels.convolutional(seed: 9).serialized())

  /// Three bright pictures and a dark one in turns: as many as from one probe to the next.
  static let pictures = (0..<64).map { index in
    var content = PictureContent(
      width: 48, height: 32, blockSize: 4 + index % 5, seed: UInt64(index))
    if index % 4 == 1 {
      content.pixels = content.pixels.map { ($0.red / 3, $0.green / 3, $0.blue / 3) }
    }
    return content.rgb8()
  }

  private func adapter(
    pictures: [TestPicture] = pictures, _ change: TestAdapter.Change = { _ in }
  ) -> TestAdapter {
    let adapter = TestAdapter(of: Self.model) {
      $0.method = Int32(DAS3_METHOD_BLEND.rawValue)
      $0.scenes = 4
      change(&$0)
    }
    for picture in pictures { #expect(adapter.add(picture) == DAS3_OK, "\(lastError())") }
    return adapter
  }

  @Test("bright and dark pictures are two scenes, and the labels of a saved model are the run's")
  func found() throws {
    let adapter = adapter()
    let report = adapter.finished()
    #expect(report.scene_count == 2)
    // 16 are dark, and every fourth picture of each scene is a probe.
    #expect(Set([report.scene_frames.0, report.scene_frames.1]) == [12, 36])
    #expect(report.scene_frames.2 == 0)
    #expect(report.scenes_used == 1 && (0.25...0.75).contains(report.scene_share))
    let model = adapter.snapshot
    #expect(model.info.scene_count == 2 && model.info.scene_frames.0 == report.scene_frames.0)

    let folder = try TemporaryFolder()
    #expect(das3_model_save(model.handle, folder.path("saved.onnx")) == DAS3_OK)
    let saved = TestModel(path: folder.path("saved.onnx"))
    #expect(saved.status == DAS3_OK && saved.info.scene_count == 2 && saved.bits == model.bits)
    let (inMemory, read) = (TestSegmenter(model), TestSegmenter(saved))
    var options = TestSegmenter.options()
    options.ignore_scenes = 1
    let (plain, single) = (TestSegmenter(saved, options: options), adapterOfOneSet())
    var (differing, scenes) = (0, Set<Int32>())
    for picture in Self.pictures {
      let labels = read.labels(picture)
      #expect(labels == inMemory.labels(picture) && labels != nil)
      #expect(plain.labels(picture) == single.labels(picture))
      scenes.insert(read.info.scene)
      differing += labels == plain.labels(picture) ? 0 : 1
    }
    #expect(differing > 0 && scenes == [0, 1] && read.info.scene_count == 2)
    #expect(plain.info.scene_count == 0 && plain.info.scene == -1)
    #expect(read.info.peak_bytes > plain.info.peak_bytes)
    // Parameters of one's own have no scenes.
    #expect(saved.with(saved.parameters).info.scene_count == 0)
    #expect(TestModel.merge([saved, saved]).info.scene_count == 0)
  }

  /// What the same frames give without scenes: the plain network of a model with scenes.
  private func adapterOfOneSet() -> TestSegmenter {
    let adapter = adapter { $0.scenes = 0 }
    let report = adapter.finished()
    #expect(report.scene_count == 0 && report.scenes_used == 0)
    return TestSegmenter(adapter.snapshot)
  }

  @Test("pictures of one kind are one scene: bit for bit what comes without scenes")
  func one() {
    let (split, single) = (
      adapter(pictures: BlendTests.pictures),
      adapter(pictures: BlendTests.pictures) { $0.scenes = 1 }
    )
    #expect(split.finished().scene_count == 0)
    _ = single.finished()
    #expect(split.snapshot.bits == single.snapshot.bits && split.snapshot.info.scene_count == 0)
  }

  @Test(
    "a run with scenes, saved and resumed after every few steps, is the run that was left alone")
  func resumed() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("run.das3")
    func make() -> TestAdapter {
      self.adapter {
        TestRun.options(&$0)
        ($0.method, $0.start) = (
          Int32(DAS3_METHOD_DAS3.rawValue), Int32(DAS3_START_BLEND.rawValue)
        )
      }
    }
    let whole = make()
    var adapter = make()
    var (step, isDone, usedScenes) = (0, false, false)
    while !isDone {
      if step % 7 == 0 {
        #expect(das3_adapter_save(adapter.handle, path) == DAS3_OK, "\(lastError())")
        adapter = make()
        #expect(das3_adapter_resume(adapter.handle, path) == DAS3_OK, "\(lastError())")
      }
      let (expected, found) = (whole.step(), adapter.step())
      let isSame =
        expected.loss.bitPattern == found.loss.bitPattern
        && expected.scenes_used == found.scenes_used && expected.done == found.done
        && whole.snapshot.bits == adapter.snapshot.bits
      guard isSame else {
        Issue.record("step \(expected.total_step)")
        return
      }
      usedScenes = usedScenes || expected.scenes_used != 0
      isDone = expected.done != 0
      step += 1
    }
    #expect(usedScenes && whole.snapshot.info.scene_count == 2)
    let (first, second) = (TestSegmenter(whole.snapshot), TestSegmenter(adapter.snapshot))
    for picture in Self.pictures { #expect(first.labels(picture) == second.labels(picture)) }
    // Of a run without scenes it is not.
    let other = self.adapter {
      TestRun.options(&$0)
      ($0.method, $0.start) = (Int32(DAS3_METHOD_DAS3.rawValue), Int32(DAS3_START_BLEND.rawValue))
      $0.scenes = 0
    }
    #expect(das3_adapter_resume(other.handle, path) == DAS3_E_ARGUMENT)
    #expect(lastError().contains("scenes"))
  }

  @Test("training moves weights as it does without scenes, and never the statistics that are saved")
  func trains() {
    let adapter = adapter {
      TestRun.options(&$0)
      ($0.method, $0.start) = (Int32(DAS3_METHOD_DAS3.rawValue), Int32(DAS3_START_BLEND.rawValue))
    }
    var report = adapter.step()
    while report.stage_done == 0 { report = adapter.step() }
    #expect(report.scenes_used == 1)
    let before = adapter.snapshot
    #expect(adapter.run() == DAS3_OK)
    let after = adapter.snapshot
    for tensor in after.tensors where tensor.isStatistic {
      #expect(before.bits[tensor.range] == after.bits[tensor.range], "\(tensor.name)")
    }
    #expect(before.bits != after.bits && after.info.scene_count == 2)
  }

  @Test("scenes are refused where statistics follow the frames, or no blend comes first")
  func refused() {
    for (words, change) in [
      ("scenes is 9; expected 0 to 8", { $0.scenes = 9 }),
      ("scenes is -1", { $0.scenes = -1 }),
      (
        "start = blend",
        {
          ($0.method, $0.start) = (
            Int32(DAS3_METHOD_DAS3.rawValue), Int32(DAS3_START_SOURCE.rawValue)
          )
        }
      ),
      ("batch_norm = frozen", { $0.batch_norm = Int32(DAS3_BATCH_NORM_BATCH.rawValue) }),
    ] as [(String, TestAdapter.Change)] {
      let adapter = TestAdapter {
        ($0.method, $0.scenes) = (Int32(DAS3_METHOD_AUTO.rawValue), 2)
        change(&$0)
      }
      #expect(
        adapter.status == DAS3_E_ARGUMENT && adapter.message.contains(words), "\(adapter.message)")
    }
    var options = TestSegmenter.options()
    options.ignore_scenes = 2
    let segmenter = TestSegmenter(AdapterTests.model, options: options)
    #expect(segmenter.status == DAS3_E_ARGUMENT && segmenter.message.contains("ignore_scenes is 2"))
  }
}
