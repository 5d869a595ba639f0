import Das3Graph
import Das3Runtime

/// One stage of a schedule: where its gradients come from.
protocol Stage: AnyObject {
  /// What is needed, beside the weights, to go on in another process.
  var memory: StageMemory { get }
  /// What its labels cover, 0…1.
  var labelCoverage: Double { get }
  /// Times it has made labels.
  var round: Int { get }
  /// Bytes of its labels, and of the weights it looks back to.
  var byteCount: Int { get }
  /// Spent so far in passes of networks of its own.
  var networkTime: Duration { get }

  /// Makes what the step needs and is not there yet: labels, mostly.
  func prepare(_ step: Int) throws(Das3Error)
  /// Adds the gradient of a step, counted from 0.
  func addGradient(_ step: Int) throws(Das3Error) -> StepLosses
  /// Follows the new weights, or counts what the step has found out; it cannot fail any more.
  func follow(_ step: Int)
  /// Whether nothing is left to do, although steps are.
  var isFinished: Bool { get }
  /// Whether its steps move weights by the trainer's gradient; else the trainer rests.
  var trains: Bool { get }
  /// What a blend of statistics has ended with.
  var blend: BlendRecord? { get }
  /// What the guard goes on with; nil where the stage does not judge.
  var guardMemory: GuardMemory? { get }
  /// Leaves the weights that the stage ends with.
  func finish()
}

extension Stage {
  var labelCoverage: Double { 0 }
  var round: Int { 0 }
  var byteCount: Int { memory.byteCount }
  var networkTime: Duration { .zero }
  func prepare(_ step: Int) throws(Das3Error) {}
  func follow(_ step: Int) {}
  var isFinished: Bool { false }
  var trains: Bool { true }
  var blend: BlendRecord? { nil }
  var guardMemory: GuardMemory? { nil }
  func finish() {}
}

/// What the stages of one run share.
struct StageContext {
  let settings: AdaptationSettings
  let trainer: Trainer
  let target: TargetFrames
  let labeller: Labeller
  /// nil where no truth is learned from.
  let truth: TruthLearning?
}

extension StageContext {
  /// The stage of a phase that trains.
  ///
  /// - Parameters:
  ///   - phase: neither one that blends nor one that judges.
  ///   - number: of the phase in its run; what is drawn depends on it.
  ///   - step: at which the stage goes on, 0 = it begins.
  ///   - memory: of the stage.
  /// - Returns: nil for a phase that does not train.
  /// - Throws: `.memory` where the machine does not suffice.
  func trainingStage(_ phase: Phase, number: Int, step: Int, _ memory: StageMemory)
    throws(Das3Error) -> (any Stage)?
  {
    switch phase.kind {
    case .alignment, .statistics: Alignment(self, number: number, memory)
    case .selfTraining:
      SelfTraining(self, number: number, stepCount: phase.stepCount, step: step, memory)
    case .propagation: try Propagation(self, number: number, memory)
    case .teaching: try ATP.Teaching(self, number: number, memory)
    case .certainPropagation: try ATP.Propagation(self, number: number, memory)
    case .ld:
      try LD.Learning(self, number: number, stepCount: phase.stepCount, step: step, memory)
    case .hcl: try HCL.Learning(self, number: number, memory)
    case .dine:
      try DINE.Learning(self, number: number, stepCount: phase.stepCount, step: step, memory)
    case .urma: URMA.Learning(self, number: number, step: step, memory)
    case .supervised: Supervised(self, number: number, memory)
    case .blending, .judging: nil
    }
  }

