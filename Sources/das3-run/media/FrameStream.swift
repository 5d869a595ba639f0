// A reader in, its frames at the pace at which they are wanted out.
import ArgumentParser
import Foundation

/// Which frames are left out because nobody waited for them.
enum DropPolicy: String, ExpressibleByArgument, CaseIterable {
  /// Those of cameras and addresses, which come at their own pace.
  case live
  case all
  case never
}

/// The frames of a reader, once and in their order.
final class FrameStream {
  let reader: FrameReader
  /// Whether a file gives its frames when they are due.
  private let isRealtime: Bool
  private let drops: Bool
  private let limit: Int?
  private var takenCount = 0
  private var newest: NewestFrame?
  private var start: ContinuousClock.Instant?
  private var lateCount = 0

  /// - Parameters:
  ///   - reader: nobody else reads from it.
  ///   - limit: gives so many frames at most.
  ///   - drop: which frames are left out.
  ///   - isRealtime: whether frames of a file come when they are due.
  init(_ reader: FrameReader, limit: Int?, drop: DropPolicy, isRealtime: Bool = false) {
    self.reader = reader
    self.limit = limit
    self.isRealtime = isRealtime && reader.live == nil
    let hasOwnPace = reader.hasOwnPace || self.isRealtime
    drops = drop == .all && reader.kind == .video || drop == .live && hasOwnPace
  }

  deinit { newest?.stop() }

  /// Frames that came while another one was worked on, and were left out.
  var droppedCount: Int { lateCount + (newest?.droppedCount ?? 0) }

  /// How many frames it will give; nil where that is not known.
  var frameCount: Int? { reader.frameCount ?? limit }

  /// Says on the terminal what was left out.
  func noteDropped() {
    guard droppedCount > 0 else { return }
    Terminal.note(
      "\(counted(droppedCount, "frame")) came while another one was worked on, and "
        + "\(droppedCount == 1 ? "was" : "were") left out; '--drop never' takes all")
  }

  /// Gives the next frame; with drops, the newest that there is.
  ///
  /// Returns false after the last frame.
  func read(into frame: inout Frame) throws(Failure) -> Bool {
    guard takenCount < limit ?? .max, try readNext(into: &frame) else { return false }
    takenCount += 1
    return true
  }

  private func readNext(into frame: inout Frame) throws(Failure) -> Bool {
    if reader.live != nil, drops {
      if newest == nil { newest = NewestFrame(of: reader) }
      return try newest?.take(into: &frame) ?? false
    }
    while try reader.read(into: &frame) {
      guard isRealtime, reader.kind == .video else { return true }
      let begin = start ?? .now
      start = begin
      if drops, ContinuousClock.now > begin + seconds(reader.endTime(of: frame)) {
        lateCount += 1
        continue
      }
      let due = begin + seconds(frame.time)
      while ContinuousClock.now < due, !Interrupt.isRequested {
        Thread.sleep(forTimeInterval: min(0.1, (due - .now).seconds))
      }
      return true
    }
    return false
  }

  private func seconds(_ time: Int64) -> Duration {
    .seconds(Double(time) * reader.timing.base.value)
  }
}

/// A thread that reads as frames come, and holds the newest.
private final class NewestFrame: @unchecked Sendable {
  private let reader: FrameReader
  private let condition = NSCondition()
  private var held = Frame()
  private var isHeld = false
  private var isOver = false
  private var isStopped = false
  private var failure: Failure?
  private var dropped = 0

  init(of reader: FrameReader) {
    self.reader = reader
    Thread.detachNewThread { [self] in run() }
  }

  var droppedCount: Int { condition.withLock { dropped } }

  /// Ends the thread with the next frame.
  func stop() { condition.withLock { isStopped = true } }

  /// Waits for a frame; false where no more come.
  func take(into frame: inout Frame) throws(Failure) -> Bool {
    condition.lock()
    defer { condition.unlock() }
    while !isHeld, !isOver { condition.wait() }
    if isHeld {
      swap(&held, &frame)
      isHeld = false
      return true
    }
    if let failure { throw failure }
    return false
  }

  private func run() {
    var frame = Frame()
    var isLeft = true
    while isLeft {
      var problem: Failure?
      do throws(Failure) {
        isLeft = try reader.read(into: &frame)
      } catch {
        problem = error
        isLeft = false
      }
      condition.withLock {
        if isLeft {
          if isHeld { dropped += 1 }
          swap(&held, &frame)
          isHeld = true
        }
        if isStopped { isLeft = false }
        failure = problem
        isOver = !isLeft
        condition.broadcast()
      }
    }
  }
}
