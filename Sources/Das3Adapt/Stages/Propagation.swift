internal import CKernels
import Das3Graph
import Das3Runtime

/// Stage (c): easy frames with the labels of the network that stage (b) left, and pairs of hard ones
/// cut together, labelled by a slow copy of the network (equations 9 and 10).
final class Propagation: Stage {
  private let start: [Float]
  private let bench: Workbench
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

  init(_ bench: Workbench, number: Int, _ memory: StageMemory) throws(Das3Error) {
    self.bench = bench
    self.number = number
    start = memory.start
    easy = FrameOrder(bench, [], stage: number)
    hard = easy
    let trainer = bench.trainer
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
      + teacher.byteCount + 4 * (start.count + firstImage.elementCount)
  }

  func prepare(_ step: Int) throws(Das3Error) {
    guard labels == nil else { return }
    let store = try bench.makeLabelStore()
    self.store = store
    defer { self.store = nil }
    let made = try bench.makeLabels(start, in: store)
    let rank = PseudoLabels.rank(made.entropies, share: bench.settings.easyShare)
    easy = FrameOrder(bench, rank.easy.sorted(), stage: number)
    hard = FrameOrder(bench, rank.hard.sorted(), stage: number)
    labels = made
  }

  func addGradient(_ step: Int) throws(Das3Error) -> StepLosses {
    var losses = StepLosses()
    let batchSize = bench.settings.batchSize
    let share = 1 / Double(batchSize)
    for position in step * batchSize..<(step + 1) * batchSize {
      if bench.settings.easyWeight > 0 {
        losses.add(try addEasy(position, scale: Float(share)), share: share)
      }
      if bench.settings.mixedWeight > 0, !hard.isEmpty {
        losses.add(try addMixed(position, scale: Float(share)), share: share, isMixed: true)
      }
    }
    return losses
  }

  func follow(_ step: Int) {
    unsafe d3k_average(
      Int32(bench.threads), teacher.pointer, bench.trainer.student.pointer, Int64(start.count),
      Double(bench.settings.teacherMomentum))
    bench.trainer.prepare(teacher)
  }

  /// The slow copy is the mean of where the last steps have been: what they did to rare classes by
  /// chance is no longer in it.
  func finish() { bench.trainer.train(teacher) }

  private func addEasy(_ position: Int, scale: Float) throws(Das3Error) -> Losses.Values {
    let frame = easy.frame(at: position)
    let look = bench.look(stage: number, 2 * position, augments: true)
    try labels?.readLabels(of: frame, into: &first.labels)
    try bench.load(frame, look)
    if look.isMirrored { bench.mirror(&first.labels) }
    return try addCrossEntropy(first.labels, weight: bench.settings.easyWeight, scale)
  }

  private func addMixed(_ position: Int, scale: Float) throws(Das3Error) -> Losses.Values {
    let trainer = bench.trainer
    let (i, j) = (hard.frame(at: position), hard.frame(at: position + 1))
    try askTeacher(i, j)
    var random = bench.maskRandom(stage: number, position)
    mix.cut(
      ClassMix.choose(from: first.labels, &random), outOf: first.labels, threads: bench.threads)
    if bench.settings.filtersMixed, let thresholds = labels?.thresholds {
      _ = thresholds.filter(&first)
      _ = thresholds.filter(&second)
    }
    mix.mix(first.labels, over: &second.labels, threads: bench.threads)
    try bench.load(i)
    unsafe firstImage.copy(from: trainer.image)
    try bench.load(j)
    let shape = trainer.scoreShape
    unsafe mix.mix(
      firstImage.pointer(at: 0), over: trainer.image, channelCount: trainer.model.channelCount,
      height: trainer.height, width: trainer.width, maskHeight: shape[2], maskWidth: shape[3],
      threads: bench.threads)
    let look = bench.look(stage: number, 2 * position + 1, augments: true)
    bench.show(look)
    if look.isMirrored { bench.mirror(&second.labels) }
    return try addCrossEntropy(second.labels, weight: bench.settings.mixedWeight, scale)
  }

  private func askTeacher(_ i: Int, _ j: Int) throws(Das3Error) {
    let threshold = bench.settings.negativeThreshold
    try bench.load(i)
    bench.trainer.predict(by: teacher, into: &first, negativeThreshold: threshold)
    bench.revise(i, &first)
    try bench.load(j)
    bench.trainer.predict(by: teacher, into: &second, negativeThreshold: threshold)
    bench.revise(j, &second)
  }

  private func addCrossEntropy(_ shown: [UInt8], weight: Float, _ scale: Float)
    throws(Das3Error) -> Losses.Values
  {
    var losses = Losses()
    losses.crossEntropy = weight
    losses.classWeights = labels.map(bench.classWeights) ?? []
    bench.trainer.losses = losses
    return try bench.trainer.addGradient(labels: shown, scale: scale)
  }
}
