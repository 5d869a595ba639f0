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
/// Where the settings allow scenes, it first looks for them, by the moments of all frames. Statistics
/// are then gathered for each of them beside those of all, and candidates in which each frame has the
/// statistics of its scene are asked, too.
///
/// A guarded run begins with it even where no statistics are to move: the source is then the only
/// candidate, and its answers are what the guard compares others with.
///
/// Cost: one pass of the network a frame, two a probe and candidate, one a labelled frame and
/// candidate; with scenes, every frame is read once more in the process that begins or goes on.
final class Blending: Stage {
  private let context: StageContext
  private let start: [Float]
  private let frameCount: Int
  /// From one probe to the next.
  private let stride: Int
  private var state: BlendMemory
  private var pool: StatisticsPool
  /// Of each scene; empty until they are looked for, and where there is only one.
  private var scenePools: [StatisticsPool]
  private var map: SceneMap?
  /// Of each frame the number of its scene; empty where there is one.
  private var frameScenes: [Int] = []
  private var hasFoundScenes: Bool
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

  /// A network on the line; with scenes, each frame has the statistics of its own.
  private struct Candidate: Equatable {
    let share: Double
    let hasScenes: Bool
  }

  private struct Predictor {
    let network: Trainer
    let mirrored: Arena
    /// Whose weights it has.
    var candidate: Candidate?
  }

  init(_ context: StageContext, _ memory: StageMemory) {
    self.context = context
    start = memory.start
    frameCount = context.target.count
    stride = BlendChoice.probeStride(frameCount: frameCount)
    state = memory.blend ?? BlendMemory()
    let pools = StatisticsPool.pools(
      high: memory.anchor, low: memory.teacher,
      frameCounts: [state.pooledCount] + state.scenePooledCounts)
    (pool, scenePools) = (pools[0], Array(pools[1...]))
    hasFoundScenes = context.settings.sceneLimit < 2
  }

  var memory: StageMemory {
    var memory = StageMemory(start: start)
    (memory.anchor, memory.teacher) = StatisticsPool.sums(of: [pool] + scenePools)
    memory.blend = state
    memory.blend?.pooledCount = pool.frameCount
    memory.blend?.scenePooledCounts = scenePools.map(\.frameCount)
    return memory
  }

  var byteCount: Int {
    memory.byteCount + (observer?.byteCount ?? 0)
      + (predictor.map { $0.network.byteCount + 4 * $0.mirrored.elementCount } ?? 0)
  }

  var isFinished: Bool { blend != nil }
  var trains: Bool { false }

  // MARK: Steps

  func prepare(_ step: Int) throws(Das3Error) {
    guard !hasFoundScenes else { return }
    let began = clock.now
    try findScenes()
    state.seconds += (clock.now - began).inSeconds
  }

  func addGradient(_ step: Int) throws(Das3Error) -> StepLosses {
    try context.target.checkCancelled()
    let began = clock.now
    if step < frameCount {
      pending = try observe(step)
    } else {
      let (candidate, index) = (step - frameCount).quotientAndRemainder(dividingBy: judgeCount)
      pending = .answer(try ask(candidates[candidate], index), candidate: candidate)
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
        observer.withWeights {
          pool.add($0, layers)
          if !frameScenes.isEmpty { scenePools[frameScenes[step]].add($0, layers) }
        }
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
    } else if step == frameCount + candidates.count * judgeCount - 1 {
      blend = choice
    }
  }

  func finish() {
    guard let blend else { return }
    if blend.share > 0 { context.trainer.setWeights(weights(of: blend.share)) }
    if let share = blend.scenes?.share { context.trainer.scenes = bank(share) }
  }

  // MARK: Scenes

  /// Looks for scenes; where a run goes on, it finds what it had found.
  private func findScenes() throws(Das3Error) {
    let moments = FrameMoments(channelCount: context.trainer.model.channelCount)
    var all: [[Float]] = []
    for frame in 0..<frameCount {
      try context.target.checkCancelled()
      try context.target.read(frame) { all.append(moments.read($0)) }
    }
    map = SceneClusters.find(
      all.filter { moments.contrast(of: $0) >= Thumbnail.leastContrast },
      atMost: context.settings.sceneLimit)
    if let map { frameScenes = all.map(map.nearest) }
    let count = map?.centres.count ?? 0
    if state.spread.count == 0, state.scenePooledCounts.isEmpty {
      scenePools = [StatisticsPool](repeating: StatisticsPool(), count: count)
    }
    guard scenePools.count == count else { throw Checkpoint.inconsistent }
    hasFoundScenes = true
  }

  /// The statistics of all scenes, so far on the way to them; nil = there is one scene.
  private func bank(_ share: Double) -> SceneBank? {
    guard let map, scenePools.allSatisfy({ $0.frameCount > 0 }) else { return nil }
    let places = context.trainer.model.onnx.statisticRanges
    return SceneBank(
      map: map, frameCounts: scenePools.map(\.frameCount),
      statistics: scenePools.map { pool in
        let weights = pool.blend(share, from: start, layers ?? [])
        return places.flatMap { weights[$0] }
      })
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
    let isProbe = shownCount(like: frame) % stride == stride / 2
    if !isProbe, observes { network.observe() }
    try KernelFailure.check()
    return .frame(thumbnail, isProbe: isProbe)
  }

