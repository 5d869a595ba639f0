internal import CKernels
import Das3Graph
import Das3Runtime

/// The frames of the target that are learned from, as they come before the network: in which order,
/// and how augmented.
///
/// Probes are set aside; the others then have numbers of their own, without gaps. Pixels that count for
/// nothing are known here and by the trainer.
final class TargetFrames {
  private let settings: AdaptationSettings
  private let trainer: Trainer
  private let frames: FrameSet
  /// Beside them: they judge.
  let labelled: LabelledFrames
  /// Beside them: their truth is learned from.
  let taught: LabelledFrames
  /// Bytes that they take; set by their owner.
  let storedByteCount: Int
  /// Asked between frames.
  var isCancelled: () -> Bool = { false }
  private let photometric: PhotometricAugmentation?
  /// Of each frame that is learned from its number among all frames.
  private var numbers: [Int]
  /// At the size of the scores; nil = every pixel counts.
  private(set) var ignored: IgnoredPixels? { didSet { trainer.ignored = ignored } }
  /// The part of the pixels that was found by itself, 0…1.
  private(set) var foundShare = 0.0
  private var hasSearched = false

  init(
    _ settings: AdaptationSettings, _ trainer: Trainer, _ frames: FrameSet,
    labelled: LabelledFrames = LabelledFrames(), taught: LabelledFrames = LabelledFrames(),
    storedByteCount: Int
  ) throws(Das3Error) {
    self.settings = settings
    self.trainer = trainer
    self.frames = frames
    self.labelled = labelled
    self.taught = taught
    numbers = Array(0..<frames.count)
    self.storedByteCount = storedByteCount
    photometric =
      settings.augments || taught.count > 0
      ? try PhotometricAugmentation(
        trainer.model, height: trainer.height, width: trainer.width,
        threads: settings.execution.threads)
      : nil
    let shape = trainer.scoreShape
    let given = settings.ignored?.fitted(height: shape[2], width: shape[3])
    guard given?.isEverything != true else { throw IgnoredPixels.tooMany }
    ignored = given
    trainer.ignored = given
  }

  /// Frames that are learned from.
  var count: Int { numbers.count }
  /// Frames with those that were set aside.
  var wholeCount: Int { frames.count }

  /// Learns nothing from these frames, by their number among all of them.
  func setAside(_ probes: [Int]) {
    let probes = Set(probes)
    numbers = (0..<frames.count).filter { !probes.contains($0) }
  }

  /// A frame's number among all frames.
  func number(of frame: Int) -> Int { numbers[frame] }

  /// What the pixels of a frame are; nil where nobody knows.
  func truth(of frame: Int) -> FrameSet.Truth? {
    frames.truths.isEmpty ? nil : frames.truths[numbers[frame]]
  }

  /// Bytes beside the stored frames.
  var byteCount: Int { photometric?.byteCount ?? 0 }

  func checkCancelled() throws(Das3Error) {
    if isCancelled() { throw .adapterCancelled }
  }

  // MARK: What is ignored

  /// Ignores what never changes over the probes of a guarded run, too; once.
  ///
  /// - Parameters:
  ///   - probes: by their number among all frames.
  ///   - network: whose input the frames pass through.
  /// - Throws: `.cancelled`, or what frames throw.
  func ignoreStillPixels(of probes: [Int], _ network: Trainer) throws(Das3Error) {
    guard settings.isGuarded, settings.findsIgnored, !hasSearched else { return }
    let found = try network.stillPixels { look throws(Das3Error) in
      for probe in probes {
        try checkCancelled()
        try frames.read(probe, look)
      }
    }
    hasSearched = true
    guard let found else { return }
    let all = ignored?.union(found) ?? found
    // Somebody must be left to learn from; what was given counts more than what was found.
    guard !all.isEverything else { return }
    foundShare = found.share
    ignored = all
  }

  // MARK: Before the network

  /// How a frame is shown: as it is, or changed.
  struct Augmentation {
    /// What is shown of it, as large as the whole.
    var part = FramePart.whole
    var isMirrored = false
    /// Light and focus are drawn from it; nil = they stay.
    var random: Random?
  }

  /// Lends a frame.
  func read(_ frame: Int, _ body: (Frame) throws(Das3Error) -> Void) throws(Das3Error) {
    try frames.read(numbers[frame], body)
  }

