import Das3Graph
import Das3Runtime

/// Moves the statistics of BatchNormalization a part of the way from the source's to the target's,
/// and chooses how far without labels.
///
/// It goes through the frames once. Every k-th frame that shows something is a *probe*; by the others
/// the target's statistics are gathered, exactly, over all frames and pixels. Then each candidate on
/// the line is asked what it says of the probes and of their mirror images, and of labelled frames
/// where there are any. One step is one frame; nothing is trained, and the weights move at the end
/// alone.
///
/// A guarded run begins with it even where no statistics are to move: the source is then the only
/// candidate, and its answers are what the guard compares others with.
///
/// Cost: one pass of the network a frame, two a probe and candidate, one a labelled frame and
/// candidate.
final class Blending: Stage {
  private let context: StageContext
  private let start: [Float]
  private let frameCount: Int
  /// From one probe to the next.
  private let stride: Int
  private var state: BlendMemory
  private var pool: StatisticsPool
  /// Where the statistics are; nil before the first step.
  private var layers: [Trainer.StatisticsLayer]?
  private var pending: Pending?
  /// While the target's statistics are gathered: the network that normalises by each frame's own.
  private var observer: Trainer?
  /// While candidates are compared.
  private var predictor: Predictor?
  private let clock = ContinuousClock()
  private(set) var networkTime = Duration.zero
  /// What was chosen; nil before the end.
  private(set) var blend: BlendRecord?

  /// What a step has found out and is yet to count.
  private enum Pending {
    case frame(Thumbnail, isProbe: Bool)
    case unseen
    case answer(Answers.Answer, candidate: Int)
  }

  private struct Predictor {
    let network: Trainer
    let mirrored: Arena
    /// Whose weights it has.
    var candidate: Int?
  }

  init(_ context: StageContext, _ memory: StageMemory) {
    self.context = context
    start = memory.start
    frameCount = context.target.count
    stride = BlendChoice.probeStride(frameCount: frameCount)
    state = memory.blend ?? BlendMemory()
    pool = StatisticsPool(
      high: memory.anchor, low: memory.teacher, frameCount: state.pooledCount)
  }

  var memory: StageMemory {
    var memory = StageMemory(start: start)
    (memory.anchor, memory.teacher) = (pool.high, pool.low)
    memory.blend = state
    memory.blend?.pooledCount = pool.frameCount
    return memory
  }

  var byteCount: Int {
    memory.byteCount + (observer?.byteCount ?? 0)
      + (predictor.map { $0.network.byteCount + 4 * $0.mirrored.elementCount } ?? 0)
  }

  var isFinished: Bool { blend != nil }
  var trains: Bool { false }

  // MARK: Steps

  func addGradient(_ step: Int) throws(Das3Error) -> StepLosses {
    try context.target.checkCancelled()
    let began = clock.now
    if step < frameCount {
      pending = try observe(step)
    } else {
      let (candidate, index) = (step - frameCount).quotientAndRemainder(dividingBy: judgeCount)
      pending = .answer(try ask(candidate, index), candidate: candidate)
    }
    state.seconds += (clock.now - began).inSeconds
    return StepLosses()
  }

  func follow(_ step: Int) {
    switch pending {
    case .frame(let thumbnail, let isProbe):
      state.spread.add(thumbnail)
      if isProbe {
        state.probes.append(step)
      } else if observes, let observer, let layers, observer.statistics.allSatisfy(\.isFinite) {
        observer.withWeights { pool.add($0, layers) }
      }
    case .answer(let answer, let candidate):
      if candidate == state.answers.count { state.answers.append(Answers()) }
      state.answers[candidate].add(answer)
    case .unseen, nil: break
    }
    pending = nil
    if step == frameCount - 1 {
      blend = reasonToStay.map { BlendRecord(reason: $0, seconds: state.seconds) }
      observer = nil
    } else if step == frameCount + shares.count * judgeCount - 1 {
      blend = choice
    }
  }

  func finish() {
    guard let blend, blend.share > 0 else { return }
    context.trainer.setWeights(weights(of: blend.share))
  }

  // MARK: The target's statistics

  /// Looks at a frame, and lets the statistics follow it unless it is a probe.
  private func observe(_ frame: Int) throws(Das3Error) -> Pending {
    let network = try observingNetwork()
    guard !network.statisticsLayers.isEmpty || context.settings.isGuarded else { return .unseen }
    let before = network.networkTime
    defer { networkTime += network.networkTime - before }
    try context.target.read(frame) { network.load($0) }
    let thumbnail = network.thumbnail(ignored: context.target.ignored)
    guard thumbnail.contrast >= Thumbnail.leastContrast else { return .unseen }
    let isProbe = state.spread.count % stride == stride / 2
    if !isProbe, observes { network.observe() }
    try KernelFailure.check()
    return .frame(thumbnail, isProbe: isProbe)
  }