  /// Frames of the same scene that have shown something so far: every scene has probes, in whatever
  /// order scenes come.
  private func shownCount(like frame: Int) -> Int {
    guard observes, !frameScenes.isEmpty else { return state.spread.count }
    let scene = frameScenes[frame]
    let probeCount = state.probes.count { frameScenes[$0] == scene }
    return scenePools[scene].frameCount + probeCount
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

  /// All that are asked: on the line of all frames' statistics, then on that of the scenes' own.
  private var candidates: [Candidate] {
    shares.map { Candidate(share: $0, hasScenes: false) }
      + sceneShares.map { Candidate(share: $0, hasScenes: true) }
  }

  private var sceneShares: [Double] {
    let isSplit = !scenePools.isEmpty && scenePools.allSatisfy { $0.frameCount > 0 }
    return isSplit ? context.settings.sceneShares(probeCount: state.probes.count) : []
  }

  /// What a candidate says of one of the frames that judge.
  private func ask(_ candidate: Candidate, _ index: Int) throws(Das3Error) -> Answers.Answer {
    let predictor = try predictor(for: candidate)
    let network = predictor.network
    let before = network.networkTime
    defer { networkTime += network.networkTime - before }
    return try context.target.answer(
      index, probes: state.probes, network, mirrored: predictor.mirrored)
  }

  private func predictor(for candidate: Candidate) throws(Das3Error) -> Predictor {
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
      predictor.network.scenes = candidate.hasScenes ? bank(candidate.share) : nil
      predictor.network.setWeights(candidate.hasScenes ? start : weights(of: candidate.share))
      predictor.candidate = candidate
    }
    self.predictor = predictor
    return predictor
  }

  /// What a candidate says of the probes from one to another.
  private func signals(_ candidate: Int, _ probes: Range<Int>) -> ViewSignals {
    ViewSignals(sumOf: Array(state.answers[candidate].probes[probes]))
  }

  /// Candidates by their numbers, as they are judged by the probes from one to another.
  private func compared(_ numbers: [Int], _ probes: Range<Int>) -> [BlendRecord.Candidate] {
    numbers.map { number in
      BlendRecord.Candidate(share: candidates[number].share, signals(number, probes))
    }
  }

  /// The same with the information within each scene.
  ///
  /// Statistics that do not fit a scene make its frames look like others than those of another scene,
  /// which over all frames is information, too.
  private func comparedWithin(_ numbers: [Int], _ probes: Range<Int>) -> [BlendRecord.Candidate] {
    zip(numbers, compared(numbers, probes)).map { number, candidate in
      var candidate = candidate
      let scenes = Dictionary(grouping: probes) { frameScenes[state.probes[$0]] }
      candidate.information = scenes.sorted { $0.key < $1.key }.reduce(0) { sum, scene in
        let signals = ViewSignals(sumOf: scene.value.map { state.answers[number].probes[$0] })
        return sum + signals.information * Double(scene.value.count) / Double(probes.count)
      }
      return candidate
    }
  }

  /// What labelled frames say of candidates.
  private func measured(_ numbers: [Int], _ line: [BlendRecord.Candidate])
    -> [BlendRecord.Candidate]
  {
    zip(numbers, line).map { number, candidate in
      var candidate = candidate
      let labelled = state.answers[number].labelled
      if !labelled.isEmpty { candidate.meanIoU = labelled.meanIoU }
      return candidate
    }
  }

  /// The one that was voted for, unless labelled frames are sure of another.
  private func best(of numbers: [Int], voted place: Int) -> Int {
    numbers[
      LabelVote.choice(
        place, among: numbers.map { state.answers[$0].labelled },
        certainty: context.settings.guardBounds.certainty)]
  }

  /// Parts of the probes that must prefer what is chosen each.
  private var halves: [Range<Int>] {
    let (middle, end) = ((state.probes.count + 1) / 2, state.probes.count)
    return [0..<middle, middle..<end].filter { !$0.isEmpty }
  }

  private var choice: BlendRecord {
    let (plain, probes) = (Array(shares.indices), 0..<state.probes.count)
    var record = BlendRecord(seconds: state.seconds)
    record.candidates = measured(plain, compared(plain, probes))
    if context.settings.isGuarded {
      if layers?.isEmpty ?? true { record.reason = .noStatistics }
      if GuardRule.seesTooFew(signals(0, probes)) { record.reason = .fewClasses }
      if record.reason != nil { return record }
    }
    record.choice = best(
      of: plain,
      voted: BlendChoice.index(
        of: record.candidates, halves: halves.map { compared(plain, $0) }))
    if !scenePools.isEmpty { record.scenes = scenes(beside: record.choice) }
    return record
  }

  /// The scenes, and whether candidates that know them are better than the best that does not.
  private func scenes(beside single: Int) -> BlendRecord.Scenes {
    let split = Array(shares.count..<candidates.count)
    let rivals = [single] + split
    let line = comparedWithin(rivals, 0..<state.probes.count)
    let halves = halves.map { comparedWithin(rivals, $0) }
    var voted = 0
    for place in rivals.indices.dropFirst() where line[place].score > line[voted].score {
      if halves.allSatisfy({ $0[place].score > $0[0].score }) { voted = place }
    }
    let chosen = best(of: rivals, voted: voted)
    return BlendRecord.Scenes(
      frameCounts: scenePools.map(\.frameCount),
      candidates: measured(split, Array(line.dropFirst())), choice: split.firstIndex(of: chosen))
  }

  /// What the guard goes on with; nil where nothing could be compared.
  var guardMemory: GuardMemory? {
    guard context.settings.isGuarded, let blend, !blend.candidates.isEmpty,
      blend.reason != .fewClasses
    else { return nil }
    var memory = GuardMemory(probes: state.probes, source: state.answers[0])
    let chosen = blend.scenes?.choice.map { shares.count + $0 } ?? blend.choice
    if chosen > 0 {
      memory.accept(state.answers[chosen], weights(of: blend.share), origin: .blend, share: 1)
    }
    return memory
  }
}
