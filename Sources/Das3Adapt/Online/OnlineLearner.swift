import Das3Graph
import Das3Runtime

/// Learns from the frames of a stream, and says which weights are to label the next ones.
///
/// Every third frame that shows something new is a *probe*, from which nothing is learned; the others
/// are learned from, the newest and a fair sample of all before them. Statistics of BatchNormalization
/// follow the scene; how far the network takes them over is chosen without labels, as in a blend. From
/// there the stages of DAS3 are run again and again, each on what is kept then. After each of them the
/// guard compares the source, its blend, the last accepted set and the new one by the probes, and the
/// best of them is used. Between that, every new probe is asked whether the weights in use still do
/// better than the source: where they do not, the source comes back at once.
///
/// One thread at a time. Work comes in pieces of a few passes of the network.
package final class OnlineLearner {
  /// What a piece of work was.
  package enum Work { case nothing, judged, trained }

  private let settings: OnlineSettings
  private let model: SegmentationModel
  private var networks: StreamNetworks?
  private var frames: StreamSample<StoredFrame>
  private var probes: StreamSample<Probe>
  private var pool: StatisticsPool
  private var random: Random
  private var lastThumbnail: Thumbnail?
  /// Frames that showed something new.
  private var shownCount = 0

  private let source: Candidate
  /// The source with the statistics that were chosen last; nil where its own were.
  private var blend: Candidate?
  /// What was learned and accepted last.
  private var trained: Candidate?
  /// What the last stage led to, while it is neither accepted nor given up.
  private var student: Candidate?
  /// Whether it has yet to be judged.
  private var isStudentNew = false
  /// In use.
  private var best: Candidate
  private var stage: StreamStage?
  private var stageNumber = 0
  private var trial: Trial?
  /// Shown frames when sets were last compared, and when a stage last began.
  private var judgedAt: Int?, learnedAt = 0
  /// Stages in a row whose result was neither accepted nor given up, and judgements in a row that did
  /// not want what was accepted last.
  private var heldInRow = 0, unwantedInRow = 0

  package private(set) var report = OnlineReport()
  /// Asked between frames.
  package var isCancelled: () -> Bool = { false }
  /// Called between frames while labels are made: a frame may be added then.
  package var pause: () -> Void = {}
  /// Told which weights are to label frames from now on; nil = those of the source.
  package var publish: (_ weights: [Float]?) -> Void = { _ in }

  /// Sets that are compared by the probes there were at the start.
  private struct Trial {
    var blends: [Candidate] = []
    var candidates: [Candidate]
    let probes: [Probe]
    /// Whether blends are chosen anew, and whether the student is judged for the first time.
    let choosesBlend, judgesStudent: Bool
    var numbers: [Int] { probes.map(\.number) }
  }

  /// From one probe to the next.
  private static let probeStride = 3
  /// Fewer probes decide nothing.
  private static let fewestProbes = 8
  private static let fewestFrames = 16
  /// New frames without which nothing new can be learned.
  private static let fewestNewFrames = 8
  /// Newest probes by which the weights in use are watched, and on how many of them they must be better
  /// than the source: a few decide where all are worse.
  private static let watches = [(count: 3, fewestWins: 1), (count: 6, fewestWins: 3)]
  /// Results in a row that are not taken before learning begins again from what was.
  private static let mostInRow = 3
  /// Levels of an 8-bit pixel; frames that differ less show the same.
  private static let leastDifference = 1.0

  /// Allocates nothing that grows with the network before the first frame.
  ///
  /// - Parameters:
  ///   - settings: of the stream, with the size of the network's input.
  ///   - model: the source.
  ///   - memory: what another process has left.
  package init(
    _ settings: OnlineSettings, _ model: SegmentationModel, _ memory: OnlineMemory = OnlineMemory()
  ) {
    self.settings = settings
    self.model = model
    let past = settings.reservoirCount / 2
    frames = StreamSample(recentCount: settings.reservoirCount - past, pastCount: past)
    let pastProbes = settings.probeCount / 3
    probes = StreamSample(recentCount: settings.probeCount - pastProbes, pastCount: pastProbes)
    let weights = model.onnx.weights
    pool = StatisticsPool(window: settings.sceneFrameCount)
    random = Random(seed: settings.adaptation.seed)
    source = Candidate(.source, weights)
    best = source
    take(memory)
  }

  /// Bytes of networks, frames and sets of weights.
  package var byteCount: Int {
    let sets = [source, blend, trained, student, best].reduce(into: [Candidate]()) { sets, next in
      if let next, !sets.contains(where: { $0 === next }) { sets.append(next) }
    }
    let weightCount = sets.count * source.weights.count
    return (networks?.byteCount ?? 0)
      + max(stage?.byteCount ?? 0, networks?.labelRoom.byteCount ?? 0)
      + frames.all.reduce(0) { $0 + $1.byteCount }
      + probes.all.reduce(0) { $0 + $1.frame.byteCount }
      + weightCount * MemoryLayout<Float>.stride
  }

  // MARK: Frames

  /// Looks at a frame, which is learned from or judged by later.
  ///
  /// Cost: one pass of the network, or four for a probe.
  ///
  /// - Throws: what planning the networks throws at the first frame, and what kernels report.
  package func add(_ stored: StoredFrame) throws(Das3Error) {
    let networks = try readyNetworks()
    report.observedCount += 1
    var seen: Thumbnail?
    try stored.withFrame { frame in seen = networks.thumbnail(of: frame) }
    guard let seen, seen.contrast >= Thumbnail.leastContrast else {
      report.unseenCount += 1
      return
    }
    if let lastThumbnail, seen.distance(to: lastThumbnail) < Self.leastDifference {
      report.repeatedCount += 1
      return
    }
    lastThumbnail = seen
    shownCount += 1
    if shownCount % Self.probeStride == 0 {
      let probe = Probe(number: shownCount, frame: stored)
      probes.add(probe, &random)
      try networks.ask(source, probe)
      if best !== source { try networks.ask(best, probe) }
      watch()
    } else {
      frames.add(stored, &random)
      try networks.observe(&pool)
    }
    (report.reservoirCount, report.probeCount) = (frames.count, probes.count)
  }

  private func readyNetworks() throws(Das3Error) -> StreamNetworks {
    if let networks { return networks }
    let networks = try StreamNetworks(
      settings.adaptation, model, frameCount: stageFrameCount)
    self.networks = networks
    report.ignoredShare = networks.ignored?.share ?? 0
    return networks
  }

  /// Brings the source back where the weights in use do worse on the newest probes.
  private func watch() {
    guard isGuarded, best !== source,
      let watch = Self.watches.first(where: { isWorse(on: $0.count, fewestWins: $0.fewestWins) })
    else { return }
    report.alarmCount += 1
    use(source, reason: .notBetter)
    // It is another place: what was gathered of the one before says little of it.
    (stage, trial, student, blend, judgedAt) = (nil, nil, nil, nil, nil)
    probes.age(butLast: watch.count, &random)
    pool = StatisticsPool(window: settings.sceneFrameCount)
  }

  /// Whether the weights in use do worse than the source on so many of the newest probes.
  private func isWorse(on count: Int, fewestWins: Int) -> Bool {
    let newest = probes.recent.suffix(count).map(\.number)
    guard newest.count == count, let mine = best.signals(of: newest),
      let sources = source.signals(of: newest)
    else { return false }
    return ViewSignals(sumOf: mine).score < ViewSignals(sumOf: sources).score
      && GuardRule.wins(of: mine, over: sources) * Double(count) < Double(fewestWins) - 0.5
  }

  private var isGuarded: Bool { settings.adaptation.isGuarded }

  // MARK: Work

  /// Does the next piece of work: a step, or asking one set about one probe.
  ///
  /// - Returns: what was done.
  /// - Throws: `.cancelled`, `.memory`, or what kernels report.
  package func work() throws(Das3Error) -> Work {
    KernelFailure.clear()
    if trial == nil, stage == nil { try begin() }
    if trial != nil {
      try judge()
      return .judged
    }
    guard let stage else { return .nothing }
    try train(stage)
    return .trained
  }

  /// Decides what is to be done.
  private func begin() throws(Das3Error) {
    report.letter = nil
    guard networks != nil, probes.recent.count >= Self.fewestProbes,
      frames.count >= Self.fewestFrames
    else { return }
    let isNew = judgedAt.map { shownCount - $0 >= Self.probeStride * settings.probeCount } ?? true
    if isNew || isStudentNew {
      let choosesBlend = isNew || isCycleStart
      if choosesBlend { try ignoreStillPixels() }
      trial = makeTrial(choosesBlend: choosesBlend)
      return
    }
    guard !letters.isEmpty, report.reason != .fewClasses,
      learnedAt == 0 || shownCount - learnedAt >= Self.fewestNewFrames || !isCycleStart
    else { return }
    if isCycleStart { learnedAt = shownCount }
    try beginStage()
  }

  /// Searches the probes for what never changes, before sets are compared by them.
  private func ignoreStillPixels() throws(Das3Error) {
    guard let networks, isGuarded, settings.adaptation.findsIgnored else { return }
    if try networks.ignoreStillPixels(of: probes.all, isCancelled: isCancelled) {
      // What sets have said of the probes was said of other pixels.
      for candidate in [source, blend, trained, student, best] { candidate?.forget(allBut: []) }
    }
    (report.ignoredShare, report.foundShare) = (networks.ignored?.share ?? 0, networks.foundShare)
  }

  private var letters: [AdaptationSettings.Letter] { settings.adaptation.stages }
  private var isCycleStart: Bool { stageNumber % letters.count == 0 }

  // MARK: Learning

  /// Frames of a stage, where there are as many.
  private var stageFrameCount: Int { max(Self.fewestFrames, settings.stageStepCount / 2) }

  private func beginStage() throws(Das3Error) {
    guard let networks else { return }
    let chosen = random.shuffled(frames.all).prefix(stageFrameCount)
    let start = student ?? trained ?? blend ?? source
    stage = try StreamStage(
      settings, letters[stageNumber % letters.count], number: stageNumber, networks,
      Array(chosen), from: start.weights)
    stageNumber += 1
  }

  private func train(_ stage: StreamStage) throws(Das3Error) {
    guard let networks else { return }
    let isOver: Bool
    do throws(Das3Error) {
      isOver = try stage.take(isCancelled: isCancelled, pause: pause)
    } catch {
      self.stage = nil
      throw error
    }
    report.totalStep += 1
    (report.letter, report.step) = (stage.letter, stage.step)
    (report.stepCount, report.loss) = (stage.stepCount, stage.losses.total)
    // A frame that came while labels were made may have brought the source back.
    guard self.stage != nil, isOver else { return }
    self.stage = nil
    let share = (student ?? trained ?? blend)?.share ?? 0
    student = Candidate(
      GuardRecord.Origin(stage.letter), share: share, networks.trainer.weights)
    isStudentNew = true
  }

  // MARK: Judging

  private func makeTrial(choosesBlend: Bool) -> Trial {
    var trial = Trial(
      candidates: [source], probes: probes.all, choosesBlend: choosesBlend,
      judgesStudent: isStudentNew)
    if choosesBlend, let networks, pool.frameCount >= Self.fewestNewFrames {
      let shares = settings.adaptation.blendShares(probeCount: probes.count).filter { $0 > 0 }
      trial.blends = shares.map { share in
        Candidate(.blend, share: share) { [pool, source, layers = networks.layers] in
          pool.blend(share, from: source.weights, layers)
        }
      }
      if let trained, trained.share > 0 {
        // The statistics of what was learned follow the scene, too.
        trial.candidates.append(
          Candidate(trained.origin, share: trained.share, follow(trained, networks.layers)))
      }
    } else if let blend {
      trial.blends = [blend]
    }
    trial.candidates += [trained, student].compactMap { $0 }
    for candidate in trial.candidates + trial.blends { candidate.forget(allBut: trial.numbers) }
    return trial
  }

  private func follow(_ candidate: Candidate, _ layers: [Trainer.StatisticsLayer]) -> [Float] {
    var weights = candidate.weights
    let statistics = pool.blend(candidate.share, from: source.weights, layers)
    for index in layers.lazy.flatMap({ [$0.mean, $0.variance] }).joined() {
      weights[index] = statistics[index]
    }
    return weights
  }

  /// Asks one set about one probe; after the last answer the best set is used.
  private func judge() throws(Das3Error) {
    guard let trial, let networks else { return }
    for candidate in trial.candidates + trial.blends {
      if let probe = trial.probes.first(where: { candidate.signals[$0.number] == nil }) {
        return try networks.ask(candidate, probe)
      }
    }
    (self.trial, isStudentNew) = (nil, false)
    judgedAt = shownCount
    report.judgedCount += 1
    conclude(trial)
  }

  private func conclude(_ trial: Trial) {
    let numbers = trial.numbers
    func signals(_ candidate: Candidate) -> [ViewSignals] {
      candidate.signals(of: numbers) ?? []
    }
    let ofSource = ViewSignals(sumOf: signals(source))
    report.sourceScore = ofSource.score
    if isGuarded, GuardRule.seesTooFew(ofSource) {
      student = nil
      return use(source, reason: .fewClasses)
    }
    if trial.choosesBlend {
      blend = choose(trial.blends, numbers)
      blend?.keep()
    }
    // What the best set so far does not see any more is not missed.
    let known = ViewSignals(sumOf: signals(trained ?? blend ?? source))
    var next = source
    var isRefused = false
    func isTaken(_ candidate: Candidate) -> Bool {
      let mine = signals(candidate)
      let veto = GuardRule.veto(
        ViewSignals(sumOf: mine), source: ofSource, best: known, settings.adaptation.guardBounds)
      report.veto = veto ?? report.veto
      if candidate === student { isRefused = veto != nil }
      return !isGuarded || veto == nil && GuardRule.prefers(mine, over: signals(next))
    }
    if let blend, trial.choosesBlend || isTaken(blend) { next = blend }
    for candidate in trial.candidates.dropFirst() where isTaken(candidate) { next = candidate }
    report.score = ViewSignals(sumOf: signals(next)).score
    settle(next, ofStudent: trial.judgesStudent, isRefused: isRefused)
    use(next, reason: next === source ? (isRefused ? .refused : .notBetter) : nil)
  }

  /// The blend by the rule of `BlendChoice`; nil = the source's own statistics.
  private func choose(_ blends: [Candidate], _ numbers: [Int]) -> Candidate? {
    let all = [source] + blends
    let middle = (numbers.count + 1) / 2
    func records(_ numbers: ArraySlice<Int>) -> [BlendRecord.Candidate] {
      all.map {
        BlendRecord.Candidate(
          share: $0.share, ViewSignals(sumOf: $0.signals(of: Array(numbers)) ?? []))
      }
    }
    let choice = BlendChoice.index(
      of: records(numbers[...]), halves: [records(numbers[..<middle]), records(numbers[middle...])])
    return choice == 0 ? nil : all[choice]
  }

  /// What becomes of the student, and of what was accepted before, now that a set was preferred.
  private func settle(_ next: Candidate, ofStudent: Bool, isRefused: Bool) {
    if let student, ofStudent || next === student {
      if next === student {
        report.acceptedCount += 1
        (trained, self.student, heldInRow) = (student, nil, 0)
      } else {
        heldInRow += 1
        if isRefused || heldInRow == Self.mostInRow {
          report.rolledBackCount += 1
          (self.student, heldInRow) = (nil, 0)
        } else {
          report.heldCount += 1
        }
      }
    }
    guard trained != nil else { return }
    if next === source || next === blend {
      unwantedInRow += 1
      if unwantedInRow == Self.mostInRow { (trained, unwantedInRow) = (nil, 0) }
    } else {
      (trained, unwantedInRow) = (next, 0)
    }
  }

  private func use(_ next: Candidate, reason: GuardRecord.Reason?) {
    (report.origin, report.share, report.reason) = (next.origin, next.share, reason)
    guard next !== best else { return }
    best = next
    publish(next === source ? nil : next.weights)
  }
}

