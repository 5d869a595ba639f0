import Das3Graph

/// Uncertainty reduction (Sivaprasad, Fleuret: "Uncertainty Reduction for Model Adaptation in Semantic
/// Segmentation", 2021).
///
/// Each class's most certain pixels are labelled once; predictions are to be certain, and the same
/// where auxiliary classifiers make them of half of the channels. The network's own classifier stays
/// as it is.
///
/// Constants are those of the paper and of its authors' settings. Their loss towards uniform shares of
/// the classes is left out, as in their settings: they found that it hurts.
enum URMA {
  static let classifierCount = 4
  /// Of each class's pixels that have a label.
  private static let labelShare = 0.2
  private static let entropyWeight: Float = 1
  /// Of the distance of each auxiliary classifier.
  private static let consistencyWeight: Float = 0.1
  /// Times the rate of the network, at which auxiliary classifiers learn.
  static let auxiliaryRate: Float = 10
  /// What a channel that is kept is multiplied by: half of them are.
  private static let keptChannel: Float = 2

  static func phases(_ settings: AdaptationSettings, frameCount: Int) -> [Phase] {
    var phase = settings.labelPhase(.urma, frameCount: frameCount)
    phase.trainsClassifier = false
    phase.losses.crossEntropy = 1
    phase.losses.entropy = entropyWeight
    phase.losses.consistency = consistencyWeight
    return [phase]
  }
}

extension URMA {
  final class Learning: Stage {
    let memory: StageMemory
    private let context: StageContext
    private let number: Int
    private let maskSizes: [Int]
    private var order: FrameOrder
    /// Made with the labels.
    private var store: LabelStore?
    private var labels: PseudoLabels?
    private var shown: [UInt8]

    /// - Parameters:
    ///   - context: of the run.
    ///   - number: of the stage.
    ///   - step: at which it goes on, 0 = it begins.
    ///   - memory: where it began.
    init(_ context: StageContext, number: Int, step: Int, _ memory: StageMemory) {
      self.context = context
      self.number = number
      self.memory = memory
      maskSizes = context.trainer.auxiliary?.maskSizes ?? []
      order = FrameOrder(context.target, Array(0..<context.target.count), stage: number)
      shown = Prediction(shape: context.trainer.scoreShape).labels
      if step == 0 { context.trainer.copyClassifier() }
    }

    var round: Int { labels == nil ? 0 : 1 }
    var labelCoverage: Double { labels?.coverage ?? 0 }
    var byteCount: Int { memory.byteCount + (store?.memoryByteCount ?? 0) }

    /// Makes the labels, once.
    func prepare(_ step: Int) throws(Das3Error) {
      guard labels == nil else { return }
      if store == nil { store = try context.labeller.makeLabelStore() }
      guard let store else { return }
      labels = try context.labeller.makeLabels(memory.start, in: store, share: URMA.labelShare)
    }

    func addGradient(_ step: Int) throws(Das3Error) -> StepLosses {
      var losses = StepLosses()
      guard let labels else { return losses }
      let batchSize = context.settings.batchSize
      for position in step * batchSize..<(step + 1) * batchSize {
        let frame = order.frame(at: position)
        let augmentation = context.target.augmentation(
          stage: number, position, enlarges: context.settings.enlarges)
        try labels.readLabels(of: frame, into: &shown)
        try context.target.load(frame, augmentation)
        context.target.show(&shown, augmentation)
        let values = try context.trainer.addGradient(
          labels: shown, masks: masks(position), scale: 1 / Float(batchSize))
        losses.add(values, share: 1 / Double(batchSize))
      }
      return losses
    }

    /// Which channels the auxiliary classifiers see: drawn, or every second.
    private func masks(_ position: Int) -> [[Float]] {
      var random = context.target.maskRandom(stage: number, position)
      return maskSizes.enumerated().map { mask, size in
        (0..<size).map { channel in
          let isKept = (random?.below(2) ?? (position + mask + channel) % 2) == 0
          return isKept ? URMA.keptChannel : 0
        }
      }
    }
  }
}
