// Frames in, one after the other, their labels, the overlay and checkpoints out.
import CDas3
import Foundation

/// Labels frames as they come.
final class DriveLoop {
  private let online: OnlineHandle
  private(set) var report: DriveReport
  private let overlay: BeforeAndNow?
  /// The file that is written at intervals and at the end.
  private let checkpoint: String?
  private let checkpointEvery: Duration
  private var lastSaved = ContinuousClock.now
  /// Whether the last checkpoint could not be written.
  private var lacksCheckpoint = false

  init(
    online: OnlineHandle, report: DriveReport, overlay: BeforeAndNow?, checkpoint: String?,
    checkpointEvery: Duration
  ) {
    self.online = online
    self.report = report
    self.overlay = overlay
    self.checkpoint = checkpoint
    self.checkpointEvery = checkpointEvery
  }

  /// Labels the first frame, which is read already, and all that follow.
  func run(_ stream: FrameStream, from frame: inout Frame, classCount: Int) throws(Failure) {
    var result = Segmentation([.labels], classCount: classCount)
    let clock = ContinuousClock()
    var isLeft = true
    while isLeft {
      let before = clock.now
      try online.segment(frame, into: &result)
      let elapsed = (clock.now - before).seconds
      try report.add(frame, milliseconds: elapsed * 1000, try online.report())
      try overlay?.write(frame, now: result.labels)
      if clock.now - lastSaved >= checkpointEvery { save() }
      isLeft = try Interrupt.isRequested ? false : stream.read(into: &frame)
    }
    try overlay?.finish(after: frame)
    save()
  }

  /// Prints the summary; returns whether the source labels at the end.
  func finish(output: String?, page: String?) throws(Failure) -> Bool {
    let last = try online.report()
    try report.finish(last, output: output, page: page, isWhole: !Interrupt.isRequested)
    if lacksCheckpoint { throw Failure("the last checkpoint could not be written") }
    return last.origin == Int32(DAS3_GUARD_ORIGIN_SOURCE.rawValue)
  }

  /// Writes the checkpoint; where that fails, the drive goes on without it.
  private func save() {
    guard let checkpoint else { return }
    do throws(Failure) {
      try online.save(to: checkpoint)
      lacksCheckpoint = false
    } catch {
      if !lacksCheckpoint { Terminal.note("no checkpoint was written: \(error.message)") }
      lacksCheckpoint = true
    }
    lastSaved = .now
  }
}
