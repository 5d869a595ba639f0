import Das3Graph
import Das3Runtime

/// Moves the statistics of BatchNormalization a part of the way from the source's to the target's,
/// and chooses how far without labels.
///
/// It goes through the frames once. Every k-th frame that shows something is a *probe*; by the others
/// the target's statistics are gathered, exactly, over all frames and pixels. Then each candidate on
/// the line is asked what it says of the probes and of their mirror images. One step is one frame;
/// nothing is trained, and the weights move at the end alone.
///
/// Cost: one pass of the network a frame, and two a probe and candidate.
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
    /// `place` among the sums.
    case signals(ViewSignals, place: Int)
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
    pool =
      memory.anchor.isEmpty
      ? StatisticsPool(weightCount: start.count)
      : StatisticsPool(high: memory.anchor, low: memory.teacher, frameCount: state.pooledCount)
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
      let (candidate, probe) = (step - frameCount).quotientAndRemainder(
        dividingBy: state.probes.count)
      let signals = try ask(candidate, state.probes[probe])
      let half = 2 * probe / state.probes.count
      pending = .signals(signals, place: 2 * candidate + half)
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
      } else if let observer, let layers, observer.statistics.allSatisfy(\.isFinite) {
        pool.add(observer.weights, layers)
      }
    case .signals(let signals, let place):
      while state.signals.count <= place {
        state.signals.append(ViewSignals(classCount: context.trainer.scoreShape[1]))
      }
      state.signals[place].add(signals)
    case .unseen, nil: break
    }
    pending = nil
    if step == frameCount - 1 {
      blend = reasonToStay.map { BlendRecord(reason: $0, seconds: state.seconds) }
      observer = nil
    } else if step == frameCount + shares.count * state.probes.count - 1 {
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
    guard !network.statisticsLayers.isEmpty else { return .unseen }
    let before = network.networkTime
    defer { networkTime += network.networkTime - before }
    try context.target.read(frame) { network.load($0) }
    let model = network.model
    let thumbnail = Thumbnail(
      network.imageValues, height: network.height, width: network.width,
      channelCount: model.channelCount, model.metadata)
    guard thumbnail.contrast >= Self.leastContrast else { return .unseen }
    let isProbe = state.spread.count % stride == stride / 2
    if !isProbe { network.observe() }
    try KernelFailure.check()
    return .frame(thumbnail, isProbe: isProbe)
  }

  private func observingNetwork() throws(Das3Error) -> Trainer {
    if let observer { return observer }
    let network = try context.settings.observer(of: context.trainer.model)
    network.setWeights(start)
    (observer, layers) = (network, network.statisticsLayers)
    return network
  }

  /// Levels of an 8-bit pixel; below them a frame shows nothing: black, fog, a covered lens.
  private static let leastContrast = 2.0
  /// Levels likewise; below them all frames show the same.
  private static let leastSpread = 1.0
  static let fewestFrames = 4

  /// Why nothing need be compared; nil = it must.
  private var reasonToStay: BlendRecord.Reason? {
    if layers?.isEmpty ?? true { return .noStatistics }
    if state.spread.count < Self.fewestFrames || state.probes.isEmpty || pool.frameCount == 0 {
      return .fewFrames
    }
    return state.spread.value < Self.leastSpread ? .sameFrames : nil
  }

  // MARK: Candidates

  private var shares: [Double] {
    BlendChoice.line(upTo: context.settings.blendLimit, probeCount: state.probes.count)
  }

  private func weights(of share: Double) -> [Float] {
    pool.blend(share, from: start, layers ?? [])
  }

  /// What a candidate says of a probe and of its mirror image.
  private func ask(_ candidate: Int, _ frame: Int) throws(Das3Error) -> ViewSignals {
    let predictor = try predictor(for: candidate)
    let network = predictor.network
    let before = network.networkTime
    defer { networkTime += network.networkTime - before }
    try context.target.read(frame) { picture in
      network.load(picture)
      network.mirrorImage()
      network.predict(probabilities: predictor.mirrored)
      network.load(picture)
    }
    let signals = network.compareViews(mirrored: predictor.mirrored)
    try KernelFailure.check()
    return signals
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

  private var choice: BlendRecord {
    let shares = shares
    func candidates(_ signals: (_ candidate: Int) -> ViewSignals) -> [BlendRecord.Candidate] {
      shares.indices.map { BlendRecord.Candidate(share: shares[$0], signals($0)) }
    }
    func sums(_ candidate: Int, half: Int) -> ViewSignals {
      let place = 2 * candidate + half
      return state.signals.indices.contains(place)
        ? state.signals[place] : ViewSignals(classCount: context.trainer.scoreShape[1])
    }
    let halves = (0..<min(2, state.probes.count)).map { half in
      candidates { sums($0, half: half) }
    }
    var record = BlendRecord(seconds: state.seconds)
    record.candidates = candidates { candidate in
      var whole = sums(candidate, half: 0)
      whole.add(sums(candidate, half: 1))
      return whole
    }
    record.choice = BlendChoice.index(of: record.candidates, halves: halves)
    return record
  }
}
