import CDas3
import Das3Adapt
import Das3Graph
import Das3Runtime

/// What `das3_online` points to.
final class OnlineObject {
  let base: ModelObject
  private let stream: Online
  /// The only format that is accepted; 0 = any.
  let format: Int32

  init(_ base: ModelObject, _ request: OnlineRequest) throws(Das3Error) {
    self.base = base
    format = request.format
    stream = Online(request.segmenter, request.settings)
  }

  /// - Throws: `.argument` in a fork of the process that learns.
  var online: Online {
    get throws(Das3Error) {
      guard !stream.isLost else {
        throw .argument(
          "this process was forked from the one that learns, and the learning thread did not come along; expected das3_online_create here"
        )
      }
      return stream
    }
  }
}

/// The checked content of `das3_online_options`.
struct OnlineRequest {
  let segmenter: Segmenter
  let format: Int32
  let settings: OnlineSettings

  static var defaults: das3_online_options {
    let settings = OnlineSettings(
      AdaptationSettings(execution: ExecutionOptions(threads: 1), height: 0, width: 0))
    return unsafe das3_online_options(
      struct_size: 0, learning_threads: 1, segmenter: nil, adapter: nil, budget: settings.budget,
      steps_per_second: settings.stepsPerSecond, steps_per_frame: Int32(settings.stepsPerFrame),
      reservoir: Int32(settings.reservoirCount), probes: Int32(settings.probeCount),
      stage_steps: Int32(settings.stageStepCount), scene_frames: Int32(settings.sceneFrameCount),
      reserved: 0, restoration: settings.restoration)
  }

  init(_ pointer: UnsafePointer<das3_online_options>?, _ model: SegmentationModel)
    throws(Das3Error)
  {
    let options = try unsafe VersionedStruct.read(pointer, defaults: Self.defaults, "options")
    func check(_ value: Double, _ range: ClosedRange<Double>, _ name: String) throws(Das3Error) {
      guard range.contains(value) else {
        throw .argument("\(name) is \(value); expected \(range.lowerBound) to \(range.upperBound)")
      }
    }
    func count(_ value: Int32, _ range: ClosedRange<Int>, _ name: String) throws(Das3Error) -> Int {
      guard range.contains(Int(value)) else {
        throw .argument("\(name) is \(value); expected \(range.lowerBound) to \(range.upperBound)")
      }
      return Int(value)
    }
    let learningThreads = try unsafe threadCount(
      options.learning_threads, "learning_threads", from: 1)
    var adaptation = try unsafe AdapterRequest(options.adapter, model).settings
    guard adaptation.isDAS3 else {
      throw .argument(
        "adapter.method is \(adaptation.method.rawValue); expected auto or das3 for learning online"
      )
    }
    guard adaptation.sceneLimit < 2 else {
      throw .argument(
        "adapter.scenes is \(adaptation.sceneLimit); expected 0 online, where the statistics follow the stream"
      )
    }
    adaptation.execution.threads = learningThreads
    var settings = OnlineSettings(adaptation)
    try unsafe check(options.budget, 0...1, "budget")
    try unsafe check(options.steps_per_second, 0...1e6, "steps_per_second")
    try unsafe check(options.restoration, 0...1, "restoration")
    settings.budget = unsafe options.budget
    settings.stepsPerSecond = unsafe options.steps_per_second
    settings.restoration = unsafe options.restoration
    settings.stepsPerFrame = try unsafe count(options.steps_per_frame, 0...1000, "steps_per_frame")
    settings.reservoirCount = try unsafe count(options.reservoir, 16...1024, "reservoir")
    settings.probeCount = try unsafe count(options.probes, 12...256, "probes")
    settings.stageStepCount = try unsafe count(options.stage_steps, 1...1_000_000, "stage_steps")
    settings.sceneFrameCount = try unsafe count(
      options.scene_frames, 8...1_000_000, "scene_frames")
    self.settings = settings
    let request = try unsafe SegmenterRequest(options.segmenter)
    (segmenter, format) = (try request.segmenter(of: model, isOnline: true), request.format)
  }
}

@c @implementation
public func das3_online_options_init(_ options: UnsafeMutablePointer<das3_online_options>?) {
  unsafe VersionedStruct.fill(options, with: OnlineRequest.defaults)
}

@c @implementation
public func das3_online_options_init_sized(
  _ options: UnsafeMutablePointer<das3_online_options>?, _ structSize: UInt32
) {
  unsafe VersionedStruct.fill(options, with: OnlineRequest.defaults, structSize)
}

