// A model, settings and frames in, training steps and better models out.
import CDas3

/// Owns a `das3_adapter`.
@safe
final class AdapterHandle {
  enum Pace {
    case goOn
    case pause
  }

  private let pointer: OpaquePointer
  private let modelPath: String
  /// What the library calls back, for as long as it may.
  private var feed: FrameFeed?
  private var predictions: StoredPredictions?

  init(
    model: ModelHandle, settings: AdapterSettings, size: PixelSize?, shared: SharedOptions
  ) throws(Failure) {
    var created: OpaquePointer?
    let status = unsafe settings.withOptions { options in
      unsafe options.threads = shared.wantedThreads
      unsafe options.height = Int32(size?.height ?? 0)
      unsafe options.width = Int32(size?.width ?? 0)
      unsafe options.precision = shared.precision.code
      unsafe options.memory_limit = shared.memoryLimit.bytes
      return unsafe das3_adapter_create(&created, model.pointer, &options)
    }
    try NetworkSize.check(status, size, model)
    guard let adapter = unsafe created else {
      throw Failure("\(model.path): no adapter was created")
    }
    unsafe pointer = adapter
    modelPath = model.path
  }

  deinit {
    unsafe das3_adapter_free(pointer)
  }

  /// Lets pixels count for nothing; before the first step.
  func ignore(_ mask: IgnoredArea.Mask) throws(Failure) {
    let (height, width) = (Int32(clamping: mask.size.height), Int32(clamping: mask.size.width))
    try Failure.check(
      unsafe das3_adapter_set_ignored(pointer, mask.values, height, width), "--ignore")
  }

  /// Copies a frame to learn from, with its truth for a method that wants it.
  ///
  /// Returns false where the memory limit has no room for it.
  func add(_ frame: Frame, truth: [UInt8]? = nil) throws(Failure) -> Bool {
    if let truth, truth.count != frame.size.pixelCount {
      throw Failure("\(truth.count) truth values do not fit \(frame.name), which is \(frame.size)")
    }
    let status = unsafe frame.pixels.withUnsafeBufferPointer { pixels in
      var image = unsafe das3_image(frame, pixels: pixels.baseAddress)
      guard let truth else { return unsafe das3_adapter_add_frame(pointer, &image) }
      return unsafe truth.withUnsafeBufferPointer { truth in
        unsafe das3_adapter_add_labelled_frame(pointer, &image, truth.baseAddress)
      }
    }
    guard status != DAS3_E_MEMORY else { return false }
    try Failure.check(status, frame.name)
    return true
  }

  /// Says which class of the truth each class of the model counts as, 255 = none.
  func setTruthClasses(_ classes: [UInt8]) throws(Failure) {
    let status = unsafe classes.withUnsafeBufferPointer { classes in
      unsafe das3_adapter_set_truth_classes(pointer, classes.baseAddress, Int32(classes.count))
    }
    try Failure.check(status, modelPath)
  }

  /// Takes the frames from a reader instead, as they are needed.
  func setSource(_ feed: FrameFeed) throws(Failure) {
    self.feed = feed
    var source = unsafe feed.source
    try Failure.check(unsafe das3_adapter_set_source(pointer, &source), modelPath)
  }

  /// Takes the first labels from another network.
  func setTeacher(_ model: ModelHandle) throws(Failure) {
    var teacher = unsafe das3_teacher()
    unsafe teacher.struct_size = UInt32(MemoryLayout<das3_teacher>.stride)
    unsafe teacher.model = model.pointer
    try Failure.check(unsafe das3_adapter_set_teacher(pointer, &teacher), model.path)
  }

  /// Takes the first labels from files.
  func setTeacher(_ predictions: StoredPredictions) throws(Failure) {
    self.predictions = predictions
    var teacher = unsafe predictions.teacher
    try Failure.check(unsafe das3_adapter_set_teacher(pointer, &teacher), modelPath)
  }

  /// One optimiser step, and before it whatever labels it needs; nothing after the last.
  @discardableResult
  func step() throws(Failure) -> das3_adapter_report {
    var report = das3_adapter_report()
    report.struct_size = UInt32(MemoryLayout<das3_adapter_report>.stride)
    try check(unsafe das3_adapter_step(pointer, &report))
    return report
  }

