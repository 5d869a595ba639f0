import Das3Graph
import Das3Runtime
import Glibc

/// Distil and fine-tune (Liang, Hu, Feng, He: "DINE: Domain Adaptation from Single and Multiple
/// Black-box Predictors", 2022): labels that follow the student slowly, then none.
///
/// A teacher, or else the network as it came, gives every pixel a label and its probability. The
/// student learns these; it learns to be certain of each pixel, and to find all classes in a frame;
/// and it learns to say of a mixture of two frames the mixture of what it says of both. Nine times the
/// labels are renewed by what the student says. In the second half of the run certainty and the
/// number of classes (mutual information) are all that counts.
///
/// The paper remembers a probability of each class; here two bytes a pixel are remembered, see
/// `SoftLabels`, and BatchNormalization is frozen. Other constants are those of the paper and of its
/// authors' settings.
enum DINE {
  /// How often labels are made in the first part of the run: by the teacher, then with the student.
  static let roundCount = 10
  /// What stays of a prediction that is remembered when the student's is mixed in.
  static let memoryShare: Float = 0.6
  /// Of Beta(a, a), whose numbers are the shares of two mixed frames.
  private static let mixing = 0.3
  /// Twice that of the methods that only learn from labels: both halves are equally long.
  private static let stepCount = 480
  /// Of the second half, times that of the first: an eighth, the mean of the paper's, and nearly three
  /// times as much since entropies are divided by log C here.
  private static let informationRate: Float = 0.36

  static func phases(_ settings: AdaptationSettings, frameCount: Int) -> [Phase] {
    var labels = settings.labelPhase(.dine, frameCount: frameCount, default: stepCount)
    var information = labels
    information.kind = .alignment
    (information.losses.entropy, information.losses.diversity) = (1, 1)
    information.losses.lambda = 0
    information.rate *= informationRate
    information.stepCount = labels.stepCount / 2
    labels.stepCount -= information.stepCount
    return [labels, information].filter { $0.stepCount > 0 }
  }

  /// Steps between two renewals of the labels, of so many.
  static func stepsPerRound(of stepCount: Int) -> Int {
    max(1, (stepCount + roundCount - 1) / roundCount)
  }

  /// Whether a run can look back to so many students before a step.
  static func isPossible(studentCount: Int, before step: Int, of stepCount: Int) -> Bool {
    let interval = stepsPerRound(of: stepCount)
    // A step that was cancelled may have renewed its labels.
    return [step, step - 1].contains { studentCount == max(0, $0) / interval }
  }

  /// The part that the frame at a position has of a mixture: drawn, or one after the other.
  static func share(_ random: inout Random?, _ position: Int) -> Float {
    random?.beta { Float(pow(Double($0), 1 / mixing)) } ?? Float(1 + position % 3) / 4
  }
}

extension DINE {
  final class Learning: Stage {
    private let start: [Float]
    private let context: StageContext
    private let number: Int
    private let stepsPerRound: Int
    /// Weights of the students that labels were renewed with, one after the other: who goes on in
    /// another process makes all labels again.
    private var students: [Float]
    private(set) var round: Int
    private var order: FrameOrder
    private var labels: SoftLabels?
    private let mixup: Mixup
    private var prediction: Prediction
    private var shown, confidences: [UInt8]

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
      students = memory.anchor
      stepsPerRound = DINE.stepsPerRound(of: stepCount)
      round = step == 0 ? 0 : 1 + (step - 1) / stepsPerRound
      order = FrameOrder(context.target, Array(0..<context.target.count), stage: number)
      students.reserveCapacity((DINE.roundCount - 1) * start.count)
      mixup = try Mixup(context)
      prediction = Prediction(shape: context.trainer.scoreShape)
      shown = prediction.labels
      confidences = shown
    }

    var memory: StageMemory { StageMemory(start: start, anchor: students) }

    var labelCoverage: Double {
      let ignoredCount = context.target.ignored?.count ?? 0
      let all = context.target.count * (prediction.pixelCount - ignoredCount)
      return Double(labels?.labelledCount ?? 0) / Double(max(1, all))
    }
    var byteCount: Int {
      (labels?.memoryByteCount ?? 0) + mixup.byteCount
        + (start.count + students.count) * MemoryLayout<Float>.stride
    }

