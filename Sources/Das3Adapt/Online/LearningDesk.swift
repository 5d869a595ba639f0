import Das3Graph
import Das3Runtime
import Synchronization

/// Where the camera's thread and the thread that learns put what the other one is to take.
final class LearningDesk: @unchecked Sendable {
  let model: SegmentationModel
  private let segmenter: Segmenter
  private let settings: OnlineSettings
  private let signal = WakeSignal()
  private let isWanted = Atomic<Bool>(true)
  private let hasPublished = Atomic<Bool>(false)
  private let isStopped = Atomic<Bool>(false)
  private let isPaused = Atomic<Bool>(false)
  /// Counts resets.
  private let generation = Atomic<Int>(0)
  private let shared: Mutex<Shared>
  private let pool = FramePool()
  /// Of the camera's thread.
  private var isPlanned = false
  /// Of the thread that learns, from the first frame on.
  private var learner: OnlineLearner?
  private var learnerGeneration = 0
  private var hasReservedSets = false
  /// Why weights could not be prepared for the camera; nil = they could.
  private var publishFailure: Das3Error?
  private let clock = ContinuousClock()
  private var spent = Duration.zero

  private struct Shared {
    /// Of the network's input; nil before the first frame.
    var size: (height: Int, width: Int)?
    /// What the user ignores; nil = nothing.
    var ignored: IgnoredPixels?
    var frame: StoredFrame?
    /// Prepared for the segmenter, not yet taken.
    var published: SegmentationModel?
    /// Whatever was published last.
    var latest: SegmentationModel
    /// Models that nobody uses any more.
    var retired: [SegmentationModel] = []
    var report = OnlineReport()
    var memory = OnlineMemory()
  }

  /// Frames that are nearer to each other than that show nearly the same.
  private static let leastSpacing = 0.2

  init(_ segmenter: Segmenter, _ settings: OnlineSettings) {
    self.segmenter = segmenter
    self.settings = settings
    model = segmenter.model
    shared = Mutex(Shared(latest: segmenter.model))
  }

  // MARK: The camera's side

  /// Says what size the network's input has; the first size counts.
  ///
  /// Memory for all frames that are ever kept is taken now: for reservoir and probes, one that waits
  /// and one that is looked at.
  func plan(_ size: (height: Int, width: Int), for frame: Frame) {
    guard !isPlanned else { return }
    isPlanned = true
    shared.withLock { $0.size = size }
    pool.prepare(
      settings.reservoirCount + settings.probeCount + 2,
      byteCount: StoredFrame.byteCount(of: frame, channelCount: model.channelCount))
  }

  var wantsFrame: Bool { isWanted.load(ordering: .relaxed) }

  /// Copies a frame, which is yet to be looked at.
  func put(_ frame: Frame) {
    isWanted.store(false, ordering: .relaxed)
    let copy = StoredFrame(frame, channelCount: model.channelCount, in: pool)
    shared.withLock { $0.frame = copy }
    signal.wake()
  }

  /// What is to label from now on; nil = nothing new.
  func takePublished() -> SegmentationModel? {
    guard hasPublished.exchange(false, ordering: .acquiring) else { return nil }
    return shared.withLock { shared in
      defer { shared.published = nil }
      return shared.published
    }
  }

  func retire(_ model: SegmentationModel) { shared.withLock { $0.retired.append(model) } }

  // MARK: Anybody's

  var report: (OnlineReport, isPaused: Bool) {
    (shared.withLock { $0.report }, isPaused.load(ordering: .relaxed))
  }
  var latest: SegmentationModel { shared.withLock { $0.latest } }
  var memory: OnlineMemory { shared.withLock { $0.memory } }

  func pause(_ isPaused: Bool) {
    self.isPaused.store(isPaused, ordering: .relaxed)
    signal.wake()
  }

  func stop() {
    isStopped.store(true, ordering: .relaxed)
    signal.wake()
  }

  func reset() {
    generation.add(1, ordering: .relaxed)
    shared.withLock { shared in
      shared.memory = OnlineMemory()
      shared.report = OnlineReport()
      (shared.published, shared.latest) = (model, model)
    }
    hasPublished.store(true, ordering: .releasing)
    signal.wake()
  }

  /// Says which pixels count for nothing; before the first frame.
  func ignore(_ pixels: IgnoredPixels?) { shared.withLock { $0.ignored = pixels } }

  /// Begins with what another process has left.
  func resume(_ memory: OnlineMemory) throws(Das3Error) {
    let latest = try network(memory.inUse)
    shared.withLock { shared in
      shared.memory = memory
      (shared.published, shared.latest) = (latest, latest)
    }
    hasPublished.store(true, ordering: .releasing)
  }

  // MARK: The side that learns

