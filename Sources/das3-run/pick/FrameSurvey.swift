// A reader of frames in, what the choice needs to know of each of them out.
import ArgumentParser

/// What a network says of frames, without what does not count.
final class PickLabeller {
  /// Of the frame that was labelled last; labels that are 255 do not count.
  private(set) var result: Segmentation
  private let segmenter: SegmenterHandle
  private var ignored: IgnoredMasks

  init(segmenter: SegmenterHandle, ignored: IgnoredMasks, classCount: Int) {
    self.segmenter = segmenter
    self.ignored = ignored
    result = Segmentation([.labels, .entropy, .probabilities], classCount: classCount)
  }

  func label(_ frame: Frame) throws(Failure) {
    try segmenter.segment(frame, into: &result)
    try ignored.apply(to: &result.labels, of: frame.size)
  }
}

/// The frames of the input that can be picked, and how many cannot.
struct FrameSurvey {
  private(set) var frames: [FrameTraits] = []
  /// Frames that were read.
  private(set) var frameCount = 0
  /// Frames that are as good as equal to one before them.
  private(set) var equalCount = 0
  /// Frames that show nothing.
  private(set) var blankCount = 0

  /// Reads every frame once.
  ///
  /// - Throws: `ExitCode` where Ctrl-C has stopped it.
  init(of reader: FrameReader, _ labeller: PickLabeller) throws {
    var frame = Frame()
    var progress = ProgressBar(title: "look", count: reader.frameCount)
    while !Interrupt.isRequested, try reader.read(into: &frame) {
      frameCount += 1
      progress.update(finished: frameCount)
      // What is missing in it should not be labelled.
      if !frame.isDamaged { try add(frame, reader, labeller) }
    }
    progress.clear()
    if Interrupt.isRequested {
      Terminal.note("stopped after \(counted(frameCount, "frame")); nothing is picked")
      throw ExitCode.interrupted
    }
    guard !frames.isEmpty else {
      throw Failure(
        "\(reader.path): none of \(counted(frameCount, "frame")) can be picked; "
          + "\(blankCount) show nothing (black, a covered lens), \(reader.damagedFrameCount) are "
          + "damaged")
    }
  }

  private mutating func add(
    _ frame: Frame, _ reader: FrameReader, _ labeller: PickLabeller
  ) throws(Failure) {
    try labeller.label(frame)
    guard
      let traits = FrameTraits(
        frame, index: reader.lastIndex, timeBase: reader.timing.base.value, labeller.result),
      traits.contrast >= Self.leastContrast
    else { return blankCount += 1 }
    if frames.contains(where: { $0.distance(to: traits) < Self.leastDistance }) {
      equalCount += 1
    } else {
      frames.append(traits)
    }
  }

  /// Levels of an 8-bit pixel, as the guard of an adaptation has it.
  private static let leastContrast = 2.0
  /// Below it two frames show the same: copies, or a camera that stands still.
  private static let leastDistance = 0.01
}
