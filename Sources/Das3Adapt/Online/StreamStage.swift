internal import CKernels
import Das3Graph
import Das3Runtime

/// One stage of DAS3 on frames that are kept of a stream.
///
/// After every step the weights are drawn back a little to where the stage began, so that many stages
/// on one kind of frames lead no further away than a few (Marsden et al., ROID, 2024).
final class StreamStage {
  let letter: AdaptationSettings.Letter
  private let context: StageContext
  private let phase: Phase
  private let stage: any Stage
  private let drift: DriftControl
  private let start: [Float]
  private let restoration: Double
  private(set) var step = 0
  private var state = DriftControl.State()
  private(set) var losses = StepLosses()

  /// - Parameters:
  ///   - settings: of the stream.
  ///   - letter: of the stage.
  ///   - number: of the stage among all of the stream; what is drawn depends on it.
  ///   - networks: of the stream; their trainer's student becomes `start`.
  ///   - frames: to learn from.
  ///   - start: weights.
  /// - Throws: as `Adaptation.step`.
  init(
    _ settings: OnlineSettings, _ letter: AdaptationSettings.Letter, number: Int,
    _ networks: StreamNetworks, _ frames: [StoredFrame], from start: [Float]
  ) throws(Das3Error) {
    let trainer = networks.trainer
    self.letter = letter
    self.start = start
    restoration = settings.restoration
    var adaptation = settings.adaptation
    // The next stage makes the next labels.
    adaptation.labelRounds = 1
    adaptation.ignored = trainer.ignored
    phase = settings.phase(letter)
    trainer.setWeights(start)
    try trainer.restart(adaptation.groups(of: trainer, phase), adaptation.optimizer(phase))
    let target = try TargetFrames(
      adaptation, trainer, FrameSet(frames), storedByteCount: frames.reduce(0) { $0 + $1.byteCount }
    )
    context = StageContext(
      settings: adaptation, trainer: trainer, target: target,
      labeller: try Labeller(adaptation, trainer, target, nil, room: networks.labelRoom), truth: nil
    )
    let memory = StageMemory(start: start)
    guard let stage = try context.trainingStage(phase, number: number, step: 0, memory) else {
      throw Das3Error(.internal, "stage \(letter) does not train")
    }
    self.stage = stage
    drift = try DriftControl(phase, context, start: start)
  }

  var stepCount: Int { phase.stepCount }
  var byteCount: Int {
    stage.byteCount + drift.byteCount + context.labeller.byteCount + context.target.byteCount
  }

  /// Takes one step, and before it makes the labels that it needs.
  ///
  /// - Parameters:
  ///   - isCancelled: asked between frames.
  ///   - pause: called between frames while labels are made.
  /// - Returns: whether the stage is over; the trainer's student is then its result.
  /// - Throws: `.cancelled`, or what kernels report.
  func take(isCancelled: @escaping () -> Bool, pause: @escaping () -> Void) throws(Das3Error)
    -> Bool
  {
    context.target.isCancelled = isCancelled
    context.labeller.labelled = { _ in pause() }
    defer {
      context.target.isCancelled = { false }
      context.labeller.labelled = { _ in }
    }
    let done = try context.take(step, of: phase, stage, number: 0, drift, state)
    (state, losses) = (done.drift, done.losses)
    step += 1
    let trainer = context.trainer
    if restoration > 0 {
      unsafe d3k_average(
        Int32(context.settings.execution.threads), trainer.student.pointer, start,
        Int64(start.count), 1 - restoration)
      trainer.prepare(trainer.student)
    }
    guard step == phase.stepCount || drift.isExceeded(state) else { return false }
    stage.finish()
    return true
  }
}
