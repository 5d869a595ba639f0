import Das3Graph
import Das3Runtime

/// A model, frames and settings → a better model, step by step: the stages of a method one after
/// the other.
package final class Adaptation {
  /// What a step did, or how far labels are.
  package struct Report: Sendable, Equatable {
    package var letter: AdaptationSettings.Letter?
    /// Of the stage: taken, and at most.
    package var step = 0
    package var stepCount = 0
    /// Of all stages, likewise.
    package var totalStep = 0
    package var totalStepCount = 0
    /// Times the stage has made labels.
    package var round = 0
    /// Frames that have their labels, while they are made; nil = a step was taken.
    package var labelled: Int?
    package var labelCount = 0
    package var isSkipped = false
    package var isStageDone = false
    package var isStoppedEarly = false
    package var isDone = false
    package var losses = StepLosses()
    package var labelCoverage = 0.0
    /// Pixels labelled as when the stage began, 0…1; as last measured.
    package var agreement = 1.0
    package var gradientNorm = 0.0
    package var learningRate = 0.0
    package var seconds = 0.0
    /// Of them, in passes of the network.
    package var networkSeconds = 0.0
    package var byteCount = 0
    /// Pixels that count for nothing, and those of them that were found because they never change, of
    /// all pixels; 0…1.
    package var ignoredShare = 0.0
    package var foundShare = 0.0
    /// A frame was looked at for the blend of statistics; nothing was trained.
    package var isBlending = false
    /// What was chosen; nil before it is.
    package var blend: BlendRecord?
    /// A probe was looked at for the guard; nothing was trained.
    package var isJudging = false
    /// What the guard has judged so far; nil where there is none.
    package var guardRecord: GuardRecord?
  }

  package let settings: AdaptationSettings
  private let context: StageContext
  private var schedule: PhaseSchedule
  /// What the first phase has ended with, where it compares blends or chooses probes.
  private var blending: BlendRecord?
  /// Of a guarded run, once the probes are chosen.
  private var guardMemory: GuardMemory?
  private var stage: (any Stage)?
  private var drift: DriftControl?
  /// What a checkpoint said of the stage that is yet to be entered.
  private var restored: StageMemory?
  /// What checkpoints say of the settings.
  private let settingsIdentity: [String: String]
  private var knownIdentity: CheckpointIdentity?

  private var trainer: Trainer { context.trainer }
  private var target: TargetFrames { context.target }

  /// - Parameters:
  ///   - settings: of the run.
  ///   - trainer: made by `AdaptationSettings.trainer`.
  ///   - frames: at least one.
  ///   - labelled: frames beside them whose truth is learned from, or which judge.
  ///   - frameByteCount: bytes of memory they take.
  ///   - teacher: of the black box; nil = there is none.
  ///   - identity: what checkpoints say of the settings, by keys that stay.
  /// - Throws: `.argument` where there are no frames, no truth for a supervised run, nothing for the
  ///   teacher to do, or too few labelled frames.
  package init(
    _ settings: AdaptationSettings, _ trainer: Trainer, _ frames: FrameSet,
    labelled: LabelledFrames = LabelledFrames(), frameByteCount: Int = 0,
    teacher: (any Teacher)? = nil, identity: [String: String] = [:]
  ) throws(Das3Error) {
    guard frames.count > 0 else { throw .argument("the adapter has no frames to learn from") }
    guard settings.method != .supervised || frames.truths.count == frames.count else {
      throw .argument(
        "\(frames.count) frames, \(frames.truths.count) with truth; supervised training needs all")
    }
    let learnsTruth = settings.learnsTruth
    let judges = learnsTruth ? LabelledFrames() : labelled
    guard judges.count == 0 || judges.count >= LabelVote.fewestFrames else {
      throw .argument(
        "\(judges.count) labelled frames; expected at least \(LabelVote.fewestFrames) to judge by"
      )
    }
    self.settings = settings
    settingsIdentity = identity
    schedule = PhaseSchedule(
      settings.phases(
        frameCount: frames.count, labelledCount: judges.count, hasTeacher: teacher != nil))
    guard teacher == nil || schedule.phases.contains(where: \.asksTeacher) else {
      throw .argument(
        "a teacher makes labels for stages (b) and (c), selftrain or dine; none is to run")
    }
    let target = try TargetFrames(
      settings, trainer, frames, labelled: judges,
      taught: learnsTruth ? labelled : LabelledFrames(), storedByteCount: frameByteCount)
    let labeller = try Labeller(settings, trainer, target, teacher)
    context = StageContext(
      settings: settings, trainer: trainer, target: target, labeller: labeller,
      truth: TruthLearning(settings, trainer, target, labeller))
  }

  package var isDone: Bool { schedule.isDone }
  /// Whether no step has been taken, in this process or another.
  package var isUntouched: Bool {
    schedule.position == PhaseSchedule.Position() && restored == nil
  }
  /// Stages of which at least one step was taken.
  package var letters: [AdaptationSettings.Letter] { schedule.letters }
  package var stepCount: Int { schedule.position.total }
  package var weights: [Float] { trainer.weights }
  package var frameCount: Int { target.wholeCount }

  /// Bytes in use: network, optimiser, frames, labels.
  package var byteCount: Int {
    let trains = stage?.trains ?? true
    return (trains ? trainer.byteCount : trainer.restingByteCount)
      + target.byteCount + target.storedByteCount + context.labeller.byteCount
      + (context.truth?.byteCount ?? 0)
      + (stage?.byteCount ?? 0) + (drift?.byteCount ?? 0) + (guardMemory?.byteCount ?? 0)
  }

  /// Given what the network says of a frame before labels or masks are made of it, which it may
  /// change: for tests that compare single steps with a reference.
  package func revisePredictions(
    _ body: @escaping (_ frame: Int, _ prediction: inout Prediction) -> Void
  ) { context.labeller.revise = body }

  /// One optimiser step, and before it whatever labels it needs; nothing after the last.
  ///
  /// - Parameters:
  ///   - isCancelled: asked between frames.
  ///   - follow: told while labels are made.
  /// - Returns: what was done.
  /// - Throws: `.cancelled`, or what frames and teacher throw; the weights are then what they were.
  package func step(
    isCancelled: @escaping () -> Bool = { false }, follow: (Report) -> Void = { _ in }
  ) throws(Das3Error) -> Report {
    guard let phase = schedule.current else {
      var report = Report()
      report.isDone = true
      report.totalStep = schedule.position.total
      report.totalStepCount = schedule.totalStepCount
      report.byteCount = byteCount
      report.blend = blend
      report.guardRecord = guardRecord
      (report.ignoredShare, report.foundShare) = ignoredShares
      return report
    }
    try AddressSpace.checkReserve()
    KernelFailure.clear()
    let clock = ContinuousClock()
    let start = clock.now
    let networkStart = trainer.networkTime
    target.isCancelled = isCancelled
    // It may hold the adapter, which holds this run.
    defer { target.isCancelled = { false } }
    let stage = try enterStage(phase)
    let stageStart = stage.networkTime
    let step = schedule.position.step
    let done = try withoutActuallyEscaping(follow) { follow throws(Das3Error) in
      context.labeller.labelled = { [self] done in
        var report = makeReport(phase, stage)
        report.labelled = done
        follow(report)
      }
      defer { context.labeller.labelled = { _ in } }
      return try ThreadPool.learning { () throws(Das3Error) in
        try context.take(
          step, of: phase, stage, number: schedule.position.phase, drift, schedule.position.drift)
      }
    }
    schedule.advance(done.drift)
    blending = stage.blend ?? blending
    if stage.isFinished { guardMemory = stage.guardMemory ?? guardMemory }
    var report = makeReport(phase, stage)
    report.losses = done.losses
    report.isSkipped = done.update.isSkipped
    report.gradientNorm = done.update.gradientNorm
    report.learningRate = Double(done.update.rates.first ?? 0)
    let isLast = schedule.position.step == phase.stepCount
    report.isStoppedEarly = drift?.isExceeded(done.drift) == true && !isLast
    report.isStageDone = report.isStoppedEarly || stage.isFinished || isLast
    if report.isStageDone {
      stage.finish()
      (self.stage, drift) = (nil, nil)
      schedule.endPhase()
      if phase.kind == .blending { beginGuarding(isLast: phase.isLast) }
    }
    report.guardRecord = guardRecord
    (report.ignoredShare, report.foundShare) = ignoredShares
    report.isDone = isDone
    report.seconds = (clock.now - start).inSeconds
    let networkTime = trainer.networkTime - networkStart + (stage.networkTime - stageStart)
    report.networkSeconds = networkTime.inSeconds
    return report
  }

  /// Of all pixels those that count for nothing, and of them those that were found.
  private var ignoredShares: (all: Double, found: Double) {
    (target.ignored?.share ?? 0, target.foundShare)
  }

  /// Sets the probes aside; where they tell nothing, the source stays and the run ends.
  private func beginGuarding(isLast: Bool) {
    guard settings.isGuarded else { return }
    if isLast { guardMemory?.conclude() }
    if let guardMemory { target.setAside(guardMemory.probes) } else { schedule.endAll() }
  }

  /// Of a run that begins with a blend of statistics, once it is made.
  package var blend: BlendRecord? { settings.blends ? blending : nil }

  /// What the guard has judged; nil where there is none, or nothing is judged yet.
  package var guardRecord: GuardRecord? {
    if let memory = stage?.guardMemory ?? guardMemory { return memory.record }
    guard settings.isGuarded, let reason = GuardRecord.Reason(blending?.reason) else { return nil }
    return GuardRecord(reason: reason, isFinal: true)
  }

  private func makeReport(_ phase: Phase, _ stage: any Stage) -> Report {
    let position = schedule.position
    var report = Report()
    report.letter = phase.letter
    report.step = position.step
    report.stepCount = phase.stepCount
    report.totalStep = position.total
    report.totalStepCount = schedule.totalStepCount
    report.round = stage.round
    report.labelCount = target.count
    report.labelCoverage = stage.labelCoverage
    report.agreement = drift?.isOn == true ? position.drift.agreement : -1
    report.isBlending = phase.kind == .blending
    report.isJudging = phase.kind == .judging
    report.blend = blend
    report.byteCount = byteCount
    return report
  }

  /// The stage the position is in, begun or gone on with.
  private func enterStage(_ phase: Phase) throws(Das3Error) -> any Stage {
    if let stage { return stage }
    // In a run that goes on here, nobody has searched yet.
    if let guardMemory { try target.ignoreStillPixels(of: guardMemory.probes, trainer) }
    if restored == nil { try restart(phase) }
    let memory = restored ?? StageMemory(start: trainer.weights)
    let number = schedule.position.phase
    let stage: any Stage
    if let training = try context.trainingStage(
      phase, number: number, step: schedule.position.step, memory)
    {
      stage = training
    } else if phase.kind == .blending {
      stage = Blending(context, memory)
    } else {
      guard let guardMemory else { throw Checkpoint.inconsistent }
      stage = Judging(context, phase, memory, guardMemory)
    }
    drift = try DriftControl(phase, context, start: memory.start)
    restored = nil
    self.stage = stage
    return stage
  }

  private func restart(_ phase: Phase) throws(Das3Error) {
    try trainer.restart(settings.groups(of: trainer, phase), settings.optimizer(phase))
  }

  // MARK: Checkpoints

  /// What another process needs to go on.
  package var checkpoint: Checkpoint {
    Checkpoint(
      identity: identity, position: schedule.position, weights: trainer.allWeights,
      optimizer: trainer.optimizerMemory, stage: stage?.memory ?? restored, blend: blending,
      guardMemory: stage?.guardMemory ?? guardMemory, scenes: trainer.scenes)
  }

  /// Statistics that each frame is learned with, beside those of the weights; nil = there are none.
  package var scenes: SceneBank? { trainer.scenes }

  /// What another process would have left before a step of a stage, both counted from 0: for tests
  /// that compare single steps with a reference.
  package func checkpoint(
    stage: Int, step: Int, weights: [Float], optimizer: [[Float]], memory: StageMemory?
  ) -> Checkpoint {
    Checkpoint(
      identity: identity, position: schedule.position(phase: stage, step: step), weights: weights,
      optimizer: optimizer, stage: memory)
  }

  /// What a checkpoint must agree in; of frames that are lost it says nothing.
  private var identity: CheckpointIdentity {
    if let knownIdentity { return knownIdentity }
    let pictures = try? target.fingerprint()
    let labelled = try? target.labelledFingerprint()
    var identity = CheckpointIdentity(fields: settingsIdentity)
    identity.fields["model"] = trainer.model.onnx.fingerprint
    identity.fields["frames"] = "\(target.wholeCount)"
    identity.fields["teacher"] = context.labeller.teacher == nil ? "no" : "yes"
    identity.fields["pictures"] = pictures
    identity.fields["labelled"] = labelled
    if pictures != nil { knownIdentity = identity }
    return identity
  }

  /// Goes on where a checkpoint was made; before the first step.
  ///
  /// - Throws: `.argument` where it belongs to another model, other settings or frames.
  package func resume(_ checkpoint: Checkpoint) throws(Das3Error) {
    guard isUntouched, stage == nil else {
      throw .argument("the adapter has taken steps already; resume before the first")
    }
    try checkpoint.identity.check(against: identity)
    var schedule = schedule
    guard schedule.resume(at: checkpoint.position),
      checkpoint.trainerVectors.allSatisfy({ $0.count == trainer.weightCount }),
      checkpoint.networkVectors.allSatisfy({ $0.isEmpty || $0.count == weights.count }),
      checkpoint.stage.map({ !$0.start.isEmpty }) ?? true,
      isPossible(checkpoint.scenes), isPossible(checkpoint.stage, at: checkpoint.position),
      isPossible(checkpoint.guardMemory, checkpoint.stage?.trial, at: checkpoint.position)
    else { throw Checkpoint.inconsistent }
    if let phase = schedule.current { try restart(phase) }
    try trainer.resume(
      checkpoint.weights, memory: checkpoint.optimizer, stepCount: checkpoint.position.step)
    trainer.scenes = checkpoint.scenes
    self.schedule = schedule
    restored = checkpoint.stage
    blending = checkpoint.blend
    guardMemory = checkpoint.guardMemory
    if let guardMemory { target.setAside(guardMemory.probes) }
  }

  /// Whether the blend of this run can have left these.
  private func isPossible(_ scenes: SceneBank?) -> Bool {
    guard let scenes else { return true }
    return settings.sceneLimit >= 2 && scenes.isOf(trainer.model)
  }

  /// Whether the guard can know that at that place.
  private func isPossible(
    _ memory: GuardMemory?, _ trial: TrialMemory?, at position: PhaseSchedule.Position
  ) -> Bool {
    guard let memory else {
      return trial == nil
        && (!settings.isGuarded || position.phase == 0 || position.phase == schedule.phases.count)
    }
    let classCount = trainer.scoreShape[1]
    let isJudging =
      position.phase < schedule.phases.count && schedule.phases[position.phase].kind == .judging
    return settings.isGuarded && position.phase > 0
      && memory.isPossible(
        frameCount: frameCount, labelledCount: target.labelled.count, classCount: classCount,
        weightCount: weights.count)
      && trial.map { isJudging && $0.isPossible(classCount: classCount, of: memory) } ?? true
  }

  /// Whether the stage of that place can stand there.
  private func isPossible(_ memory: StageMemory?, at position: PhaseSchedule.Position) -> Bool {
    guard let memory, position.phase < schedule.phases.count else { return true }
    let phase = schedule.phases[position.phase]
    guard phase.kind == .blending else {
      let (setCount, rest) = memory.anchor.count
        .quotientAndRemainder(dividingBy: max(1, weights.count))
      return memory.blend == nil && rest == 0
        && (phase.kind == .dine
          ? DINE.isPossible(studentCount: setCount, before: position.step, of: phase.stepCount)
          : setCount <= 1)
    }
    guard let blend = memory.blend, memory.anchor.count == memory.teacher.count else {
      return false
    }
    return blend.isPossible(
      before: position.step, frameCount: frameCount, labelledCount: target.labelled.count,
      classCount: trainer.scoreShape[1], limit: settings.blendLimit,
      sceneLimit: settings.sceneBlendLimit)
  }
}

extension Das3Error {
  /// What a call ends with that was cancelled.
  package static let adapterCancelled = Das3Error(.cancelled, "the adapter was cancelled")
}

extension Duration {
  var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
