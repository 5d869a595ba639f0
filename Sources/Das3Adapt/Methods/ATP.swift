import Das3Graph
import Das3Runtime

/// Align, teach, propagate (Wang, Liang, Zhang: "A Curriculum-Style Self-Training Approach for
/// Source-Free Semantic Segmentation", 2024): losses without labels, then labels that a slow copy of
/// the network gives at every step, then the same where easy frames lead and hard ones follow.
///
/// Constants are those of the paper and of its authors' settings.
enum ATP {
  // MARK: Align
  private static let focalEntropyWeight: Float = 1e-3
  private static let diversityWeight: Float = 1e-4
  private static let gamma: Float = 5
  private static let lambda: Float = 3
  // MARK: Teach
  /// A class that the network itself finds less probable is ruled out.
  private static let smallProbability: Float = 0.04
  /// An enlarged part that is mostly one class teaches little.
  private static let largestClassShare = 0.75
  /// Parts drawn at most: some frames are one class nearly everywhere.
  private static let mostAttempts = 10
  private static let largestMomentum = 0.999
  // MARK: Propagate
  /// A frame counts by the share of its pixels that are labelled with so much confidence.
  private static let certainty: Float = 0.968

  /// The chosen stages; their lengths and rates are those of DAS3's.
  static func phases(_ settings: AdaptationSettings, frameCount: Int) -> [Phase] {
    settings.stages.map { letter in
      var phase = settings.stage(letter, frameCount: frameCount)
      phase.losses = Losses()
      switch letter {
      case .a:
        phase.losses.focalEntropy = focalEntropyWeight
        phase.losses.diversity = diversityWeight
        phase.losses.gamma = gamma
        phase.losses.lambda = lambda
      case .b:
        phase.kind = .teaching
        phase.losses.crossEntropy = 1
        phase.losses.smallNegative = 1
        phase.losses.smallProbability = smallProbability
      case .c: phase.kind = .certainPropagation
      }
      return phase
    }
  }
}

extension ATP {
  /// Every pixel of a frame with the label that the slow copy gives it as it is; the frame is learned
  /// from in another light and focus, where the run wants that.
  final class Teaching: Stage {
    private let start: [Float]
    private let context: StageContext
    private let number: Int
    private let teacher: SlowCopy
    private var order: FrameOrder
    private var prediction: Prediction

    init(_ context: StageContext, number: Int, _ memory: StageMemory) throws(Das3Error) {
      self.context = context
      self.number = number
      start = memory.start
      teacher = try SlowCopy(context, at: memory.teacher, or: start)
      order = FrameOrder(context.target, Array(0..<context.target.count), stage: number)
      prediction = Prediction(shape: context.trainer.scoreShape)
    }

    var memory: StageMemory { StageMemory(start: start, teacher: teacher.values) }

    /// Nothing is left out.
    var labelCoverage: Double { 1 }
    var byteCount: Int { teacher.byteCount + start.count * MemoryLayout<Float>.stride }

    func addGradient(_ step: Int) throws(Das3Error) -> StepLosses {
      var losses = StepLosses()
      let batchSize = context.settings.batchSize
      for position in step * batchSize..<(step + 1) * batchSize {
        let frame = order.frame(at: position)
        try context.labeller.ask(teacher.weights, of: frame, &prediction)
        let (augmentation, labels) = draw(position)
        try context.target.load(frame, augmentation)
        let values = try context.trainer.addGradient(labels: labels, scale: 1 / Float(batchSize))
        losses.add(values, share: 1 / Double(batchSize))
      }
      return losses
    }

    func follow(_ step: Int) {
      teacher.follow(
        momentum: SlowCopy.growingMomentum(step, atMost: ATP.largestMomentum))
    }

    /// How the frame is shown, and its labels shown likewise.
    private func draw(_ position: Int) -> (TargetFrames.Augmentation, labels: [UInt8]) {
      var attempt = 0
      while true {
        let augmentation = context.target.augmentation(
          stage: number, position, isPhotometric: true, enlarges: context.settings.enlarges,
          attempt: attempt)
        var labels = prediction.labels
        context.target.show(&labels, augmentation)
        attempt += 1
        if !context.settings.enlarges || attempt == ATP.mostAttempts || isVaried(labels) {
          return (augmentation, labels)
        }
      }
    }

    private func isVaried(_ labels: [UInt8]) -> Bool {
      var counts = [Int](repeating: 0, count: 256)
      for label in labels { counts[Int(label)] += 1 }
      let all = counts[..<255].reduce(0, +)
      return Double(counts[..<255].max() ?? 0) <= ATP.largestClassShare * Double(all)
    }
  }
}

