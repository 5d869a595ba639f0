import Das3Graph
import Das3Runtime
import Glibc

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
    /// A frame was looked at for the blend of statistics; nothing was trained.
    package var isBlending = false
    /// What was chosen; nil before it is.
    package var blend: BlendRecord?
  }

  /// Where in the schedule a run is.
  struct Position: Sendable, Equatable {
    var stage = 0
    /// Steps taken of the stage.
    var step = 0
    /// Steps taken of all stages.
    var total = 0
    /// Steps that were left out by stages that ended early.
    var leftOut = 0
    /// As last measured.
    var agreement = 1.0
    /// The factor of the rates that the drift asks for.
    var pace = 1.0
  }

  package let settings: AdaptationSettings
  let recipes: [Recipe]
  let bench: Workbench
  private(set) var position = Position()
  /// Of a run that begins with one, once it is made.
  package private(set) var blend: BlendRecord?
  private var stage: (any Stage)?
  private var gauge: AgreementGauge?
  /// What a checkpoint said of the stage that is yet to be entered.
  private var restored: StageMemory?
  private var knownIdentity: Checkpoint.Identity?

  private var trainer: Trainer { bench.trainer }

  /// - Parameters:
  ///   - settings: of the run.
  ///   - trainer: made by `AdaptationSettings.trainer`.
  ///   - frames: at least one.
  ///   - frameByteCount: bytes of memory they take.
  ///   - teacher: of the black box; nil = there is none.
  /// - Throws: `.argument` where there are no frames, no truth for a supervised run, or nothing for
  ///   the teacher to do.
  package init(
    _ settings: AdaptationSettings, _ trainer: Trainer, _ frames: FrameSet,
    frameByteCount: Int = 0, teacher: (any Teacher)? = nil
  ) throws(Das3Error) {
    guard frames.count > 0 else { throw .argument("the adapter has no frames to learn from") }
    guard settings.method != .supervised || frames.truths.count == frames.count else {
      throw .argument(
        "\(frames.count) frames, \(frames.truths.count) with truth; supervised training needs all")
    }
    self.settings = settings
    recipes = settings.recipes(frameCount: frames.count, hasTeacher: teacher != nil)
    guard teacher == nil || recipes.contains(where: { $0.kind == .selfTraining }) else {
      throw .argument("a teacher makes labels for stage (b) or selftrain; neither is to run")
    }
    bench = try Workbench(settings, trainer, frames, teacher)
    bench.frameByteCount = frameByteCount
  }

  package var isDone: Bool { position.stage == recipes.count }
  /// Whether no step has been taken, in this process or another.
  package var isUntouched: Bool { position == Position() && restored == nil }
  /// Stages of which at least one step was taken.
  package var letters: [AdaptationSettings.Letter] {
    recipes.prefix(position.stage + (position.step > 0 ? 1 : 0)).compactMap(\.letter)
  }
  package var stepCount: Int { position.total }
  package var weights: [Float] { trainer.weights }
  package var frameCount: Int { bench.frames.count }

  /// Bytes in use: network, optimiser, frames, labels.
  package var byteCount: Int {
    let trains = stage?.trains ?? true
    return (trains ? trainer.byteCount : trainer.restingByteCount) + bench.byteCount
      + bench.frameByteCount + (stage?.byteCount ?? 0)
      + (gauge?.byteCount ?? 0)
  }

  /// Given what the network says of a frame before labels or masks are made of it, which it may
  /// change: for tests that compare single steps with a reference.
  package func revisePredictions(
    _ body: @escaping (_ frame: Int, _ prediction: inout Prediction) -> Void
  ) { bench.revise = body }

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
    guard !isDone else {
      var report = Report()
      report.isDone = true
      report.totalStep = position.total
      report.totalStepCount = totalStepCount
      report.byteCount = byteCount
      report.blend = blend
      return report
    }
    try AddressSpace.checkReserve()
    try settings.execution.checkThreads()
    KernelFailure.clear()
    let clock = ContinuousClock()
    let start = clock.now
    let networkStart = trainer.networkTime
    bench.isCancelled = isCancelled
    // It may hold the adapter, which holds this run.
    defer { bench.isCancelled = { false } }
    let recipe = recipes[position.stage]
    let stage = try enterStage(recipe)
    let stageStart = stage.networkTime
    try withoutActuallyEscaping(follow) { follow throws(Das3Error) in
      bench.labelled = { [self] done in
        var report = makeReport(recipe, stage)
        report.labelled = done
        follow(report)
      }
      defer { bench.labelled = { _ in } }
      try stage.prepare(position.step)
    }
    try bench.checkCancelled()
    let next = try afterStep(recipe)
    let statistics = trainer.statistics
    let losses = try addGradient(recipe, stage, statistics)
    var step = Optimizer.Report.nothing
    if stage.trains {
      trainer.optimizer.pace = next.pace
      // Where no pixel counts, the gradient is 0: decay and momentum alone would move weights.
      let counts =
        losses.selects || recipe.kind == .statistics || settings.effectiveBatchNorm == .statistics
      step = trainer.step(moves: counts && trainer.statistics.allSatisfy(\.isFinite))
      if step.isSkipped { trainer.statistics = statistics }
    }
    stage.follow(position.step)
    position = next
    blend = stage.blend ?? blend
    var report = makeReport(recipe, stage)
    report.losses = losses
    report.isSkipped = step.isSkipped
    report.gradientNorm = step.gradientNorm
    report.learningRate = Double(step.rates.first ?? 0)
    report.isStoppedEarly =
      recipe.isBounded && 1 - position.agreement > Self.mostDrift * recipe.drift
      && position.step < recipe.stepCount
    report.isStageDone =
      report.isStoppedEarly || stage.isFinished || position.step == recipe.stepCount
    if report.isStageDone {
      stage.finish()
      leaveStage(recipe)
    }
    report.isDone = isDone
    report.seconds = (clock.now - start).inSeconds
    let networkTime = trainer.networkTime - networkStart + (stage.networkTime - stageStart)
    report.networkSeconds = networkTime.inSeconds
    return report
  }

  /// Where the next step leads, with what is to be measured before it: what may fail comes first.
  private func afterStep(_ recipe: Recipe) throws(Das3Error) -> Position {
    var next = position
    if let gauge, AgreementGauge.isDue(position.step) {
      next.agreement = try gauge.measure()
      if recipe.isPaced {
        let correction = correction(of: recipe, agreement: next.agreement)
        // Labels that no longer move may be learned rather than wait for larger steps, which would
        // destroy the network in the end: hence the bound.
        next.pace = min(next.pace * correction, Self.mostPace)
      }
    }
    next.step += 1
    next.total += 1
    return next
  }

  /// The stage's part of a step; after a failure all is as it was.
  private func addGradient(_ recipe: Recipe, _ stage: any Stage, _ statistics: [Float])
    throws(Das3Error) -> StepLosses
  {
    trainer.losses = recipe.losses
    do throws(Das3Error) {
      let losses = try stage.addGradient(position.step)
      try KernelFailure.check()
      try bench.checkCancelled()
      return losses
    } catch {
      trainer.clearGradients()
      trainer.statistics = statistics
      throw error
    }
  }

  private var totalStepCount: Int { recipes.reduce(0) { $0 + $1.stepCount } - position.leftOut }

  private func makeReport(_ recipe: Recipe, _ stage: any Stage) -> Report {
    var report = Report()
    report.letter = recipe.letter
    report.step = position.step
    report.stepCount = recipe.stepCount
    report.totalStep = position.total
    report.totalStepCount = totalStepCount
    report.round = stage.round
    report.labelCount = bench.frames.count
    report.labelCoverage = stage.labelCoverage
    report.agreement = gauge == nil ? -1 : position.agreement
    report.isBlending = !stage.trains
    report.blend = blend
    report.byteCount = byteCount
    return report
  }

  // MARK: From stage to stage

  /// The stage the position is in, begun or gone on with.
  private func enterStage(_ recipe: Recipe) throws(Das3Error) -> any Stage {
    if let stage { return stage }
    if restored == nil { try restart(recipe) }
    let memory = restored ?? StageMemory(start: trainer.weights)
    let number = position.stage
    let stage: any Stage
    switch recipe.kind {
    case .blending: stage = Blending(bench, memory)
    case .alignment, .statistics: stage = Alignment(bench, number: number, memory)
    case .selfTraining:
      stage = SelfTraining(
        bench, number: number, stepCount: recipe.stepCount, step: position.step, memory)
    case .propagation: stage = try Propagation(bench, number: number, memory)
    case .supervised: stage = Supervised(bench, number: number, memory)
    }
    gauge =
      recipe.isPaced || recipe.isBounded
      ? try AgreementGauge(bench, start: memory.start) : nil
    restored = nil
    self.stage = stage
    return stage
  }

  private func restart(_ recipe: Recipe) throws(Das3Error) {
    try trainer.restart(
      settings.groups(of: trainer.model, recipe), settings.optimizer(recipe))
  }

  /// The factor of the rates by how much further the labels should have drifted by now: in
  /// proportion to the sum of the rates so far.
  private func correction(of recipe: Recipe, agreement: Double) -> Double {
    let rest = 1 - Double(position.step) / Double(recipe.stepCount)
    let wanted = recipe.drift * (1 - pow(rest, settings.power + 1))
    return min(max((wanted / max(1 - agreement, 1e-4)).squareRoot(), 0.5), 2)
  }

  /// Times its first rate that a rate may become.
  private static let mostPace = 64.0
  /// Times its drift at which a stage ends.
  private static let mostDrift = 1.5

  private func leaveStage(_ recipe: Recipe) {
    stage = nil
    gauge = nil
    position.leftOut += recipe.stepCount - position.step
    position.stage += 1
    position.step = 0
    (position.agreement, position.pace) = (1, 1)
  }

  // MARK: Checkpoints

  /// What another process needs to go on.
  package var checkpoint: Checkpoint {
    Checkpoint(
      identity: identity, position: position, weights: weights,
      optimizer: trainer.optimizerMemory, stage: stage?.memory ?? restored, blend: blend)
  }

  /// What another process would have left before a step of a stage, both counted from 0: for tests
  /// that compare single steps with a reference.
  package func checkpoint(
    stage: Int, step: Int, weights: [Float], optimizer: [[Float]], memory: StageMemory?
  ) -> Checkpoint {
    var position = Position()
    position.stage = stage
    position.step = step
    position.total = recipes[..<stage].reduce(step) { $0 + $1.stepCount }
    return Checkpoint(
      identity: identity, position: position, weights: weights, optimizer: optimizer, stage: memory)
  }

  /// What a checkpoint must agree in; of frames that are lost it says nothing.
  private var identity: Checkpoint.Identity {
    if let knownIdentity { return knownIdentity }
    let pictures = try? bench.fingerprint()
    let identity = Checkpoint.Identity(
      settings: settings, model: trainer.model.onnx.fingerprint, pictures: pictures,
      frameCount: bench.frames.count, hasTeacher: bench.teacher != nil)
    if pictures != nil { knownIdentity = identity }
    return identity
  }

  /// Goes on where a checkpoint was made; before the first step.
  ///
  /// - Throws: `.argument` where it belongs to another model, other settings or frames.
  package func resume(_ checkpoint: Checkpoint) throws(Das3Error) {
    guard position == Position(), stage == nil else {
      throw .argument("the adapter has taken steps already; resume before the first")
    }
    try checkpoint.identity.check(against: identity)
    guard isPossible(checkpoint.position),
      checkpoint.vectors.allSatisfy({ $0.isEmpty || $0.count == weights.count }),
      checkpoint.stage.map({ !$0.start.isEmpty }) ?? true,
      isPossible(checkpoint.stage, at: checkpoint.position)
    else { throw Checkpoint.inconsistent }
    if checkpoint.position.stage < recipes.count {
      try restart(recipes[checkpoint.position.stage])
    }
    try trainer.resume(
      checkpoint.weights, memory: checkpoint.optimizer, stepCount: checkpoint.position.step)
    position = checkpoint.position
    restored = checkpoint.stage
    blend = checkpoint.blend
  }

  /// Whether the stage of that place can stand there.
  private func isPossible(_ memory: StageMemory?, at position: Position) -> Bool {
    guard let memory, position.stage < recipes.count else { return true }
    guard recipes[position.stage].kind == .blending else { return memory.blend == nil }
    guard let blend = memory.blend, memory.anchor.count == memory.teacher.count else {
      return false
    }
    return blend.isPossible(
      before: position.step, frameCount: frameCount, classCount: bench.classCount,
      limit: settings.blendLimit)
  }

  /// Whether steps of this run lead there.
  private func isPossible(_ position: Position) -> Bool {
    guard position.stage <= recipes.count else { return false }
    let isEnd = position.stage == recipes.count
    let before = recipes[..<position.stage].reduce(0) { $0 + $1.stepCount }
    return position.step < (isEnd ? 1 : recipes[position.stage].stepCount)
      && position.total <= before + position.step
      && position.leftOut == before + position.step - position.total
  }
}

extension Das3Error {
  /// What a call ends with that was cancelled.
  package static let adapterCancelled = Das3Error(.cancelled, "the adapter was cancelled")
}

extension Duration {
  var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
