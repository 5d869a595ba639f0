import CDas3
import Das3Adapt
import Das3Graph
import Das3Runtime
import Synchronization

/// What `das3_adapter` points to: it collects frames, and then runs the adaptation over them.
final class AdapterObject {
  let base: ModelObject
  let backendName: CString
  private(set) var settings: AdaptationSettings
  /// Whether the first frame decides the size of the network's input.
  private let followsFrame: Bool
  private var trainer: Trainer? { didSet { if isProfiled { trainer?.isProfiled = true } } }
  /// Whether each step of the network is measured; setting it forgets what was.
  var isProfiled = false { didSet { trainer?.isProfiled = isProfiled } }
  /// Lent to the caller; nil = nothing is.
  var profile: CString?
  private var stored: [StoredFrame] = []
  private var truths: [FrameSet.Truth] = []
  /// Frames that judge, with their truths; in a supervised run all labelled frames are learned from.
  private var judges: [StoredFrame] = []
  private var judgeTruths: [FrameSet.Truth] = []
  private var truthClasses: [UInt8] = []
  private var source: FrameSet?
  private var teacher: (any Teacher)?
  private var run: Adaptation?
  private let cancellation = Atomic<Bool>(false)
  /// Bytes that the added frames and their truth take.
  private var frameByteCount = 0
  /// What a function of this adapter does at the moment; it decides what callbacks may call.
  private var activity = Activity.none

  init(_ base: ModelObject, _ request: AdapterRequest) throws(Das3Error) {
    try base.checkCopies(6)
    self.base = base
    settings = request.settings
    followsFrame = request.followsFrame
    backendName = CString(settings.execution.backend.rawValue)
    if !followsFrame { trainer = try settings.trainer(of: base.model) }
    let stages = base.model.onnx.adaptedStages
    if settings.isDAS3, !stages.isEmpty {
      Log.write(
        DAS3_LOG_WARNING,
        "the model was adapted before (stages \(stages)); a network that learns from its own labels a second time can get worse, and the guard need not notice: begin with the model as it came, or let labelled frames judge"
      )
    }
  }

  // MARK: What callbacks may call

  private enum Activity {
    case none
    /// A function runs, and may call sources and teachers.
    case working
    /// The progress callback runs.
    case reporting
  }