extension ATP {
  /// Easy frames with labels of the slow copy, and half of the classes of each cut out and laid over a
  /// hard one with its labels; each counts by the share of its pixels that the slow copy is certain of.
  final class Propagation: Stage {
    private let start: [Float]
    private let context: StageContext
    private let number: Int
    private let teacher: SlowCopy
    private let images: ImageMix
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

    var round: Int { easy.isEmpty ? 0 : 1 }
    var labelCoverage: Double { 1 }
    var byteCount: Int {
      teacher.byteCount + images.byteCount + start.count * MemoryLayout<Float>.stride
    }

    /// Finds the easy frames.
    func prepare(_ step: Int) throws(Das3Error) {
      guard easy.isEmpty else { return }
      let rank = PseudoLabels.rank(
        try context.labeller.entropies(start), share: context.settings.easyShare)
      easy = FrameOrder(context.target, rank.easy.sorted(), stage: number)
      hard = FrameOrder(context.target, rank.hard.sorted(), stage: number)
    }

    func addGradient(_ step: Int) throws(Das3Error) -> StepLosses {
      var losses = StepLosses()
      let batchSize = context.settings.batchSize
      let share = 1 / Double(batchSize)
      for position in step * batchSize..<(step + 1) * batchSize {
        let frame = easy.frame(at: position)
        try context.labeller.ask(teacher.weights, of: frame, &first)
        if !hard.isEmpty {
          try context.labeller.ask(teacher.weights, of: hard.frame(at: position), &second)
        }
        let certain = marks(first)
        losses.add(
          try addEasy(frame, position, weight: Self.share(certain, first.labels), share),
          share: share)
        if !hard.isEmpty {
          losses.add(
            try addMixed(frame, position, certain: certain, share), share: share, isMixed: true)
        }
      }
      return losses
    }

    func follow(_ step: Int) {
      teacher.follow(
        momentum: SlowCopy.growingMomentum(step, atMost: ATP.largestMomentum))
    }

    private func addEasy(_ frame: Int, _ position: Int, weight: Float, _ share: Double)
      throws(Das3Error) -> Losses.Values
    {
      let augmentation = context.target.augmentation(
        stage: number, 2 * position, isPhotometric: true, enlarges: context.settings.enlarges)
      try context.target.load(frame, augmentation)
      var labels = first.labels
      context.target.show(&labels, augmentation)
      return try addCrossEntropy(labels, weight, share)
    }

    private func addMixed(_ frame: Int, _ position: Int, certain: [UInt8], _ share: Double)
      throws(Das3Error) -> Losses.Values
    {
      var random = context.target.maskRandom(stage: number, position)
      images.mix.cut(
        ClassMix.choose(from: first.labels, &random), outOf: first.labels,
        threads: context.settings.execution.threads)
      var mixed = marks(second)
      images.lay(certain, over: &mixed)
      images.lay(first.labels, over: &second.labels)
      let weight = Self.share(mixed, second.labels)
      try context.target.load(frame)
      images.keepImage()
      try context.target.load(hard.frame(at: position))
      images.layImage()
      let augmentation = context.target.augmentation(
        stage: number, 2 * position + 1, isPhotometric: true)
      context.target.apply(augmentation)
      context.target.show(&second.labels, augmentation)
      return try addCrossEntropy(second.labels, weight, share)
    }

    private func addCrossEntropy(_ labels: [UInt8], _ weight: Float, _ share: Double)
      throws(Das3Error) -> Losses.Values
    {
      // Nothing certain, nothing learned.
      guard weight > 0 else { return Losses.Values() }
      context.trainer.losses = Losses()
      context.trainer.losses.crossEntropy = weight
      return try context.trainer.addGradient(labels: labels, scale: Float(share))
    }

    /// 1 where the slow copy is certain.
    private func marks(_ prediction: Prediction) -> [UInt8] {
      prediction.confidence.map { $0 >= ATP.certainty ? 1 : 0 }
    }

    /// Certain pixels, of those that count.
    private static func share(_ certain: [UInt8], _ labels: [UInt8]) -> Float {
      let (found, all) = zip(certain, labels).reduce(into: (0, 0)) { counts, pixel in
        guard pixel.1 != 255 else { return }
        counts.0 += Int(pixel.0)
        counts.1 += 1
      }
      return Float(found) / Float(max(1, all))
    }
  }
}
