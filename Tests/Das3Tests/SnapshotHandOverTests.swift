import CDas3
import Das3
import Das3TestSupport
import Foundation
import Testing

/// One thread labels the camera's frames while another adapts and hands over what it has learned.
@Suite("Snapshot hand-over")
struct SnapshotHandOverTests {
  static let handOverCount = 1000

  /// Models on their way from the thread that adapts to the one that labels.
  final class Belt: @unchecked Sendable {
    private let lock = NSLock()
    private var models: [TestModel] = []
    private var isClosed = false

    func put(_ model: TestModel) { lock.withLock { models.append(model) } }
    func close() { lock.withLock { isClosed = true } }

    /// The oldest, if there is one, and whether more may come.
    func take() -> (model: TestModel?, mayComeMore: Bool) {
      lock.withLock {
        if models.isEmpty { return (nil, !isClosed) }
        return (models.removeFirst(), true)
      }
    }
  }

  @Test("1,000 snapshots: no frame is lost, and each has the labels of one whole snapshot")
  func handOver() {
    let pictures = (0..<3).map { PictureContent(width: 16, height: 16, seed: $0).rgb8() }
    let belt = Belt()
    let segmenter = TestSegmenter(
      AdapterTests.model, options: TestSegmenter.options(height: 16, width: 16))
    Thread.detachNewThread {
      let adapter = TestAdapter {
        ($0.height, $0.width, $0.threads) = (16, 16, 1)
        $0.steps_a = 2000
      }
      for picture in pictures where adapter.add(picture) != DAS3_OK { Issue.record("not added") }
      for _ in 0..<Self.handOverCount {
        _ = adapter.step()
        belt.put(adapter.snapshot)
      }
      belt.close()
    }
    // This thread is the camera's.
    var models = [AdapterTests.model]
    var frames: [(model: Int, labels: [UInt8]?)] = []
    while true {
      frames.append((models.count - 1, segmenter.labels(pictures[frames.count % 3])))
      let (model, mayComeMore) = belt.take()
      guard mayComeMore else { break }
      guard let model else { continue }
      #expect(das3_segmenter_set_model(segmenter.handle, model.handle) == DAS3_OK)
      models.append(model)
    }
    #expect(models.count == Self.handOverCount + 1 && models.allSatisfy { $0.status == DAS3_OK })
    // What each snapshot says, asked again where nothing else goes on.
    let judge = TestSegmenter(
      AdapterTests.model, options: TestSegmenter.options(height: 16, width: 16))
    var (lost, wrong, current) = (0, 0, 0)
    var expected: Set<[UInt8]> = []
    for (index, frame) in frames.enumerated() {
      if frame.model != current {
        current = frame.model
        #expect(das3_segmenter_set_model(judge.handle, models[current].handle) == DAS3_OK)
      }
      guard let labels = judge.labels(pictures[index % 3]) else { continue }
      expected.insert(labels)
      if frame.labels == nil { lost += 1 } else if frame.labels != labels { wrong += 1 }
    }
    #expect(lost == 0 && wrong == 0 && frames.count > Self.handOverCount)
    // They must differ for this to mean anything.
    #expect(expected.count > 30, "\(expected.count)")
  }
}
