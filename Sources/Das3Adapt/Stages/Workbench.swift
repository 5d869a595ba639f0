internal import CKernels
import Das3Graph
import Das3Runtime

/// What the stages of one run share: the network in training, the frames, and who listens.
final class Workbench {
  let settings: AdaptationSettings
  let trainer: Trainer
  let frames: FrameSet
  let teacher: (any Teacher)?
  /// Asked between frames.
  var isCancelled: () -> Bool = { false }
  /// Told while labels are made: how many frames have theirs.
  var labelled: (Int) -> Void = { _ in }
  /// Given what the network says of a frame before labels or masks are made of it, which it may
  /// change: a test that compares single steps puts a reference's answer there.
  var revise: (_ frame: Int, _ prediction: inout Prediction) -> Void = { _, _ in }
  private let augmentation: Augmentation?
  /// Probabilities of a mirrored frame.
  private let probabilities: Arena?

  init(
    _ settings: AdaptationSettings, _ trainer: Trainer, _ frames: FrameSet,
    _ teacher: (any Teacher)?
  ) throws(Das3Error) {
    self.settings = settings
    self.trainer = trainer
    self.frames = frames
    self.teacher = teacher
    augmentation =
      settings.augments
      ? try Augmentation(
        trainer.model, height: trainer.height, width: trainer.width,
        threads: settings.execution.threads)
      : nil
    probabilities =
      settings.mirrors ? try Arena(elementCount: trainer.scoreShape.elementCount) : nil
  }

  var threads: Int { settings.execution.threads }
  var classCount: Int { trainer.scoreShape[1] }

  /// Bytes beside the trainer, the frames and their labels.
  var byteCount: Int {
    (augmentation?.byteCount ?? 0) + (teacher?.byteCount ?? 0)
      + 4 * (probabilities?.elementCount ?? 0) + otherWeightsByteCount
  }

  func checkCancelled() throws(Das3Error) {
    if isCancelled() { throw .adapterCancelled }
  }

  // MARK: Frames before the network

  /// How a frame is shown: as it is, or changed.
  struct Look {
    var isMirrored = false
    /// Light and focus are drawn from it.
    var random: Random?
  }

  /// Puts a frame before the network.
  func load(_ frame: Int, _ look: Look = Look()) throws(Das3Error) {
    try checkCancelled()
    try frames.read(frame) { trainer.load($0) }
    show(look)
  }

  /// What the first frame and the last one look like to the network, as a digest.
  ///
  /// A cancellation is left to the step that it is meant for.
  func fingerprint() throws(Das3Error) -> String {
    var parts: [WholeFile.Part] = []
    for frame in Set([0, frames.count - 1]).sorted() {
      try frames.read(frame) { trainer.load($0) }
      parts.append(.floats(trainer.imageValues))
    }
    return WholeFile.hexadecimal(WholeFile.digest(parts))
  }

  /// Changes the loaded image.
  func show(_ look: Look) {
    if look.isMirrored { trainer.mirrorImage() }
    if var random = look.random { unsafe augmentation?.apply(to: trainer.image, &random) }
  }

  /// Mirrors a map of the scores' size with so many bytes a pixel.
  func mirror(_ map: inout [UInt8], pixelBytes: Int = 1) {
    let shape = trainer.scoreShape
    unsafe map.withUnsafeMutableBufferPointer { map in
      guard let start = map.baseAddress else { return }
      unsafe d3k_flip(
        Int32(threads), start, Int64(shape[2]), Int64(shape[3]), Int64(pixelBytes))
    }
  }

  // MARK: Predictions

  /// What the network says of a frame with these weights: where the run `mirrors`, the mean of what
  /// it says of the frame and of its mirror image.
  func predict(_ frame: Int, by weights: WeightSet, into prediction: inout Prediction)
    throws(Das3Error)
  {
    try frames.read(frame) { picture in
      if let probabilities {
        trainer.load(picture)
        trainer.mirrorImage()
        trainer.predict(by: weights, probabilities: probabilities)
      }
      trainer.load(picture)
      trainer.predict(
        by: weights, into: &prediction, mirrored: probabilities,
        negativeThreshold: settings.negativeThreshold)
    }
    try KernelFailure.check()
  }

  /// Bytes of weights that predict and are not the student's.
  private var otherWeightsByteCount = 0

  /// Lends weights that may be others than the student's.
  func withWeights<Result>(
    _ weights: [Float], _ body: (WeightSet) throws(Das3Error) -> Result
  ) throws(Das3Error) -> Result {
    let set = try trainer.weightSet(weights)
    otherWeightsByteCount = set === trainer.student ? 0 : set.byteCount
    defer { otherWeightsByteCount = 0 }
    return try body(set)
  }

  /// Room for labels of all frames, in half of what the memory limit leaves: code, stacks and what
  /// allocators keep are memory too.
  func makeLabelStore() throws(Das3Error) -> LabelStore {
    let taken =
      trainer.byteCount + frameByteCount + (teacher?.byteCount ?? 0)
      + settings.byteCount(beside: trainer)
    let limit =
      settings.memoryLimit > 0
      ? max(0, Int(clamping: settings.memoryLimit) - taken) / 2 : RecordStore.largestMemory
    return try LabelStore(
      frameCount: frames.count, shape: trainer.scoreShape, memoryLimit: limit,
      directory: settings.scratchDirectory)
  }

  /// Labels of all frames by the network with the weights `anchor`, or by the teacher.
  func makeLabels(_ anchor: [Float], in store: LabelStore, byTeacher: Bool = false)
    throws(Das3Error) -> PseudoLabels
  {
    try withWeights(anchor) { weights throws(Das3Error) in
      try PseudoLabels(in: store, share: settings.positiveShare) {
        frame, prediction throws(Das3Error) in
        try checkCancelled()
        if byTeacher, let teacher {
          try frames.read(frame) { picture throws(Das3Error) in
            let answer = try teacher.answer(frame, picture)
            try prediction.fill(
              answer, negativeThreshold: settings.negativeThreshold, threads: threads)
            prediction.unmark(teacher.unknownClasses)
          }
        } else {
          try predict(frame, by: weights, into: &prediction)
          revise(frame, &prediction)
        }
        labelled(frame + 1)
      }
    }
  }

  /// What the labels count by their class; empty = all alike.
  func classWeights(_ labels: PseudoLabels) -> [Float] {
    settings.method == .das3 && settings.balancesClasses ? labels.classWeights : []
  }

  /// Bytes that frames take; set by their owner.
  var frameByteCount = 0

  // MARK: Orders and chance

  private enum Purpose: Int { case order, look, mask }

  /// Frames as they are shown in a turn of a stage.
  func order(of frames: [Int], turn: Int, stage: Int) -> [Int] {
    guard settings.draws else { return frames }
    var random = Random(seed: settings.seed, Purpose.order.rawValue, stage, turn)
    return random.shuffled(frames)
  }

  /// How the frame at a position of the schedule is shown: mirrored or not, and where the stage
  /// augments, in another light and focus.
  func look(stage: Int, _ position: Int, augments: Bool = false) -> Look {
    var random = Random(seed: settings.seed, Purpose.look.rawValue, stage, position)
    let isMirrored = settings.mirrors && random.below(2) == 1
    return Look(isMirrored: isMirrored, random: augments && settings.augments ? random : nil)
  }

  /// What the mask at a position is drawn with; nil = nothing is drawn.
  func maskRandom(stage: Int, _ position: Int) -> Random? {
    settings.draws
      ? Random(seed: settings.seed, Purpose.mask.rawValue, stage, position) : nil
  }
}