@c @implementation
public func das3_online_create(
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ model: OpaquePointer?,
  _ options: UnsafePointer<das3_online_options>?
) -> das3_status {
  unsafe status(creating: out) { () throws(Das3Error) in
    let object = try unsafe Handle.lend(model, as: ModelObject.self, "model")
    return try unsafe OnlineObject(object, OnlineRequest(options, object.model))
  }
}

@c @implementation
public func das3_online_set_ignored(
  _ online: OpaquePointer?, _ mask: UnsafePointer<UInt8>?, _ height: Int32, _ width: Int32
) -> das3_status {
  unsafe status(of: online, "online") { (object: OnlineObject) throws(Das3Error) in
    try object.online.ignore(unsafe ignoredPixels(mask, height: height, width: width))
  }
}

@c @implementation
public func das3_online_run(
  _ online: OpaquePointer?, _ image: UnsafePointer<das3_image>?,
  _ result: UnsafeMutablePointer<das3_segmentation>?
) -> das3_status {
  unsafe status(of: online, "online") { (object: OnlineObject) throws(Das3Error) in
    let (frame, results) = try unsafe segmentation(of: image, format: object.format, result)
    try object.online.segment(frame, into: results)
  }
}

@c @implementation
public func das3_online_get_report(
  _ online: OpaquePointer?, _ report: UnsafeMutablePointer<das3_online_report>?
) -> das3_status {
  unsafe status(of: online, "online") { (object: OnlineObject) throws(Das3Error) in
    try unsafe VersionedStruct.write(
      das3_online_report(object.online.report), to: report, "report")
  }
}

@c @implementation
public func das3_online_snapshot(
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ online: OpaquePointer?
) -> das3_status {
  unsafe status(creating: out) { () throws(Das3Error) in
    let object = try unsafe Handle.lend(online, as: OnlineObject.self, "online")
    return ModelObject(object.base, try object.online.published.onnx)
  }
}

@c @implementation
public func das3_online_pause(_ online: OpaquePointer?, _ paused: Int32) -> das3_status {
  unsafe status(of: online, "online") { (object: OnlineObject) throws(Das3Error) in
    guard (0...1).contains(paused) else { throw .argument("paused is \(paused); expected 0 or 1") }
    try object.online.pause(paused == 1)
  }
}

@c @implementation
public func das3_online_reset(_ online: OpaquePointer?) -> das3_status {
  unsafe status(of: online, "online") { (object: OnlineObject) throws(Das3Error) in
    try object.online.reset()
  }
}

@c @implementation
public func das3_online_save(_ online: OpaquePointer?, _ path: UnsafePointer<CChar>?)
  -> das3_status
{
  unsafe status(of: online, "online") { (object: OnlineObject) throws(Das3Error) in
    try unsafe object.online.save(to: filePath(path))
  }
}

@c @implementation
public func das3_online_resume(_ online: OpaquePointer?, _ path: UnsafePointer<CChar>?)
  -> das3_status
{
  unsafe status(of: online, "online") { (object: OnlineObject) throws(Das3Error) in
    try unsafe object.online.resume(from: filePath(path))
  }
}

@c @implementation
public func das3_online_free(_ online: OpaquePointer?) {
  unsafe Handle.end(online, as: OnlineObject.self)
}

extension das3_online_report {
  fileprivate init(_ report: Online.Report) {
    let learning = report.learning
    self.init(
      struct_size: 0, origin: learning.origin.rawValue, reason: learning.reason?.rawValue ?? 0,
      paused: report.isPaused ? 1 : 0, frame_count: Int64(report.frameCount),
      observed_count: Int64(learning.observedCount), unseen_count: Int64(learning.unseenCount),
      repeated_count: Int64(learning.repeatedCount), swap_count: Int64(report.swapCount),
      reservoir_count: Int32(learning.reservoirCount), probe_count: Int32(learning.probeCount),
      stage: Int32(learning.letter?.rawValue ?? 0),
      status: learning.failure?.code.rawValue ?? das3_status(DAS3_OK),
      veto: learning.veto?.rawValue ?? 0,
      reserved: 0, step: Int64(learning.step),
      step_count: Int64(learning.stepCount), total_step: Int64(learning.totalStep),
      judged_count: Int64(learning.judgedCount), accepted_count: Int64(learning.acceptedCount),
      held_count: Int64(learning.heldCount),
      rolled_back_count: Int64(learning.rolledBackCount),
      alarm_count: Int64(learning.alarmCount), share: learning.share, score: learning.score,
      source_score: learning.sourceScore, loss: learning.loss, seconds: learning.seconds,
      memory_bytes: UInt64(learning.byteCount), ignored_share: learning.ignoredShare,
      found_share: learning.foundShare)
  }
}
