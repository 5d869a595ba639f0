import Das3Graph

/// Stage (b): cross-entropy with the labels that a fixed copy of the network is certain of, and the
/// classes that it rules out; the copy is renewed in every round (equations 4 to 7).
final class SelfTraining: Stage {
  private(set) var memory: StageMemory
  private(set) var round = 0
  private let context: StageContext
  private let number: Int
  private let stepsPerRound: Int
  private var order: FrameOrder
  /// Made with the first labels.
  private var store: LabelStore?
  private var labels: PseudoLabels?
  private var positives: [UInt8]
  private var negatives: [UInt8]

  /// - Parameters:
  ///   - context: of the run.
  ///   - number: of the stage.
  ///   - stepCount: of the stage.
  ///   - step: at which it goes on, 0 = it begins.
  ///   - memory: of the round it is in.
  init(_ context: StageContext, number: Int, stepCount: Int, step: Int, _ memory: StageMemory) {
    self.context = context
    self.number = number
    self.memory = memory
    if memory.anchor.isEmpty { self.memory.anchor = memory.start }
    // A teacher's labels are kept: a student's own would lead it away from them.
    let roundCount = context.labeller.teacher == nil ? context.settings.labelRounds : 1
    stepsPerRound = max(1, (stepCount + roundCount - 1) / roundCount)
    order = FrameOrder(context.target, Array(0..<context.target.count), stage: number)
    let empty = Prediction(shape: context.trainer.scoreShape)
    positives = empty.labels
    negatives = empty.negatives
    round = step == 0 ? 0 : round(of: step - 1)
  }

  private func round(of step: Int) -> Int { 1 + step / stepsPerRound }

  var labelCoverage: Double { labels?.coverage ?? 0 }
  var byteCount: Int { memory.byteCount + (store?.memoryByteCount ?? 0) }

  func prepare(_ step: Int) throws(Das3Error) {
    let wanted = round(of: step)
    guard labels == nil || wanted != round else { return }
    let anchor = wanted == round ? memory.anchor : context.trainer.weights
    labels = nil
    if store == nil { store = try context.labeller.makeLabelStore() }
    guard let store else { return }
    labels = try context.labeller.makeLabels(
      anchor, in: store, byTeacher: context.labeller.teacher != nil)
    memory.anchor = anchor
    round = wanted
  }

  func addGradient(_ step: Int) throws(Das3Error) -> StepLosses {
    var losses = StepLosses()
    guard let labels else { return losses }
    context.trainer.losses.classWeights = context.labeller.classWeights(labels)
    let batchSize = context.settings.batchSize
    for position in step * batchSize..<(step + 1) * batchSize {
      let frame = order.frame(at: position)
      let augmentation = context.target.augmentation(
        stage: number, position, enlarges: context.settings.enlarges)
      try labels.readLabels(of: frame, into: &positives)
      try labels.readNegatives(of: frame, into: &negatives)
      try context.target.load(frame, augmentation)
      context.target.show(&positives, augmentation)
      context.target.show(
        &negatives, augmentation, pixelBytes: negatives.count / positives.count)
      let values = try context.trainer.addGradient(
        labels: positives, negatives: negatives, scale: 1 / Float(batchSize))
      losses.add(values, share: 1 / Double(batchSize))
    }
    return losses
  }
}
