import Das3Graph

/// Positive and negative learning (You, Li, Zhu, Chen, Huang: "Domain Adaptive Semantic Segmentation
/// without Source Data", 2021): labels of the few pixels that a slow copy of the network is most
/// certain of, in each round of more; and of every pixel a class of middle rank, which it is not.
///
/// Constants are those of the paper.
enum LD {
  /// Of a class's pixels, and of a frame's, that have a label in the first round.
  private static let firstShare = 0.10
  /// By how much that grows with each round.
  private static let shareGrowth = 0.05
  /// How far from the middle the rank of the class may be that is ruled out.
  private static let rankSpread = 3
  private static let teacherMomentum = 0.99

  static func phases(_ settings: AdaptationSettings, frameCount: Int) -> [Phase] {
    var phase = settings.labelPhase(.ld, frameCount: frameCount)
    phase.losses.crossEntropy = 1
    phase.losses.entropy = 1
    phase.losses.rankedNegative = 1
    return [phase]
  }
}

extension LD {
  final class Learning: Stage {
    private(set) var round: Int
    private let start: [Float]
    /// What made the labels in use.
    private var anchor: [Float]
    private let context: StageContext
    private let number: Int
    private let stepsPerRound: Int
    private let teacher: SlowCopy
    private var order: FrameOrder
    /// Made with the first labels.
    private var store: LabelStore?
    private var labels: PseudoLabels?
    private var positives: [UInt8]

    /// - Parameters:
    ///   - context: of the run.
    ///   - number: of the stage.
    ///   - stepCount: of the stage.
    ///   - step: at which it goes on, 0 = it begins.
    ///   - memory: of the round it is in.
    /// - Throws: `.memory` where the machine does not suffice.
    init(
      _ context: StageContext, number: Int, stepCount: Int, step: Int, _ memory: StageMemory
    ) throws(Das3Error) {
      self.context = context
      self.number = number
      start = memory.start
      anchor = memory.anchor.isEmpty ? start : memory.anchor
      teacher = try SlowCopy(context, at: memory.teacher, or: start)
      let rounds = context.settings.labelRounds
      stepsPerRound = max(1, (stepCount + rounds - 1) / rounds)
      round = step == 0 ? 0 : 1 + (step - 1) / stepsPerRound
      order = FrameOrder(context.target, Array(0..<context.target.count), stage: number)
      positives = Prediction(shape: context.trainer.scoreShape).labels
    }

    var memory: StageMemory {
      StageMemory(start: start, anchor: anchor, teacher: teacher.values)
    }

    var labelCoverage: Double { labels?.coverage ?? 0 }
    var byteCount: Int {
      teacher.byteCount + (store?.memoryByteCount ?? 0)
        + (start.count + anchor.count) * MemoryLayout<Float>.stride
    }

    /// Makes the labels at the start of a round.
    func prepare(_ step: Int) throws(Das3Error) {
      let wanted = 1 + step / stepsPerRound
      guard labels == nil || wanted != round else { return }
      let maker = wanted == round ? anchor : teacher.values
      labels = nil
      if store == nil { store = try context.labeller.makeLabelStore() }
      guard let store else { return }
      let share = min(1, LD.firstShare + LD.shareGrowth * Double(wanted - 1))
      labels = try context.labeller.makeLabels(maker, in: store, share: share, frameShare: share)
      anchor = maker
      round = wanted
    }

    func addGradient(_ step: Int) throws(Das3Error) -> StepLosses {
      var losses = StepLosses()
      guard let labels else { return losses }
      let batchSize = context.settings.batchSize
      for position in step * batchSize..<(step + 1) * batchSize {
        let frame = order.frame(at: position)
        let augmentation = context.target.augmentation(
          stage: number, position, isPhotometric: true, enlarges: context.settings.enlarges)
        try labels.readLabels(of: frame, into: &positives)
        try context.target.load(frame, augmentation)
        context.target.show(&positives, augmentation)
        context.trainer.losses.rank = rank(position)
        let values = try context.trainer.addGradient(
          labels: positives, scale: 1 / Float(batchSize))
        losses.add(values, share: 1 / Double(batchSize))
      }
      return losses
    }

    func follow(_ step: Int) { teacher.follow(momentum: LD.teacherMomentum) }

    /// Of the class that is ruled out, from 1, never the first: drawn, or one after the other.
    private func rank(_ position: Int) -> Int {
      let classCount = context.trainer.scoreShape[1]
      let width = 2 * LD.rankSpread + 1
      var random = context.target.maskRandom(stage: number, position)
      let place = random?.below(width) ?? position % width
      return min(max(classCount / 2 + place - LD.rankSpread, 1), classCount - 1) + 1
    }
  }
}
