import Das3Graph
import Das3Runtime

/// Stage (c): easy frames with the labels of the network that stage (b) left, and hard ones cut
/// together, two or four, labelled by a slow copy of the network (equations 9 and 10).
///
/// With a teacher every frame is both, and the teacher labels the easy ones.
final class Propagation: Stage {
  private let start: [Float]
  private let context: StageContext
  private let number: Int
  /// The slow copy.
  private let teacher: SlowCopy
  private let images: ImageMix
  /// While labels are made.
  private var store: LabelStore?
  private var labels: PseudoLabels?
  /// Made with them.
  private var bank = PatchBank()
  private var easy, hard: FrameOrder
  private var first, second: Prediction

  init(_ context: StageContext, number: Int, _ memory: StageMemory) throws(Das3Error) {
    self.context = context
    self.number = number
    start = memory.start
    easy = FrameOrder(context.target, [], stage: number)
    hard = easy
    teacher = try SlowCopy(context, at: memory.teacher, or: start)
    images = try ImageMix(context)
    first = Prediction(shape: context.trainer.scoreShape)
    second = first
  }

  var memory: StageMemory { StageMemory(start: start, teacher: teacher.values) }

  var round: Int { labels == nil ? 0 : 1 }
  var labelCoverage: Double { labels?.coverage ?? 0 }
  var byteCount: Int {
    (store?.memoryByteCount ?? labels?.memoryByteCount ?? 0)
      + teacher.byteCount + images.byteCount + bank.byteCount + start.count
      * MemoryLayout<Float>.stride
  }

  /// To a teacher no frame is harder than another.
  private var isTaught: Bool { context.labeller.teacher != nil }

  func prepare(_ step: Int) throws(Das3Error) {
    guard labels == nil else { return }
    let store = try context.labeller.makeLabelStore()
    self.store = store
    defer { self.store = nil }
    let made = try context.labeller.makeLabels(
      start, in: store, byTeacher: isTaught)
    let all = Array(0..<context.target.count)
    let rank =
      isTaught
      ? (easy: all, hard: all)
      : PseudoLabels.rank(made.entropies, share: context.settings.easyShare)
    easy = FrameOrder(context.target, rank.easy.sorted(), stage: number)
    hard = FrameOrder(context.target, rank.hard.sorted(), stage: number)
    if context.settings.patchCount > 0 {
      var random = context.target.patchRandom(stage: number)
      bank = try PatchBank(
        frameCount: context.target.count, shape: context.trainer.scoreShape, &random
      ) { frame, labels throws(Das3Error) in try made.readLabels(of: frame, into: &labels) }
    }
    labels = made
  }

  func addGradient(_ step: Int) throws(Das3Error) -> StepLosses {
    var losses = StepLosses()
    let batchSize = context.settings.batchSize
    let share = 1 / Double(batchSize)
    for position in step * batchSize..<(step + 1) * batchSize {
      if context.settings.easyWeight > 0 {
        losses.add(try addEasy(position, scale: Float(share)), share: share)
      }
      if context.settings.mixedWeight > 0, !hard.isEmpty {
        losses.add(try addMixed(position, scale: Float(share)), share: share, isMixed: true)
      }
    }
    return losses
  }

  func follow(_ step: Int) { teacher.follow(momentum: Double(context.settings.teacherMomentum)) }

  /// The slow copy is the mean of where the last steps have been: what they did to rare classes by
  /// chance is no longer in it.
  func finish() { context.trainer.train(teacher.weights) }

  private func addEasy(_ position: Int, scale: Float) throws(Das3Error) -> Losses.Values {
    let frame = easy.frame(at: position)
    let augmentation = context.target.augmentation(
      stage: number, 2 * position, isPhotometric: true, enlarges: context.settings.enlarges)
    try labels?.readLabels(of: frame, into: &first.labels)
    try context.target.load(frame, augmentation)
    context.target.show(&first.labels, augmentation)
    return try addCrossEntropy(first.labels, weight: context.settings.easyWeight, scale)
  }

  private func addMixed(_ position: Int, scale: Float) throws(Das3Error) -> Losses.Values {
    var random = context.target.maskRandom(stage: number, position)
    switch context.settings.mixing {
    case .classes: try mixClasses(position, &random)
    case .places: try mixPlaces(position, &random)
    case .both: try position % 2 == 0 ? mixClasses(position, &random) : mixPlaces(position, &random)
    }
    try layPatches(&random)
    let augmentation = context.target.augmentation(
      stage: number, 2 * position + 1, isPhotometric: true)
    context.target.apply(augmentation)
    context.target.show(&second.labels, augmentation)
    return try addCrossEntropy(second.labels, weight: context.settings.mixedWeight, scale)
  }

  /// Half of the classes of one hard frame over another; leaves the image loaded, and its labels in
  /// `second`.
  private func mixClasses(_ position: Int, _ random: inout Random?) throws(Das3Error) {
    let (i, j) = (hard.frame(at: position), hard.frame(at: position + 1))
    try context.labeller.ask(teacher.weights, of: i, &first)
    try context.labeller.ask(teacher.weights, of: j, &second)
    images.mix.cut(
      ClassMix.choose(from: first.labels, &random), outOf: first.labels,
      threads: context.settings.execution.threads)
    filter(&first)
    filter(&second)
    images.lay(first.labels, over: &second.labels)
    try context.target.load(i)
    images.keepImage()
    try context.target.load(j)
    images.layImage()
  }

  /// A quarter of each of four hard frames, where it was; leaves them likewise.
  private func mixPlaces(_ position: Int, _ random: inout Random?) throws(Das3Error) {
    for (index, quadrant) in SpatialMix.drawQuadrants(&random).enumerated() {
      let frame = hard.frame(at: position + index)
      try context.labeller.ask(teacher.weights, of: frame, &first)
      filter(&first)
      try context.target.load(frame)
      if index > 0 { lay(around: quadrant) }
      swap(&first, &second)
      images.keepImage()
    }
  }

  /// Lays cells that hold rare classes over the mixed frame, where they were.
  private func layPatches(_ random: inout Random?) throws(Das3Error) {
    for _ in 0..<context.settings.patchCount {
      guard let patch = bank.draw(&random) else { return }
      try labels?.readLabels(of: patch.frame, into: &first.labels)
      images.keepImage()
      try context.target.load(patch.frame)
      lay(around: patch.part)
      swap(&first, &second)
    }
  }

  /// Lays the kept image and the labels in `second` over the loaded one and those in `first`, but for
  /// a part.
  private func lay(around part: FramePart) {
    let shape = context.trainer.scoreShape
    images.mix.cut(allBut: part, height: shape[2], width: shape[3])
    images.lay(second.labels, over: &first.labels)
    images.layImage()
  }

  /// Leaves the labels that are certain, where the run wants that.
  private func filter(_ prediction: inout Prediction) {
    guard context.settings.filtersMixed, let thresholds = labels?.thresholds else { return }
    _ = thresholds.filter(&prediction)
  }

  private func addCrossEntropy(_ shown: [UInt8], weight: Float, _ scale: Float)
    throws(Das3Error) -> Losses.Values
  {
    var losses = Losses()
    losses.crossEntropy = weight
    losses.classWeights = labels.map(context.labeller.classWeights) ?? []
    context.trainer.losses = losses
    return try context.trainer.addGradient(labels: shown, scale: scale)
  }
}
