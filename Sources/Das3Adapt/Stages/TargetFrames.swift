internal import CKernels
import Das3Graph
import Das3Runtime

/// The frames of the target, as they come before the network: in which order, and how augmented.
final class TargetFrames {
  private let settings: AdaptationSettings
  private let trainer: Trainer
  private let frames: FrameSet
  /// Bytes that they take; set by their owner.
  let storedByteCount: Int
  /// Asked between frames.
  var isCancelled: () -> Bool = { false }
  private let photometric: PhotometricAugmentation?

  init(
    _ settings: AdaptationSettings, _ trainer: Trainer, _ frames: FrameSet, storedByteCount: Int
  ) throws(Das3Error) {
    self.settings = settings
    self.trainer = trainer
    self.frames = frames
    self.storedByteCount = storedByteCount
    photometric =
      settings.augments
      ? try PhotometricAugmentation(
        trainer.model, height: trainer.height, width: trainer.width,
        threads: settings.execution.threads)
      : nil
  }

  var count: Int { frames.count }
  var truths: [FrameSet.Truth] { frames.truths }

  /// Bytes beside the stored frames.
  var byteCount: Int { photometric?.byteCount ?? 0 }

  func checkCancelled() throws(Das3Error) {
    if isCancelled() { throw .adapterCancelled }
  }

  // MARK: Before the network

  /// How a frame is shown: as it is, or changed.
  struct Augmentation {
    var isMirrored = false
    /// Light and focus are drawn from it; nil = they stay.
    var random: Random?
  }

  /// Lends a frame.
  func read(_ index: Int, _ body: (Frame) throws(Das3Error) -> Void) throws(Das3Error) {
    try frames.read(index, body)
  }

  /// Puts a frame before the network.
  func load(_ frame: Int, _ augmentation: Augmentation = Augmentation()) throws(Das3Error) {
    try checkCancelled()
    try frames.read(frame) { trainer.load($0) }
    apply(augmentation)
  }

  /// Changes the loaded image.
  func apply(_ augmentation: Augmentation) {
    if augmentation.isMirrored { trainer.mirrorImage() }
    if var random = augmentation.random { unsafe photometric?.apply(to: trainer.image, &random) }
  }

  /// Mirrors a map of the scores' size with so many bytes a pixel.
  func mirror(_ map: inout [UInt8], pixelBytes: Int = 1) {
    let shape = trainer.scoreShape
    unsafe map.withUnsafeMutableBufferPointer { map in
      guard let start = map.baseAddress else { return }
      unsafe d3k_flip(
        Int32(settings.execution.threads), start, Int64(shape[2]), Int64(shape[3]),
        Int64(pixelBytes))
    }
  }

  /// What the first frame and the last one look like to the network, as a digest.
  ///
  /// A cancellation is left to the step that it is meant for.
  func fingerprint() throws(Das3Error) -> String {
    var parts: [WholeFile.Part] = []
    for frame in Set([0, count - 1]).sorted() {
      try frames.read(frame) { trainer.load($0) }
      parts.append(.floats(trainer.imageValues))
    }
    return WholeFile.hexadecimal(WholeFile.digest(parts))
  }

  // MARK: Orders and chance

  private enum Purpose: Int { case order, augmentation, mask }

  /// Frames as they are shown in a turn of a stage.
  func order(of frames: [Int], turn: Int, stage: Int) -> [Int] {
    guard settings.draws else { return frames }
    var random = Random(seed: settings.seed, Purpose.order.rawValue, stage, turn)
    return random.shuffled(frames)
  }

  /// How the frame at a position of the schedule is shown: mirrored or not, and where the stage
  /// wants it, in another light and focus.
  func augmentation(stage: Int, _ position: Int, isPhotometric: Bool = false) -> Augmentation {
    var random = Random(seed: settings.seed, Purpose.augmentation.rawValue, stage, position)
    let isMirrored = settings.mirrors && random.below(2) == 1
    return Augmentation(
      isMirrored: isMirrored, random: isPhotometric && settings.augments ? random : nil)
  }

  /// What the mask at a position is drawn with; nil = nothing is drawn.
  func maskRandom(stage: Int, _ position: Int) -> Random? {
    settings.draws
      ? Random(seed: settings.seed, Purpose.mask.rawValue, stage, position) : nil
  }
}