  /// Runs `body` for a function that callbacks of this adapter must not call.
  ///
  /// With `alsoInReports` the progress callback may call it nevertheless.
  ///
  /// - Throws: `.argument` inside a callback that must not call `function`; what `body` throws.
  func perform<Result>(
    _ function: String, alsoInReports: Bool = false, _ body: () throws(Das3Error) -> Result
  ) throws(Das3Error) -> Result {
    let before = activity
    guard before == .none || (alsoInReports && before == .reporting) else {
      throw .argument(
        "\(function.prefix { $0 != "(" }) inside a callback of the same adapter; expected das3_adapter_cancel or _get_info there, and where progress is reported _snapshot or _save"
      )
    }
    activity = .working
    defer { activity = before }
    return try body()
  }

  /// Runs `body`, which calls the progress callback.
  func report(_ body: () -> Void) {
    activity = .reporting
    defer { activity = .working }
    body()
  }

  // MARK: Frames and teachers

  func add(_ frame: Frame, truth: FrameSet.Truth?) throws(Das3Error) {
    try checkNotStarted("frames are added")
    try AddressSpace.check(
      StoredFrame.byteCount(of: frame, channelCount: base.model.channelCount)
        + AddressSpace.margin)
    let isJudge = truth != nil && settings.method != .supervised
    guard isJudge || source == nil else {
      throw .argument("the adapter has a source; expected no frames")
    }
    try frame.checkFinite(channelCount: base.model.channelCount)
    try plan(for: frame)
    if isJudge { try settings.checkUsesTruth() }
    let copy = StoredFrame(frame, channelCount: base.model.channelCount)
    let limit = settings.memoryLimit
    let byteCount = frameByteCount + copy.byteCount + (truth?.labels.count ?? 0)
    if limit > 0, UInt64(byteCount) > limit / 2 {
      throw .memory(
        "\(stored.count + judges.count + 1) frames take \(byteCount) bytes; expected at most half of the memory limit, \(limit / 2)"
      )
    }
    frameByteCount = byteCount
    if isJudge {
      judges.append(copy)
      if let truth { judgeTruths.append(truth) }
    } else {
      stored.append(copy)
      if let truth { truths.append(truth) }
    }
  }

  /// What the model's classes are in the truth of the frames that judge; empty = the same.
  func setTruthClasses(_ classes: [UInt8]) throws(Das3Error) {
    try checkNotStarted("classes are set")
    guard classes.isEmpty || classes.count == base.model.classCount else {
      throw .shape("\(classes.count) classes; the model has \(base.model.classCount)")
    }
    guard classes.isEmpty || classes.contains(where: { $0 != 255 }) else {
      throw .argument("all classes are 255; expected one of the truth's")
    }
    truthClasses = classes
  }

  func setSource(_ source: FrameSet) throws(Das3Error) {
    try checkNotStarted("a source is set")
    guard stored.isEmpty else {
      throw .argument("the adapter has \(stored.count) frames; expected no source beside them")
    }
    self.source = source
  }

  func setTeacher(_ make: (AdaptationSettings) throws(Das3Error) -> any Teacher)
    throws(Das3Error)
  {
    try checkNotStarted("a teacher is set")
    teacher = try make(settings)
  }

  /// Says which pixels count for nothing; nil = all count.
  func ignore(_ pixels: IgnoredPixels?) throws(Das3Error) {
    try checkNotStarted("a mask is set")
    guard pixels?.isEverything != true else { throw IgnoredPixels.tooMany }
    settings.ignored = pixels
  }

  private func checkNotStarted(_ what: String) throws(Das3Error) {
    guard run?.isUntouched ?? true else { throw .argument("\(what) after the first step") }
    run = nil
  }

  /// Makes the plan if there is none yet, which is so if the first frame decides the size.
  private func plan(for frame: Frame) throws(Das3Error) {
    guard trainer == nil else { return }
    if followsFrame {
      let multiple = base.model.strideMultiple
      func fitted(_ size: Int, _ fixed: Int?) -> Int {
        fixed ?? max(multiple, (size + multiple / 2) / multiple * multiple)
      }
      settings.height = fitted(frame.height, base.model.fixedHeight)
      settings.width = fitted(frame.width, base.model.fixedWidth)
    }
    trainer = try settings.trainer(of: base.model)
  }

  // MARK: The run

  /// Returns the run, and begins it if necessary.
  func started() throws(Das3Error) -> Adaptation {
    try base.checkCopies(6)
    if let run { return run }
    let frames = source ?? FrameSet(stored, truths: truths)
    if trainer == nil, frames.count > 0 {
      try frames.read(0) { frame throws(Das3Error) in try plan(for: frame) }
    }
    if let planned = trainer, settings.memoryLimit > 0 {
      if let teacher, frames.count > 0 {
        try frames.read(0) { frame throws(Das3Error) in try teacher.prepare(for: frame) }
      }
      let heldByteCount = frameByteCount + (teacher?.byteCount ?? 0)
      let reserved = heldByteCount + settings.byteCount(beside: planned)
      if UInt64(peakByteCount + reserved) > settings.memoryLimit {
        // The old plan is released first: there may not be memory for both.
        trainer = nil
        trainer = try settings.trainer(of: base.model, beside: heldByteCount)
      } else if let trainer {
        try settings.checkBlend(beside: trainer, heldByteCount)
      }
    }
    guard let trainer else { throw .argument("the adapter has no frames to learn from") }
    let run = try Adaptation(
      settings, trainer, frames,
      labelled: LabelledFrames(
        FrameSet(judges, truths: judgeTruths), truthClasses: truthClasses),
      frameByteCount: frameByteCount, teacher: teacher,
      identity: AdapterOption.identity(of: settings))
    self.run = run
    return run
  }

  func step(_ follow: (Adaptation.Report) -> Void = { _ in }) throws(Das3Error)
    -> Adaptation.Report
  {
    let run = try started()
    // A cancellation ends one call, whether it was requested before or during this call.
    let isCancelled: () -> Bool = { self.takeCancellation() }
    guard !isCancelled() else { throw Das3Error.adapterCancelled }
    return try run.step(isCancelled: isCancelled, follow: follow)
  }

  func cancel() { cancellation.store(true, ordering: .relaxed) }

  /// Returns whether a cancellation is pending, and clears it.
  func takeCancellation() -> Bool {
    cancellation.exchange(false, ordering: .relaxed)
  }

  func save(_ path: String) throws(Das3Error) {
    try started().checkpoint.write(to: path)
  }

  func resume(_ path: String) throws(Das3Error) {
    try base.checkCopies(20)
    let checkpoint = try Checkpoint(contentsOf: path)
    if let run, run.isUntouched { self.run = nil }
    try started().resume(checkpoint)
  }

  func snapshot() throws(Das3Error) -> ModelObject {
    try base.checkCopies(3)
    var provenance = Provenance(method: settings.method.rawValue)
    if settings.hasStages {
      provenance.stages = (run?.letters ?? []).map { "\($0)" }.joined()
    }
    if run?.blend != nil { provenance.blend = run?.blend?.share }
    provenance.seed = settings.seed
    provenance.steps = run?.stepCount ?? 0
    provenance.frames = frameCount
    return try ModelObject(
      base, weights: run?.weights ?? trainer?.weights ?? base.model.onnx.weights,
      scenes: run?.scenes, provenance: provenance)
  }

  // MARK: Description

  var frameCount: Int { source?.count ?? stored.count }
  var size: (height: Int, width: Int) { trainer.map { ($0.height, $0.width) } ?? (0, 0) }
  /// What was measured; nil where nothing is.
  var profileText: String? { trainer?.profileText }
  var peakByteCount: Int { trainer?.byteCount ?? 0 }
  var multiplyAdds: Double { trainer?.multiplyAdds ?? 0 }
}
