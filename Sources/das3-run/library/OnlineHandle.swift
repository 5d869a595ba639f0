// A model and settings in, labels of frames and better models out.
import CDas3

/// Owns a `das3_online`.
@safe
final class OnlineHandle {
  private let pointer: OpaquePointer
  private let modelPath: String

  /// How much is learned, and when.
  struct Pace {
    var learningThreads = 1
    /// Share of one processor's time.
    var budget = 1.0
    /// Optimiser steps after each frame; 0 = a thread learns in the background.
    var stepsPerFrame = 0
  }

  init(
    model: ModelHandle, settings: AdapterSettings, pace: Pace, size: PixelSize?,
    shared: SharedOptions
  ) throws(Failure) {
    var created: OpaquePointer?
    var labelling = das3_segmenter_options(size, shared)
    let status = unsafe settings.withOptions { adapter in
      unsafe adapter.precision = shared.precision.code
      return unsafe withUnsafePointer(to: &adapter) { adapter in
        unsafe withUnsafePointer(to: &labelling) { labelling in
          var options = unsafe das3_online_options()
          unsafe das3_online_options_init(&options)
          unsafe options.segmenter = labelling
          unsafe options.adapter = adapter
          unsafe options.learning_threads = UInt32(clamping: pace.learningThreads)
          unsafe options.budget = pace.budget
          unsafe options.steps_per_frame = Int32(clamping: pace.stepsPerFrame)
          return unsafe das3_online_create(&created, model.pointer, &options)
        }
      }
    }
    try NetworkSize.check(status, size, model)
    guard let online = unsafe created else {
      throw Failure("\(model.path): nothing that learns was created")
    }
    unsafe pointer = online
    modelPath = model.path
  }

  deinit {
    unsafe das3_online_free(pointer)
  }

  /// Lets pixels count for nothing; before the first frame.
  func ignore(_ mask: IgnoredArea.Mask) throws(Failure) {
    let (height, width) = (Int32(clamping: mask.size.height), Int32(clamping: mask.size.width))
    try Failure.check(
      unsafe das3_online_set_ignored(pointer, mask.values, height, width), "--ignore")
  }

  /// Labels a frame into the buffers of `result`, and lets it be learned from.
  func segment(_ frame: Frame, into result: inout Segmentation) throws(Failure) {
    try unsafe result.fill(of: frame) { image, buffers in
      unsafe das3_online_run(pointer, &image, &buffers)
    }
  }

  func report() throws(Failure) -> das3_online_report {
    var report = das3_online_report()
    report.struct_size = UInt32(MemoryLayout<das3_online_report>.stride)
    try Failure.check(unsafe das3_online_get_report(pointer, &report), modelPath)
    return report
  }

  /// A model of the weights in use.
  func snapshot() throws(Failure) -> ModelHandle {
    var created: OpaquePointer?
    try Failure.check(unsafe das3_online_snapshot(&created, pointer), modelPath)
    guard let model = unsafe created else { throw Failure("\(modelPath): no model was made") }
    return try unsafe ModelHandle(owning: model, path: modelPath)
  }

  /// Writes what was learned; a file that is there is replaced when the new one is complete.
  func save(to path: String) throws(Failure) {
    try LibraryPath.writing(path) { plain throws(Failure) in
      try Failure.check(unsafe das3_online_save(pointer, plain), path, calledHere: plain)
    }
  }

  /// Goes on with what was learned before.
  func resume(from path: String) throws(Failure) {
    try LibraryPath.reading(path) { plain throws(Failure) in
      try Failure.check(unsafe das3_online_resume(pointer, plain), path, calledHere: plain)
    }
  }
}

extension das3_online_report {
  /// Which weights label, in a word or two.
  var originName: String {
    switch origin {
    case Int32(DAS3_GUARD_ORIGIN_SOURCE.rawValue): "source"
    case Int32(DAS3_GUARD_ORIGIN_BLEND.rawValue): "blend"
    default: String(UnicodeScalar(UInt8(clamping: origin)))
    }
  }

  /// Every field of learning under its own name.
  var json: [JsonValue.Member] {
    func count(_ value: Int64) -> JsonValue { .integer(Int(value)) }
    return [
      (key: "weights", value: .string(originName)), (key: "share", value: .number(share)),
      (key: "reason", value: .text(AdapterHandle.meaning(ofGuardReason: reason))),
      (key: "M", value: .rounded(score, 5)), (key: "M_source", value: .rounded(source_score, 5)),
      (key: "observed", value: count(observed_count)), (key: "unseen", value: count(unseen_count)),
      (key: "repeated", value: count(repeated_count)), (key: "steps", value: count(total_step)),
      (key: "judged", value: count(judged_count)), (key: "accepted", value: count(accepted_count)),
      (key: "held", value: count(held_count)),
      (key: "rolled_back", value: count(rolled_back_count)),
      (key: "alarms", value: count(alarm_count)), (key: "swaps", value: count(swap_count)),
      (key: "ignored_share", value: .rounded(ignored_share, 5)),
      (key: "found_share", value: .rounded(found_share, 5)),
      (key: "learning_seconds", value: .rounded(seconds, 3)),
      (key: "memory_bytes", value: .integer(Int(clamping: memory_bytes))),
    ]
  }
}