// MARK: Memory

extension OnlineLearner {
  /// What another process needs to go on: what was accepted, and the statistics of the scene.
  package var memory: OnlineMemory {
    var memory = OnlineMemory()
    (memory.origin, memory.share) = (best.origin, best.share)
    memory.weights = best === source ? [] : best.weights
    if let trained {
      (memory.trainedOrigin, memory.trainedShare) = (trained.origin, trained.share)
      memory.trained = trained === best ? [] : trained.weights
    }
    (memory.high, memory.low, memory.pooledCount) = (pool.high, pool.low, pool.frameCount)
    memory.stageNumber = stageNumber
    memory.counts = report.counts
    return memory
  }

  private func take(_ memory: OnlineMemory) {
    report.counts = memory.counts
    stageNumber = memory.stageNumber
    if !memory.weights.isEmpty {
      best = Candidate(memory.origin, share: memory.share, memory.weights)
      (report.origin, report.share, report.reason) = (best.origin, best.share, nil)
      if best.origin == .blend { blend = best }
    }
    if let origin = memory.trainedOrigin {
      trained =
        memory.trained.isEmpty
        ? best : Candidate(origin, share: memory.trainedShare, memory.trained)
    }
    pool = StatisticsPool(
      high: memory.high, low: memory.low, frameCount: memory.pooledCount,
      window: settings.sceneFrameCount)
  }
}
