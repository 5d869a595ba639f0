import Das3Graph
import Das3Runtime

/// Asks what the weights that a stage has led to say of probes and labelled frames, and takes them
/// where the guard prefers them to the best set so far.
///
/// Where they are refused, or are the last and not preferred, it walks back on the line to the best
/// set. One step is one frame; nothing is trained.
///
/// Cost: two passes of the network a probe, one a labelled frame, and as many for every set on the
/// line.
final class Judging: Stage {
  private let context: StageContext
  private let origin: GuardRecord.Origin
  /// Whether nothing is trained afterwards.
  private let isLast: Bool
  /// What the stage led to.
  private let candidate: [Float]
  /// With what the run goes on.
  private var result: [Float] = []
  private var state: TrialMemory
  /// What the guard knows, with what this stage has added.
  private var known: GuardMemory
  private var network: Trainer?
  private var mirrored: Arena?
  /// The set of weights that is judged, once it is asked.
  private var judged: WeightSet?
  private var pending: (answer: Answers.Answer, seconds: Double)?
  private let clock = ContinuousClock()
  private(set) var networkTime = Duration.zero
  private(set) var isFinished = false

  /// On the line from the best set to what the stage led to; the ends are judged already.
  static let shares = [1, 0.75, 0.5, 0.25]

  init(_ context: StageContext, _ phase: Phase, _ memory: StageMemory, _ guardMemory: GuardMemory) {
    self.context = context
    origin = GuardRecord.Origin(phase.judged)
    isLast = phase.isLast
    candidate = memory.start
    state = memory.trial ?? TrialMemory()
    known = guardMemory
  }

  var memory: StageMemory {
    var memory = StageMemory(start: candidate)
    memory.trial = state
    return memory
  }

  var byteCount: Int {
    memory.byteCount + 4 * (mirrored?.elementCount ?? 0)
      + (network === context.trainer ? 0 : network?.byteCount ?? 0) + (judged?.byteCount ?? 0)
  }

  var guardMemory: GuardMemory? { known }
  var trains: Bool { false }

  func addGradient(_ step: Int) throws(Das3Error) -> StepLosses {
    let began = clock.now
    let answer = try ask(state.answers.count)
    pending = (answer, (clock.now - began).inSeconds)
    return StepLosses()
  }

  func follow(_ step: Int) {
    guard let pending else { return }
    state.answers.add(pending.answer)
    state.seconds += pending.seconds
    self.pending = nil
    guard state.answers.count == known.source.count else { return }
    let judgedWeights = weights(of: state.share)
    let verdict = known.judge(
      state.answers, judgedWeights, origin: origin, share: state.share,
      context.settings.guardBounds)
    let isWanted = verdict.isAccepted || (verdict.veto == nil && !isLast)
    let next = Self.shares.first { $0 < state.share }
    judged = nil
    if !isWanted, let next {
      state.share = next
      state.answers = Answers()
    } else {
      isFinished = true
      known.record.seconds += state.seconds
      if isLast { known.conclude() }
      result = isWanted && !isLast ? judgedWeights : best
    }
  }

  func finish() { context.trainer.setWeights(result) }

  private var best: [Float] {
    known.weights.isEmpty ? context.trainer.model.onnx.weights : known.weights
  }

  /// The best set for 0, what the stage led to for 1.
  private func weights(of share: Double) -> [Float] {
    guard share < 1 else { return candidate }
    return zip(best, candidate).map { Float((1 - share) * Double($0) + share * Double($1)) }
  }

  /// What the judged set says of one of the frames that judge.
  private func ask(_ index: Int) throws(Das3Error) -> Answers.Answer {
    let network = try predictor()
    let before = network.networkTime
    defer { if network !== context.trainer { networkTime += network.networkTime - before } }
    let mirrored: Arena
    if let scratch = self.mirrored {
      mirrored = scratch
    } else {
      mirrored = try Arena(elementCount: network.scoreShape.elementCount)
    }
    let weights: WeightSet
    if let judged {
      weights = judged
    } else {
      weights = try network.weightSet(self.weights(of: state.share))
    }
    (self.mirrored, judged) = (mirrored, weights)
    return try context.target.answer(
      index, probes: known.probes, network, by: weights, mirrored: mirrored)
  }

  /// The trainer's own network, unless that normalises by the frame.
  private func predictor() throws(Das3Error) -> Trainer {
    if let network { return network }
    let trainer = context.trainer
    let network =
      context.settings.effectiveBatchNorm == .frozen
      ? trainer : try context.settings.predictor(of: trainer.model)
    self.network = network
    return network
  }
}
