internal import CKernels
import Das3Graph
import Das3Runtime

/// Stage (c): easy frames with the labels of the network that stage (b) left, and pairs of hard ones
/// cut together, labelled by a slow copy of the network (equations 9 and 10).
final class Propagation: Stage {
  private let start: [Float]
  private let context: StageContext
  private let number: Int
  /// The slow copy.
  private let teacher: WeightSet
  private let firstImage: Arena
  /// While labels are made.
  private var store: LabelStore?
  private var labels: PseudoLabels?
  private var easy, hard: FrameOrder
  private var mix = ClassMix()
  private var first, second: Prediction

  init(_ context: StageContext, number: Int, _ memory: StageMemory) throws(Das3Error) {
    self.context = context
    self.number = number
    start = memory.start
    easy = FrameOrder(context.target, [], stage: number)
    hard = easy
    let trainer = context.trainer
    teacher = try trainer.makeWeights(memory.teacher.isEmpty ? start : memory.teacher)
    firstImage = try Arena(
      elementCount: trainer.height * trainer.width * trainer.model.channelCount)
    first = Prediction(shape: trainer.scoreShape)
    second = first
  }

  var memory: StageMemory {
    var memory = StageMemory(start: start)
    memory.teacher = teacher.values
    return memory
  }

  var round: Int { labels == nil ? 0 : 1 }
  var labelCoverage: Double { labels?.coverage ?? 0 }
  var byteCount: Int {
    (store?.memoryByteCount ?? labels?.memoryByteCount ?? 0)
      + context.trainer.byteCount(beside: teacher) + 4 * (start.count + firstImage.elementCount)
  }

  func prepare(_ step: Int) throws(Das3Error) {
    guard labels == nil else { return }
    let store = try context.labeller.makeLabelStore()
    self.store = store
    defer { self.store = nil }
    let made = try context.labeller.makeLabels(start, in: store)
    let rank = PseudoLabels.rank(made.entropies, share: context.settings.easyShare)
    easy = FrameOrder(context.target, rank.easy.sorted(), stage: number)
    hard = FrameOrder(context.target, rank.hard.sorted(), stage: number)
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

  func follow(_ step: Int) {
    unsafe d3k_average(
      Int32(context.settings.execution.threads), teacher.pointer, context.trainer.student.pointer,
      Int64(start.count),
      Double(context.settings.teacherMomentum))
    context.trainer.prepare(teacher)
  }

  /// The slow copy is the mean of where the last steps have been: what they did to rare classes by
  /// chance is no longer in it.
  func finish() { context.trainer.train(teacher) }

  private func addEasy(_ position: Int, scale: Float) throws(Das3Error) -> Losses.Values {
    let frame = easy.frame(at: position)
    let augmentation = context.target.augmentation(stage: number, 2 * position, isPhotometric: true)
    try labels?.readLabels(of: frame, into: &first.labels)
    try context.target.load(frame, augmentation)
    if augmentation.isMirrored { context.target.mirror(&first.labels) }
    return try addCrossEntropy(first.labels, weight: context.settings.easyWeight, scale)
  }

  private func addMixed(_ position: Int, scale: Float) throws(Das3Error) -> Losses.Values {
    let trainer = context.trainer
    let (i, j) = (hard.frame(at: position), hard.frame(at: position + 1))
    try askTeacher(i, j)
    var random = context.target.maskRandom(stage: number, position)
    mix.cut(
      ClassMix.choose(from: first.labels, &random), outOf: first.labels,
      threads: context.settings.execution.threads)
    if context.settings.filtersMixed, let thresholds = labels?.thresholds {
      _ = thresholds.filter(&first)
      _ = thresholds.filter(&second)
    }
    mix.mix(first.labels, over: &second.labels, threads: context.settings.execution.threads)
    try context.target.load(i)
    unsafe firstImage.copy(from: trainer.image)
    try context.target.load(j)
    let shape = trainer.scoreShape
    unsafe mix.mix(
      firstImage.pointer(at: 0), over: trainer.image, channelCount: trainer.model.channelCount,
      height: trainer.height, width: trainer.width, maskHeight: shape[2], maskWidth: shape[3],
      threads: context.settings.execution.threads)
    let augmentation = context.target.augmentation(
      stage: number, 2 * position + 1, isPhotometric: true)
    context.target.apply(augmentation)
    if augmentation.isMirrored { context.target.mirror(&second.labels) }
    return try addCrossEntropy(second.labels, weight: context.settings.mixedWeight, scale)
  }

  private func askTeacher(_ i: Int, _ j: Int) throws(Das3Error) {
    let threshold = context.settings.negativeThreshold
    try context.target.load(i)
    context.trainer.predict(by: teacher, into: &first, negativeThreshold: threshold)
    context.labeller.revise(i, &first)
    try context.target.load(j)
    context.trainer.predict(by: teacher, into: &second, negativeThreshold: threshold)
    context.labeller.revise(j, &second)
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
