import Das3Graph

/// Stage (b): cross-entropy with the labels that a fixed copy of the network is certain of, and the
/// classes that it rules out; the copy is renewed in every round (equations 4 to 7).
final class SelfTraining: Stage {
  private(set) var memory: StageMemory
  private(set) var round = 0
  private let bench: Workbench
  private let number: Int
  private let stepsPerRound: Int
  private let firstStepCount: Int
  private var order: FrameOrder
  /// Made with the first labels.
  private var store: LabelStore?
  private var labels: PseudoLabels?
  private var positives: [UInt8]
  private var negatives: [UInt8]

  /// - Parameters:
  ///   - bench: the run.
  ///   - number: of the stage.
  ///   - stepCount: of the stage.
  ///   - step: at which it goes on, 0 = it begins.
  ///   - memory: of the round it is in.
  init(_ bench: Workbench, number: Int, stepCount: Int, step: Int, _ memory: StageMemory) {
    self.bench = bench
    self.number = number
    self.memory = memory
    if memory.anchor.isEmpty { self.memory.anchor = memory.start }
    stepsPerRound = max(
      1, (stepCount + bench.settings.labelRounds - 1) / bench.settings.labelRounds)
    let batchSize = bench.settings.batchSize
    // What a teacher says of every frame is shown once at least.
    firstStepCount =
      bench.teacher == nil
      ? stepsPerRound : max(stepsPerRound, (bench.frames.count + batchSize - 1) / batchSize)
    order = FrameOrder(bench, Array(0..<bench.frames.count), stage: number)
    let empty = Prediction(shape: bench.trainer.scoreShape)
    positives = empty.labels
    negatives = empty.negatives
    round = step == 0 ? 0 : round(of: step - 1)
  }

  private func round(of step: Int) -> Int {
    step < firstStepCount ? 1 : 2 + (step - firstStepCount) / stepsPerRound
  }

  var labelCoverage: Double { labels?.coverage ?? 0 }
  var byteCount: Int { memory.byteCount + (store?.memoryByteCount ?? 0) }

  func prepare(_ step: Int) throws(Das3Error) {
    let wanted = round(of: step)
    guard labels == nil || wanted != round else { return }
    let anchor = wanted == round ? memory.anchor : bench.trainer.weights
    labels = nil
    if store == nil { store = try bench.makeLabelStore() }
    guard let store else { return }
    labels = try bench.makeLabels(
      anchor, in: store, byTeacher: wanted == 1 && bench.teacher != nil)
    memory.anchor = anchor
    round = wanted
  }

  func addGradient(_ step: Int) throws(Das3Error) -> StepLosses {
    var losses = StepLosses()
    guard let labels else { return losses }
    bench.trainer.losses.classWeights = bench.classWeights(labels)
    let batchSize = bench.settings.batchSize
    for position in step * batchSize..<(step + 1) * batchSize {
      let frame = order.frame(at: position)
      let look = bench.look(stage: number, position)
      try labels.readLabels(of: frame, into: &positives)
      try labels.readNegatives(of: frame, into: &negatives)
      try bench.load(frame, look)
      if look.isMirrored {
        bench.mirror(&positives)
        bench.mirror(&negatives, pixelBytes: negatives.count / positives.count)
      }
      let values = try bench.trainer.addGradient(
        labels: positives, negatives: negatives, scale: 1 / Float(batchSize))
      losses.add(values, share: 1 / Double(batchSize))
    }
    return losses
  }
}