  /// Whether there are statistics to move.
  private var observes: Bool { context.settings.blends && layers?.isEmpty == false }

  private func observingNetwork() throws(Das3Error) -> Trainer {
    if let observer { return observer }
    let network = try context.settings.observer(of: context.trainer.model)
    network.setWeights(start)
    (observer, layers) = (network, network.statisticsLayers)
    return network
  }

  /// Levels likewise; below them all frames show the same.
  private static let leastSpread = 1.0
  static let fewestFrames = 4

  /// Why nothing need be compared; nil = it must.
  private var reasonToStay: BlendRecord.Reason? {
    if layers?.isEmpty ?? true, !context.settings.isGuarded { return .noStatistics }
    if state.spread.count < Self.fewestFrames || state.probes.isEmpty
      || (observes && pool.frameCount == 0)
    {
      return .fewFrames
    }
    return state.spread.value < Self.leastSpread ? .sameFrames : nil
  }

  // MARK: Candidates

  /// Frames that judge.
  private var judgeCount: Int { state.probes.count + context.target.labelled.count }

  private var shares: [Double] {
    pool.frameCount > 0 ? context.settings.blendShares(probeCount: state.probes.count) : [0]
  }

  private func weights(of share: Double) -> [Float] {
    pool.blend(share, from: start, layers ?? [])
  }

  /// What a candidate says of one of the frames that judge.
  private func ask(_ candidate: Int, _ index: Int) throws(Das3Error) -> Answers.Answer {
    let predictor = try predictor(for: candidate)
    let network = predictor.network
    let before = network.networkTime
    defer { networkTime += network.networkTime - before }
    return try context.target.answer(
      index, probes: state.probes, network, mirrored: predictor.mirrored)
  }

  private func predictor(for candidate: Int) throws(Das3Error) -> Predictor {
    var predictor: Predictor
    if let known = self.predictor {
      predictor = known
    } else {
      // In a run that goes on here, nobody has looked yet where the statistics are.
      if layers == nil { _ = try observingNetwork() }
      observer = nil
      let network = try context.settings.predictor(of: context.trainer.model)
      try context.target.ignoreStillPixels(of: state.probes, network)
      predictor = Predictor(
        network: network, mirrored: try Arena(elementCount: network.scoreShape.elementCount))
    }
    if predictor.candidate != candidate {
      predictor.network.setWeights(weights(of: shares[candidate]))
      predictor.candidate = candidate
    }
    self.predictor = predictor
    return predictor
  }

  /// What a candidate says of the probes from one to another.
  private func signals(_ candidate: Int, _ probes: Range<Int>) -> ViewSignals {
    ViewSignals(sumOf: Array(state.answers[candidate].probes[probes]))
  }

  private var choice: BlendRecord {
    let shares = shares
    func candidates(_ probes: Range<Int>) -> [BlendRecord.Candidate] {
      shares.indices.map { BlendRecord.Candidate(share: shares[$0], signals($0, probes)) }
    }
    let (middle, end) = ((state.probes.count + 1) / 2, state.probes.count)
    let halves = [0..<middle, middle..<end].filter { !$0.isEmpty }
    var record = BlendRecord(seconds: state.seconds)
    record.candidates = candidates(0..<end)
    let labelled = state.answers.map(\.labelled)
    if context.target.labelled.count > 0 {
      for (index, answers) in labelled.enumerated() {
        record.candidates[index].meanIoU = answers.meanIoU
      }
    }
    if context.settings.isGuarded {
      if layers?.isEmpty ?? true { record.reason = .noStatistics }
      if GuardRule.seesTooFew(signals(0, 0..<end)) { record.reason = .fewClasses }
      if record.reason != nil { return record }
    }
    record.choice = LabelVote.choice(
      BlendChoice.index(of: record.candidates, halves: halves.map(candidates)), among: labelled,
      certainty: context.settings.guardBounds.certainty)
    return record
  }

  /// What the guard goes on with; nil where nothing could be compared.
  var guardMemory: GuardMemory? {
    guard context.settings.isGuarded, let blend, !blend.candidates.isEmpty,
      blend.reason != .fewClasses
    else { return nil }
    var memory = GuardMemory(probes: state.probes, source: state.answers[0])
    if blend.choice > 0 {
      memory.accept(
        state.answers[blend.choice], weights(of: blend.share), origin: .blend, share: 1)
    }
    return memory
  }
}