  /// Steps to the end of the schedule, or until `follow` pauses.
  /// - Parameter follow: is told of every step, and of labels while they are made; to pause among
  ///   labels drops those of their stage.
  /// - Throws: `Failure`, also what `follow` throws.
  func run(_ follow: @escaping (das3_adapter_report) throws(Failure) -> Pace) throws(Failure) {
    let follower = Follower { [unowned self] report throws(Failure) in
      let pace = try follow(report)
      if pace == .pause, report.labelling != 0 { unsafe das3_adapter_cancel(pointer) }
      return pace
    }
    let status = unsafe das3_adapter_run(
      pointer,
      { report, payload in
        guard let report = unsafe report, let payload = unsafe payload else { return 1 }
        let follower = unsafe Unmanaged<Follower>.fromOpaque(payload).takeUnretainedValue()
        return follower.take(unsafe report.pointee) == .pause ? 1 : 0
      }, Unmanaged.passUnretained(follower).toOpaque())
    if let failure = follower.failure { throw failure }
    if status != DAS3_E_CANCELLED { try check(status) }
  }

  /// A model of the weights as they are now.
  func snapshot() throws(Failure) -> ModelHandle {
    var created: OpaquePointer?
    try Failure.check(unsafe das3_adapter_snapshot(&created, pointer), modelPath)
    guard let model = unsafe created else { throw Failure("\(modelPath): no model was made") }
    return try unsafe ModelHandle(owning: model, path: modelPath)
  }

  /// Writes a checkpoint; one that is there is replaced when the new one is complete.
  func save(to path: String) throws(Failure) {
    try LibraryPath.writing(path) { plain throws(Failure) in
      try Failure.check(unsafe das3_adapter_save(pointer, plain), path, calledHere: plain)
    }
  }

  /// Goes on where a checkpoint was written.
  func resume(from path: String) throws(Failure) {
    try LibraryPath.reading(path) { plain throws(Failure) in
      try Failure.check(unsafe das3_adapter_resume(pointer, plain), path, calledHere: plain)
    }
  }

  /// Measures each step of the network from now on.
  func measureSteps() throws(Failure) {
    try Failure.check(unsafe das3_adapter_set_profile(pointer, 1), modelPath)
  }

  /// What was measured.
  func profile() throws(Failure) -> StepProfile {
    try unsafe StepProfile { text in unsafe das3_adapter_get_profile(pointer, &text) }
  }

  /// What was prepared; sizes are known once the first frame has come.
  func describe() throws(Failure) -> Workload {
    var info = unsafe das3_adapter_info()
    unsafe info.struct_size = UInt32(MemoryLayout<das3_adapter_info>.stride)
    try Failure.check(unsafe das3_adapter_get_info(pointer, &info), modelPath)
    return unsafe Workload(
      size: PixelSize(width: Int(info.width), height: Int(info.height)),
      threadCount: Int(info.threads), precision: Precision(code: info.precision) ?? .f32,
      peakBytes: info.peak_bytes, multiplyAdds: info.multiply_adds)
  }

  /// Why a blend has left the source as it is; nil where it has compared candidates.
  static func meaning(ofBlendReason reason: Int32) -> String? {
    reason == 0 ? nil : unsafe String(cString: das3_blend_reason_text(reason))
  }

  /// Why a guarded run has kept the source; nil where it has not.
  static func meaning(ofGuardReason reason: Int32) -> String? {
    reason == 0 ? nil : unsafe String(cString: das3_guard_reason_text(reason))
  }

  /// Prefers our own words where a callback of ours has failed.
  private func check(_ status: das3_status) throws(Failure) {
    guard status != DAS3_OK else { return }
    if let failure = feed?.failure ?? predictions?.failure { throw failure }
    try Failure.check(status)
  }

  /// Carries a closure, and what it throws, through the library.
  private final class Follower {
    private let follow: (das3_adapter_report) throws(Failure) -> Pace
    private(set) var failure: Failure?

    init(_ follow: @escaping (das3_adapter_report) throws(Failure) -> Pace) {
      self.follow = follow
    }

    func take(_ report: das3_adapter_report) -> Pace {
      do throws(Failure) {
        return try follow(report)
      } catch {
        failure = error
        return .pause
      }
    }
  }
}