  /// Learns until it is stopped, within the budget.
  func run() {
    var lastFrame = -Double.infinity
    let began = clock.now
    while !isStopped.load(ordering: .relaxed) {
      if isPaused.load(ordering: .relaxed) || report.0.failure != nil {
        signal.wait()
        continue
      }
      let start = clock.now
      let isIdle = attempt { learner throws(Das3Error) in
        try takeFrame(learner)
        return try learner.work() == .nothing
      }
      let seconds = (clock.now - start).inSeconds
      shared.withLock { $0.retired = [] }
      rest(after: seconds)
      let now = (clock.now - began).inSeconds
      if now - lastFrame >= Self.leastSpacing || isIdle {
        lastFrame = now
        isWanted.store(true, ordering: .relaxed)
      }
      if isIdle { signal.wait(Self.leastSpacing) }
    }
  }

  /// Leaves the processor to others, as the budget says.
  private func rest(after seconds: Double) {
    let threads = Double(settings.adaptation.execution.threads)
    var pause = seconds * max(0, threads / max(settings.budget, 1e-3) - 1)
    if settings.stepsPerSecond > 0 { pause = max(pause, 1 / settings.stepsPerSecond - seconds) }
    let end = clock.now + .seconds(pause)
    while pause > 0, clock.now < end, !isStopped.load(ordering: .relaxed) {
      signal.wait((end - clock.now).inSeconds)
    }
  }

  /// Learns from one frame in the camera's own thread: the same frames give the same bits.
  func learn(from frame: Frame) {
    guard !isPaused.load(ordering: .relaxed), report.0.failure == nil else { return }
    let copy = StoredFrame(frame, channelCount: model.channelCount, in: pool)
    shared.withLock { $0.frame = copy }
    _ = attempt { learner throws(Das3Error) in
      try takeFrame(learner)
      var stepCount = 0
      while stepCount < settings.stepsPerFrame {
        switch try learner.work() {
        case .nothing: return true
        case .judged: break
        case .trained: stepCount += 1
        }
      }
      return false
    }
    shared.withLock { $0.retired = [] }
  }

  /// Works with the learner, and says what became of it.
  private func attempt(_ body: (OnlineLearner) throws(Das3Error) -> Bool) -> Bool {
    let start = clock.now
    guard let learner = currentLearner() else { return true }
    var failure: Das3Error?
    var isIdle = false
    do throws(Das3Error) {
      try AddressSpace.checkReserve()
      try reserveSets()
      isIdle = try body(learner)
    } catch {
      if error.code != .cancelled { failure = error }
    }
    spent += clock.now - start
    var report = learner.report
    report.seconds = spent.inSeconds
    report.byteCount = learner.byteCount
    report.failure = failure ?? publishFailure
    let isCurrent = !isOutdated
    shared.withLock { shared in
      guard isCurrent else { return }
      if report.judgedCount != shared.report.judgedCount
        || report.alarmCount != shared.report.alarmCount
      {
        shared.memory = learner.memory
      }
      shared.report = report
    }
    return isIdle
  }

  /// Takes the memory of weights for the camera at the start, as the learner does of its networks.
  private func reserveSets() throws(Das3Error) {
    guard !hasReservedSets, settings.adaptation.memoryLimit == 0 else { return }
    try segmenter.reserveSets()
    hasReservedSets = true
  }

  private var isOutdated: Bool { generation.load(ordering: .relaxed) != learnerGeneration }

  /// nil before the first frame.
  private func currentLearner() -> OnlineLearner? {
    if isOutdated || learner == nil {
      guard let size = shared.withLock({ $0.size }) else { return nil }
      learnerGeneration = generation.load(ordering: .relaxed)
      publishFailure = nil
      var settings = settings
      (settings.adaptation.height, settings.adaptation.width) = size
      settings.adaptation.ignored = shared.withLock { $0.ignored }
      let learner = OnlineLearner(settings, model, memory)
      learner.isCancelled = { [unowned self] in
        isStopped.load(ordering: .relaxed) || isOutdated
      }
      learner.pause = { [unowned self, unowned learner] in try? takeFrame(learner) }
      learner.publish = { [unowned self] weights in publish(weights, learnerGeneration) }
      self.learner = learner
    }
    return learner
  }

  private func takeFrame(_ learner: OnlineLearner) throws(Das3Error) {
    let frame = shared.withLock { shared in
      defer { shared.frame = nil }
      return shared.frame
    }
    if let frame { try learner.add(frame) }
  }

  /// Prepares weights for the segmenter; where that fails, those in use stay.
  private func publish(_ weights: [Float]?, _ generation: Int) {
    do throws(Das3Error) {
      let next = try network(weights)
      try segmenter.prepare(next)
      shared.withLock { shared in
        guard self.generation.load(ordering: .relaxed) == generation else { return }
        (shared.published, shared.latest) = (next, next)
      }
      hasPublished.store(true, ordering: .releasing)
    } catch {
      publishFailure = error
    }
  }

  private func network(_ weights: [Float]?) throws(Das3Error) -> SegmentationModel {
    guard let weights else { return model }
    var provenance = Provenance(method: "online")
    provenance.seed = settings.adaptation.seed
    if let learner {
      provenance.steps = learner.report.totalStep
      provenance.frames = learner.report.observedCount
      provenance.blend = learner.report.share
    }
    return try SegmentationModel(model, weights: weights, provenance: provenance)
  }
}
