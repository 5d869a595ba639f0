import Das3Graph
import Das3Runtime

/// Historical contrastive learning (Huang, Guan, Xiao, Lu: "Model Adaptation: Historical Contrastive
/// Learning for Unsupervised Domain Adaptation without Source Data", 2021): every pixel has the label
/// that four views of its frame give it once; it counts the less the more an older copy of the
/// network and a slow one disagree there, and a class of few pixels counts more.
///
/// Constants are those of the paper and of its authors' settings.
package struct HCL: Sendable, Equatable {
  /// Of the larger views, by sides.
  static let viewScale = 1.25
  /// What a rare class counts.
  static let rareWeight: Float = 7
  /// A class with a smaller share of a frame's pixels is rare: 64² pixels of 1024×512, whatever the
  /// size of the frame is.
  package var rareShare = 64.0 * 64 / (1024 * 512)
  /// The older copy becomes the slow one after so many steps.
  package var renewalStepCount = 300

  static func phases(_ settings: AdaptationSettings, frameCount: Int) -> [Phase] {
    var phase = settings.labelPhase(.hcl, frameCount: frameCount)
    phase.losses.crossEntropy = 1
    return [phase]
  }
}

extension HCL {
  final class Learning: Stage {
    private let start: [Float]
    private let context: StageContext
    private let number: Int
    private let teacher: SlowCopy
    /// The older copy.
    private let history: SlowCopy
    private var order: FrameOrder
    /// Made with the labels.
    private var store: LabelStore?
    private var labels: PseudoLabels?
    /// While labels are made.
    private var views: FourViews?
    private var shown, pixelWeights: [UInt8]
    /// What the older copy says of a frame.
    private let probabilities: Arena

    init(_ context: StageContext, number: Int, _ memory: StageMemory) throws(Das3Error) {
      self.context = context
      self.number = number
      start = memory.start
      teacher = try SlowCopy(context, at: memory.teacher, or: start)
      history = try SlowCopy(context, at: memory.anchor, or: start)
      order = FrameOrder(context.target, Array(0..<context.target.count), stage: number)
      shown = Prediction(shape: context.trainer.scoreShape).labels
      pixelWeights = shown
      probabilities = try Arena(elementCount: context.trainer.scoreShape.elementCount)
    }

    var memory: StageMemory {
      StageMemory(start: start, anchor: history.values, teacher: teacher.values)
    }

    var round: Int { labels == nil ? 0 : 1 }
    var labelCoverage: Double { labels?.coverage ?? 0 }
    var byteCount: Int {
      teacher.byteCount + history.byteCount + (store?.memoryByteCount ?? 0)
        + (views?.byteCount ?? 0)
        + (start.count + probabilities.elementCount) * MemoryLayout<Float>.stride
    }

    /// Makes the labels, once, and renews the older copy where that is due.
    func prepare(_ step: Int) throws(Das3Error) {
      if labels == nil {
        if store == nil { store = try context.labeller.makeLabelStore() }
        guard let store else { return }
        let views = try FourViews(context, scale: HCL.viewScale, weights: start)
        self.views = views
        defer { self.views = nil }
        labels = try context.labeller.makeLabels(start, in: store, share: 1) {
          frame, weights, prediction throws(Das3Error) in
          try views.predict(frame, by: weights, into: &prediction)
        }
      }
      if step % context.settings.hcl.renewalStepCount == 0 {
        history.follow(teacher, momentum: 0)
      }
    }

    func addGradient(_ step: Int) throws(Das3Error) -> StepLosses {
      var losses = StepLosses()
      guard let labels else { return losses }
      let (trainer, target) = (context.trainer, context.target)
      let batchSize = context.settings.batchSize
      for position in step * batchSize..<(step + 1) * batchSize {
        let frame = order.frame(at: position)
        let augmentation = target.augmentation(
          stage: number, position, isPhotometric: true, enlarges: context.settings.enlarges)
        try labels.readLabels(of: frame, into: &shown)
        trainer.losses.classWeights = classWeights(shown)
        // A pass leaves nothing of the image that it was given.
        try target.load(frame, augmentation)
        trainer.predict(by: history.weights, probabilities: probabilities)
        try target.load(frame, augmentation)
        trainer.weigh(by: teacher.weights, against: probabilities, into: &pixelWeights)
        try target.load(frame, augmentation)
        target.show(&shown, augmentation)
        let values = try trainer.addGradient(
          labels: shown, pixelWeights: pixelWeights, scale: 1 / Float(batchSize))
        losses.add(values, share: 1 / Double(batchSize))
      }
      return losses
    }

    func follow(_ step: Int) {
      teacher.follow(momentum: Double(context.settings.teacherMomentum))
    }

    private func classWeights(_ labels: [UInt8]) -> [Float] {
      var counts = [Int](repeating: 0, count: 256)
      for label in labels { counts[Int(label)] += 1 }
      let fewest = context.settings.hcl.rareShare * Double(labels.count)
      return counts[..<context.trainer.scoreShape[1]].map {
        Double($0) < fewest ? HCL.rareWeight : 1
      }
    }
  }
}