  /// What a network says of one of the frames that judge.
  ///
  /// - Parameters:
  ///   - index: first through the probes, then through the labelled frames.
  ///   - probes: their numbers among all frames.
  ///   - network: that is asked; it ignores from now on what is ignored here.
  ///   - weights: of that network; nil = its own.
  ///   - mirrored: scratch of as many elements as there are scores.
  /// - Returns: sums over the pixels of the frame.
  /// - Throws: `.cancelled`, or what frames throw.
  func answer(
    _ index: Int, probes: [Int], _ network: Trainer, by weights: WeightSet? = nil, mirrored: Arena
  ) throws(Das3Error) -> Answers.Answer {
    try checkCancelled()
    if network.ignored != ignored { network.ignored = ignored }
    let shape = network.scoreShape
    guard index >= probes.count else {
      var signals = ViewSignals(classCount: shape[1])
      try frames.read(probes[index]) { picture throws(Das3Error) in
        signals = try network.compareViews(of: picture, by: weights, mirrored: mirrored)
      }
      return .probe(signals)
    }
    let frame = index - probes.count
    var labels = [UInt8](repeating: 0, count: shape[2] * shape[3])
    try labelled.frames.read(frame) { picture in
      network.load(picture)
      network.predict(by: weights, labels: &labels)
    }
    try KernelFailure.check()
    return .labelled(
      try labelled.overlaps(labels, ofFrame: frame, shape, ignored: ignored?.marks))
  }

  /// Puts a frame before the network.
  func load(_ frame: Int, _ augmentation: Augmentation = Augmentation()) throws(Das3Error) {
    try checkCancelled()
    try read(frame) { trainer.load($0, augmentation.part) }
    apply(augmentation)
  }

  /// Changes the loaded image.
  func apply(_ augmentation: Augmentation) {
    if augmentation.isMirrored { trainer.mirrorImage() }
    if var random = augmentation.random { unsafe photometric?.apply(to: trainer.image, &random) }
  }

  /// Shows a map of the scores' size, with so many bytes a pixel, as its frame is shown.
  func show(_ map: inout [UInt8], _ augmentation: Augmentation, pixelBytes: Int = 1) {
    let shape = trainer.scoreShape
    if augmentation.part != .whole {
      map = augmentation.part.nearest(
        of: map, height: shape[2], width: shape[3], pixelBytes: pixelBytes, newHeight: shape[2],
        newWidth: shape[3])
    }
    if augmentation.isMirrored { mirror(&map, pixelBytes: pixelBytes) }
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
    for frame in Set([0, wholeCount - 1]).sorted() {
      try frames.read(frame) { trainer.load($0) }
      parts.append(.floats(trainer.imageValues))
    }
    return WholeFile.hexadecimal(WholeFile.digest(parts))
  }

  /// The labelled frames as a digest: what the first and the last look like, and the truth of all.
  ///
  /// - Returns: nil where there are none.
  func labelledFingerprint() throws(Das3Error) -> String? {
    let labelled = taught.count > 0 ? taught : labelled
    guard labelled.count > 0 else { return nil }
    var parts: [WholeFile.Part] = []
    for frame in Set([0, labelled.count - 1]).sorted() {
      try labelled.frames.read(frame) { trainer.load($0) }
      parts.append(.floats(trainer.imageValues))
    }
    for truth in labelled.frames.truths { parts.append(.bytes(truth.labels)) }
    parts.append(.bytes(labelled.truthClasses))
    return WholeFile.hexadecimal(WholeFile.digest(parts))
  }

  // MARK: Orders and chance

  private enum Purpose: Int { case order, augmentation, mask, patches }

  /// Frames as they are shown in a turn of a stage.
  func order(of frames: [Int], turn: Int, stage: Int) -> [Int] {
    guard settings.draws else { return frames }
    var random = Random(seed: settings.seed, Purpose.order.rawValue, stage, turn)
    return random.shuffled(frames)
  }

  /// How the frame at a position of the schedule is shown: mirrored or not, and where the stage
  /// wants it, in another light and focus, or a part of it enlarged.
  ///
  /// What is drawn once more for a position has another `attempt`.
  func augmentation(
    stage: Int, _ position: Int, isPhotometric: Bool = false, enlarges: Bool = false,
    attempt: Int = 0
  ) -> Augmentation {
    var random = Random(
      seed: settings.seed, Purpose.augmentation.rawValue, stage, position + attempt << 40)
    var augmentation = Augmentation(isMirrored: settings.mirrors && random.below(2) == 1)
    if enlarges { augmentation.part = .random(&random) }
    if isPhotometric, photometric != nil { augmentation.random = random }
    return augmentation
  }

  /// What cells with rare classes are drawn with, of those that there are; nil = nothing is drawn.
  func patchRandom(stage: Int) -> Random? {
    settings.draws ? Random(seed: settings.seed, Purpose.patches.rawValue, stage) : nil
  }

  /// What the mask at a position is drawn with; nil = nothing is drawn.
  func maskRandom(stage: Int, _ position: Int) -> Random? {
    settings.draws
      ? Random(seed: settings.seed, Purpose.mask.rawValue, stage, position) : nil
  }
}

extension FramePart {
  /// A part of a frame with the frame's shape, from half of its sides to all, anywhere in it.
  fileprivate static func random(_ random: inout Random) -> FramePart {
    let side = Double(random.uniform(0.5...1))
    func extent(_ random: inout Random) -> Extent {
      let start = Double(random.uniform(0...1)) * (1 - side)
      return Extent(start: start, end: start + side)
    }
    return FramePart(rows: extent(&random), columns: extent(&random))
  }
}