  /// Takes one step of a stage.
  ///
  /// - Parameters:
  ///   - step: counted from 0.
  ///   - phase: that the stage is of.
  ///   - stage: whose labels are made where they are needed.
  ///   - number: of the phase in its run.
  ///   - drift: nil = nobody measures.
  ///   - last: what was known of the drift before the step.
  /// - Returns: what was done.
  /// - Throws: `.cancelled`, or what frames and teacher throw; the weights are then what they were.
  func take(
    _ step: Int, of phase: Phase, _ stage: any Stage, number: Int, _ drift: DriftControl?,
    _ last: DriftControl.State
  ) throws(Das3Error) -> StageStep {
    try stage.prepare(step)
    if stage.trains { try truth?.prepare() }
    try target.checkCancelled()
    let state = try drift?.state(before: step, last) ?? last
    let statistics = trainer.statistics
    let losses = try addGradient(step, of: phase, stage, number: number, statistics)
    var update = Optimizer.Report.nothing
    if stage.trains {
      trainer.optimizer.learningRateScale = state.learningRateScale
      // Where no pixel counts, the gradient is 0: decay and momentum alone would move weights.
      let counts =
        losses.selects || phase.kind == .statistics || settings.effectiveBatchNorm == .statistics
      update = trainer.step(moves: counts && trainer.statistics.allSatisfy(\.isFinite))
      if update.isSkipped { trainer.statistics = statistics }
    }
    stage.follow(step)
    return StageStep(losses: losses, update: update, drift: state)
  }

  /// The stage's part of a step; after a failure all is as it was.
  private func addGradient(
    _ step: Int, of phase: Phase, _ stage: any Stage, number: Int, _ statistics: [Float]
  ) throws(Das3Error) -> StepLosses {
    trainer.losses = phase.losses
    do throws(Das3Error) {
      var losses = try stage.addGradient(step)
      if stage.trains, phase.kind != .statistics {
        try truth?.addGradient(stage: number, step, to: &losses)
      }
      try KernelFailure.check()
      try target.checkCancelled()
      return losses
    } catch {
      trainer.clearGradients()
      trainer.statistics = statistics
      throw error
    }
  }
}

/// What one step of a stage has done.
struct StageStep {
  let losses: StepLosses
  let update: Optimizer.Report
  let drift: DriftControl.State
}

/// Weight vectors that a stage looks back to.
package struct StageMemory: Sendable, Equatable {
  /// Where the stage began.
  package var start: [Float]
  /// What made the labels in use, of a stage that renews them; of hcl its older copy; of dine one after
  /// the other those that renewed them; else empty.
  package var anchor: [Float] = []
  /// The slow copy that labels mixed frames; empty where there is none.
  package var teacher: [Float] = []
  /// How far the blend of statistics is, whose sums are in `anchor` and `teacher`.
  var blend: BlendMemory?
  /// How far the judging of `start` is.
  var trial: TrialMemory?

  package init(start: [Float], anchor: [Float] = [], teacher: [Float] = []) {
    (self.start, self.anchor, self.teacher) = (start, anchor, teacher)
  }

  var vectors: [[Float]] { [start, anchor, teacher] }
  var byteCount: Int { vectors.reduce(0) { $0 + $1.count * MemoryLayout<Float>.stride } }
}

/// Losses of a step, means over its batch; one that is off is 0.
package struct StepLosses: Sendable, Equatable {
  /// Their sum, each times its weight.
  package var total = 0.0
  package var focalEntropy = 0.0
  package var diversity = 0.0
  package var positive = 0.0
  /// Of classes that are ruled out, by whatever rule.
  package var negative = 0.0
  package var mixed = 0.0
  package var entropy = 0.0
  package var maxSquare = 0.0
  /// Of the auxiliary classifiers, all together.
  package var consistency = 0.0
  /// Cross-entropy with the truth of labelled frames.
  package var truth = 0.0
  /// Whether some pixel of the batch counted in a loss that is on.
  package var selects = false

  /// Adds the share of a frame with truth.
  mutating func addTruth(_ values: Losses.Values, share: Double) {
    total += share * values.total
    truth += share * values.crossEntropy
    selects = selects || values.selects
  }

  /// Adds a frame's share.
  mutating func add(_ values: Losses.Values, share: Double, isMixed: Bool = false) {
    total += share * values.total
    selects = selects || values.selects
    focalEntropy += share * values.focalEntropy
    diversity += share * values.diversity
    if isMixed {
      mixed += share * (values.crossEntropy + values.divergence)
    } else {
      positive += share * values.crossEntropy
      entropy += share * values.meanEntropy
    }
    negative += share * (values.negative + values.rankedNegative + values.smallNegative)
    maxSquare += share * values.maxSquare
    consistency += share * values.consistency
  }
}