    /// Makes the labels at the start of a round.
    func prepare(_ step: Int) throws(Das3Error) {
      let wanted = step / stepsPerRound
      let isNew = students.count < wanted * start.count
      guard labels == nil || isNew else { return }
      let labels: SoftLabels
      if let known = self.labels { labels = known } else { labels = try remade() }
      // A renewal that ends halfway must not be repeated on what it leaves.
      self.labels = nil
      if isNew {
        let student = context.trainer.weights
        try renew(labels, by: student)
        students += student
      }
      round = wanted + 1
      self.labels = labels
    }

    /// Labels as they were when the last student had renewed them.
    private func remade() throws(Das3Error) -> SoftLabels {
      let labels = try context.labeller.makeSoftLabels()
      let teacher = context.labeller.teacher
      try ask(start) { frame, weights throws(Das3Error) in
        if let teacher {
          try context.labeller.ask(teacher, of: frame, &prediction)
        } else {
          try context.labeller.ask(weights, of: frame, &prediction)
        }
        try labels.write(prediction, to: frame)
      }
      for first in stride(from: 0, to: students.count, by: start.count) {
        try renew(labels, by: Array(students[first..<first + start.count]))
      }
      return labels
    }

    private func renew(_ labels: SoftLabels, by student: [Float]) throws(Das3Error) {
      let (labeller, settings) = (context.labeller, context.settings)
      try ask(student) { frame, weights throws(Das3Error) in
        try labeller.predict(frame, by: weights, into: &prediction, answer: mixup.answer)
        try labels.mix(
          frame, with: mixup.answer, keep: DINE.memoryShare, ignored: context.target.ignored,
          negativeThreshold: settings.negativeThreshold, threads: settings.execution.threads,
          into: &prediction)
        labeller.revise(frame, &prediction)
        try labels.write(prediction, to: frame)
      }
    }

    /// Lends weights for one frame after the other.
    private func ask(
      _ weights: [Float], _ body: (_ frame: Int, WeightSet) throws(Das3Error) -> Void
    ) throws(Das3Error) {
      try context.labeller.withWeights(weights) { set throws(Das3Error) in
        for frame in 0..<context.target.count {
          try context.target.checkCancelled()
          try body(frame, set)
          context.labeller.labelled(frame + 1)
        }
      }
    }

    func addGradient(_ step: Int) throws(Das3Error) -> StepLosses {
      var losses = StepLosses()
      guard let labels else { return losses }
      let batchSize = context.settings.batchSize
      for position in step * batchSize..<(step + 1) * batchSize {
        try addLabelled(position, labels, &losses)
      }
      return losses
    }

    /// A frame with its labels, and its mixture with the next one, which is shown likewise: what is
    /// ignored then lies at the same places.
    private func addLabelled(_ position: Int, _ labels: SoftLabels, _ losses: inout StepLosses)
      throws(Das3Error)
    {
      let (trainer, target) = (context.trainer, context.target)
      let batchSize = context.settings.batchSize
      let augmentation = target.augmentation(
        stage: number, position, enlarges: context.settings.enlarges)
      var random = target.maskRandom(stage: number, position)
      let share = DINE.share(&random, position)
      let (next, frame) = (order.frame(at: position + 1), order.frame(at: position))
      try target.load(next, augmentation)
      mixup.begin()
      try labels.read(of: frame, into: &shown, confidences: &confidences)
      target.show(&shown, augmentation)
      target.show(&confidences, augmentation)
      try target.load(frame, augmentation)
      mixup.addImage(share: share)
      trainer.losses = information
      trainer.losses.crossEntropy = 1
      losses.add(
        try trainer.addGradient(
          labels: shown, confidences: confidences, scale: 1 / Float(batchSize),
          answer: mixup.answer),
        share: 1 / Double(batchSize))
      mixup.finish(share: share)
      trainer.losses = Losses()
      trainer.losses.divergence = 1
      losses.add(
        try trainer.addGradient(
          probabilities: mixup.mixed, scale: 1 / Float(batchSize), movesStatistics: false),
        share: 1 / Double(batchSize), isMixed: true)
    }

    /// The mean entropy less the entropy of the mean, in nats.
    private var information: Losses {
      var losses = Losses()
      let nats = Float(log(Double(context.trainer.scoreShape[1])))
      (losses.entropy, losses.diversity, losses.lambda) = (nats, nats, 0)
      return losses
    }
  }
}
