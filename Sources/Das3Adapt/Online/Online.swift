import Das3Graph
import Das3Runtime
import Glibc
import Synchronization

/// A camera loop: every frame is labelled at once, and the network learns from the stream beside it.
///
/// `segment` is called by one thread at a time. Everything else may be called by any thread at any
/// time.
package final class Online {
  package let segmenter: Segmenter
  private let settings: OnlineSettings
  private let desk: LearningDesk
  /// Of `segment` alone; others ask `learner`.
  private var thread: BackgroundThread?
  /// The process with the thread that learns; 0 = none was started yet.
  private let learner = Atomic<pid_t>(0)
  /// Frames that were labelled, and sets of weights that were taken over.
  private let frameCount = Atomic<Int>(0), swapCount = Atomic<Int>(0)

  /// Prepares the labelling; learning is prepared with the first frame, in its own thread.
  ///
  /// - Parameters:
  ///   - segmenter: labels.
  ///   - settings: of the learning; the size is that of the segmenter.
  package init(_ segmenter: Segmenter, _ settings: OnlineSettings) {
    self.segmenter = segmenter
    self.settings = settings
    desk = LearningDesk(segmenter, settings)
  }

  deinit {
    guard !isLost else { return }
    desk.stop()
    thread?.join()
  }

  /// Whether this is a fork of the process that learns: its thread did not come along.
  package var isLost: Bool {
    let learner = learner.load(ordering: .relaxed)
    return learner != 0 && learner != getpid()
  }

  /// Labels a frame with the weights of the moment; it may be learned from afterwards.
  ///
  /// - Parameters:
  ///   - frame: lent for the call.
  ///   - results: receives what is wanted.
  /// - Throws: as `Segmenter.segment`, and `.memory` where no thread can be started.
  package func segment(_ frame: Frame, into results: Segmenter.Results) throws(Das3Error) {
    if let next = desk.takePublished() {
      let before = segmenter.model
      try segmenter.setModel(next)
      // What it kept alive is released by the thread that learns.
      desk.retire(before)
      swapCount.add(1, ordering: .relaxed)
    }
    try segmenter.segment(frame, into: results)
    frameCount.add(1, ordering: .relaxed)
    guard settings.budget > 0 || settings.stepsPerFrame > 0, let size = segmenter.size
    else { return }
    desk.plan(size, for: frame)
    if settings.stepsPerFrame > 0 {
      desk.learn(from: frame)
      return
    }
    if thread == nil {
      thread = try BackgroundThread { [desk] in desk.run() }
      learner.store(getpid(), ordering: .relaxed)
    }
    if desk.wantsFrame { desk.put(frame) }
  }

  /// What has come of the stream so far.
  package struct Report: Sendable {
    package let learning: OnlineReport
    /// Frames that were labelled, and sets of weights that were taken over.
    package let frameCount, swapCount: Int
    package let isPaused: Bool
  }

  package var report: Report {
    let (learning, isPaused) = desk.report
    return Report(
      learning: learning, frameCount: frameCount.load(ordering: .relaxed),
      swapCount: swapCount.load(ordering: .relaxed), isPaused: isPaused)
  }

  /// Learns nothing until it is to go on; frames are labelled all the same.
  package func pause(_ isPaused: Bool) { desk.pause(isPaused) }

  /// Forgets everything that was learned: the source labels the next frame.
  package func reset() { desk.reset() }

  /// The network whose weights are in use, or will be with the next frame.
  package var published: SegmentationModel { desk.latest }

  /// Says which pixels count for nothing; before the first frame.
  ///
  /// - Parameter pixels: nil = all count.
  /// - Throws: `.argument` after the first frame, or where none is left that counts.
  package func ignore(_ pixels: IgnoredPixels?) throws(Das3Error) {
    guard pixels?.isEverything != true else { throw IgnoredPixels.tooMany }
    guard frameCount.load(ordering: .relaxed) == 0 else {
      throw .argument("frames were labelled already; a mask is set before the first")
    }
    desk.ignore(pixels)
  }

  /// Writes what was learned and accepted; frames are not written.
  ///
  /// - Throws: `.io`.
  package func save(to path: String) throws(Das3Error) {
    try desk.memory.write(to: path, desk.model)
  }

  /// Goes on with what another process has learned; before the first frame.
  ///
  /// - Throws: `.argument` after the first frame or for another model, `.io`, `.format`.
  package func resume(from path: String) throws(Das3Error) {
    guard frameCount.load(ordering: .relaxed) == 0 else {
      throw .argument("frames were labelled already; resume before the first")
    }
    try desk.resume(OnlineMemory(contentsOf: path, desk.model))
  }
}
