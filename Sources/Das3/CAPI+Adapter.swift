import CDas3
import Das3Adapt
import Das3Graph
import Das3Runtime

@c @implementation
public func das3_adapter_options_init(_ options: UnsafeMutablePointer<das3_adapter_options>?) {
  unsafe VersionedStruct.fill(options, with: AdapterRequest.defaults)
}

@c @implementation
public func das3_adapter_options_init_sized(
  _ options: UnsafeMutablePointer<das3_adapter_options>?, _ structSize: UInt32
) {
  unsafe VersionedStruct.fill(options, with: AdapterRequest.defaults, structSize)
}

@c @implementation
public func das3_adapter_options_get(
  _ index: Int32, _ option: UnsafeMutablePointer<das3_option>?
) -> das3_status {
  status { () throws(Das3Error) in
    guard AdapterOption.all.indices.contains(Int(index)) else {
      throw .argument("option \(index); there are \(AdapterOption.all.count), counted from 0")
    }
    let entry = AdapterOption.all[Int(index)]
    let value = unsafe das3_option(
      struct_size: 0, kind: Int32(entry.kind.rawValue), name: entry.name.start,
      offset: UInt64(entry.offset), words: entry.words.start, range: entry.range.start,
      meaning: entry.meaning.start)
    try unsafe VersionedStruct.write(value, to: option, "option")
  }
}

@c @implementation
public func das3_adapter_create(
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ model: OpaquePointer?,
  _ options: UnsafePointer<das3_adapter_options>?
) -> das3_status {
  unsafe status(creating: out) { () throws(Das3Error) in
    let object = try unsafe Handle.lend(model, as: ModelObject.self, "model")
    return try unsafe AdapterObject(object, AdapterRequest(options, object.model))
  }
}

@c @implementation
public func das3_adapter_add_frame(_ adapter: OpaquePointer?, _ image: UnsafePointer<das3_image>?)
  -> das3_status
{
  unsafe perform(adapter) { object throws(Das3Error) in
    try unsafe object.add(Frame(image), truth: nil)
  }
}

@c @implementation
public func das3_adapter_add_labelled_frame(
  _ adapter: OpaquePointer?, _ image: UnsafePointer<das3_image>?, _ truth: UnsafePointer<UInt8>?
) -> das3_status {
  unsafe perform(adapter) { object throws(Das3Error) in
    let frame = try unsafe Frame(image)
    guard let truth = unsafe truth else { throw .argument("truth is NULL") }
    let labels = unsafe Array(UnsafeBufferPointer(start: truth, count: frame.height * frame.width))
    try object.add(
      frame, truth: FrameSet.Truth(height: frame.height, width: frame.width, labels: labels))
  }
}

@c @implementation
public func das3_adapter_set_truth_classes(
  _ adapter: OpaquePointer?, _ truthClasses: UnsafePointer<UInt8>?, _ classCount: Int32
) -> das3_status {
  unsafe perform(adapter) { object throws(Das3Error) in
    guard classCount >= 0, unsafe classCount == 0 || truthClasses != nil else {
      throw .argument("\(classCount) classes, or truth_classes is NULL")
    }
    let classes = unsafe Array(UnsafeBufferPointer(start: truthClasses, count: Int(classCount)))
    try object.setTruthClasses(classes)
  }
}

@c @implementation
public func das3_adapter_set_source(
  _ adapter: OpaquePointer?, _ source: UnsafePointer<das3_frame_source>?
) -> das3_status {
  unsafe perform(adapter) { object throws(Das3Error) in
    try unsafe object.setSource(
      FrameSet(source, channelCount: object.base.model.channelCount))
  }
}

@c @implementation
public func das3_adapter_set_teacher(
  _ adapter: OpaquePointer?, _ teacher: UnsafePointer<das3_teacher>?
) -> das3_status {
  unsafe perform(adapter) { object throws(Das3Error) in
    guard unsafe teacher != nil else { throw .argument("teacher is NULL") }
    let request = try unsafe VersionedStruct.read(teacher, defaults: das3_teacher(), "teacher")
    if unsafe request.model != nil {
      let model = try unsafe Handle.lend(request.model, as: ModelObject.self, "teacher.model")
      try object.setTeacher { settings throws(Das3Error) in
        try ModelTeacher(
          model.model, student: object.base.model, options: settings.execution,
          memoryLimit: settings.memoryLimit)
      }
    } else {
      let callback = try unsafe CallbackTeacher(request, classCount: object.base.model.classCount)
      try object.setTeacher { _ in callback }
    }
  }
}

@c @implementation
public func das3_adapter_set_ignored(
  _ adapter: OpaquePointer?, _ mask: UnsafePointer<UInt8>?, _ height: Int32, _ width: Int32
) -> das3_status {
  unsafe perform(adapter) { object throws(Das3Error) in
    try object.ignore(unsafe ignoredPixels(mask, height: height, width: width))
  }
}

@c @implementation
public func das3_adapter_step(
  _ adapter: OpaquePointer?, _ report: UnsafeMutablePointer<das3_adapter_report>?
) -> das3_status {
  unsafe perform(adapter) { object throws(Das3Error) in
    // A report that cannot be written is refused before the step is taken.
    _ = try unsafe VersionedStruct.read(report, defaults: das3_adapter_report(), "report")
    let done = try object.step()
    guard let report = unsafe report else { return }
    try unsafe VersionedStruct.write(das3_adapter_report(done), to: report, "report")
  }
}

@c @implementation
public func das3_adapter_run(
  _ adapter: OpaquePointer?, _ progress: das3_progress?, _ payload: UnsafeMutableRawPointer?
) -> das3_status {
  unsafe perform(adapter) { object throws(Das3Error) in
    var isPaused = false
    func follow(_ report: Adaptation.Report) {
      var record = das3_adapter_report(report)
      record.struct_size = UInt32(MemoryLayout<das3_adapter_report>.size)
      object.report {
        if let progress = unsafe progress, unsafe progress(&record, payload) != 0 {
          isPaused = true
        }
      }
    }
    while !isPaused {
      // A run that makes labels can only be cancelled: a pause would lose the unfinished labels.
      let report = try object.step(follow)
      if report.isDone, report.step == 0 { return }
      follow(report)
      // A cancellation from the last report of the schedule has no effect.
      let isCancelled = (report.isDone || isPaused) && object.takeCancellation()
      if report.isDone { return }
      if isCancelled { throw Das3Error.adapterCancelled }
    }
  }
}

@c @implementation
public func das3_adapter_cancel(_ adapter: OpaquePointer?) -> das3_status {
  unsafe status(of: adapter, "adapter") { (object: AdapterObject) in object.cancel() }
}

@c @implementation
public func das3_adapter_snapshot(
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ adapter: OpaquePointer?
) -> das3_status {
  unsafe status(creating: out) { () throws(Das3Error) in
    let object = try unsafe Handle.lend(adapter, as: AdapterObject.self, "adapter")
    return try object.perform(#function, alsoInReports: true) {
      () throws(Das3Error) in try object.snapshot()
    }
  }
}

@c @implementation
public func das3_adapter_save(_ adapter: OpaquePointer?, _ path: UnsafePointer<CChar>?)
  -> das3_status
{
  unsafe perform(adapter, alsoInReports: true) { object throws(Das3Error) in
    try unsafe object.save(filePath(path))
  }
}

@c @implementation
public func das3_adapter_resume(_ adapter: OpaquePointer?, _ path: UnsafePointer<CChar>?)
  -> das3_status
{
  unsafe perform(adapter) { object throws(Das3Error) in try unsafe object.resume(filePath(path)) }
}

@c @implementation
public func das3_adapter_get_info(
  _ adapter: OpaquePointer?, _ info: UnsafeMutablePointer<das3_adapter_info>?
) -> das3_status {
  unsafe status(of: adapter, "adapter") { (object: AdapterObject) throws(Das3Error) in
    let execution = object.settings.execution
    let value = unsafe das3_adapter_info(
      struct_size: 0, height: Int32(object.size.height), width: Int32(object.size.width),
      threads: Int32(execution.threads), precision: execution.precision.code, reserved: 0,
      frame_count: Int64(object.frameCount), peak_bytes: UInt64(object.peakByteCount),
      multiply_adds: object.multiplyAdds, backend: object.backendName.start)
    try unsafe VersionedStruct.write(value, to: info, "info")
  }
}

@c @implementation
public func das3_blend_reason_text(_ reason: Int32) -> UnsafePointer<CChar>? {
  unsafe StaticStrings.blendReasons[reason]?.start ?? StaticStrings.empty.start
}

@c @implementation
public func das3_guard_reason_text(_ reason: Int32) -> UnsafePointer<CChar>? {
  unsafe StaticStrings.guardReasons[reason]?.start ?? StaticStrings.empty.start
}

@c @implementation
public func das3_adapter_free(_ adapter: OpaquePointer?) {
  unsafe Handle.end(adapter, as: AdapterObject.self)
}

/// The body of a function that callbacks of the same adapter must not call.
///
/// With `alsoInReports` the progress callback may call it nevertheless.
func perform(
  _ adapter: OpaquePointer?, alsoInReports: Bool = false, function: String = #function,
  _ body: (AdapterObject) throws(Das3Error) -> Void
) -> das3_status {
  unsafe status(of: adapter, "adapter") { (object: AdapterObject) throws(Das3Error) in
    try object.perform(function, alsoInReports: alsoInReports) { () throws(Das3Error) in
      try body(object)
    }
  }
}

extension das3_adapter_report {
  fileprivate init(_ report: Adaptation.Report) {
    self.init()
    stage = Int32(report.letter?.rawValue ?? 0)
    (step, step_count) = (Int64(report.step), Int64(report.stepCount))
    (total_step, total_step_count) = (Int64(report.totalStep), Int64(report.totalStepCount))
    round = Int32(report.round)
    labelling = report.labelled == nil ? 0 : 1
    (labels_done, label_count) = (Int64(report.labelled ?? 0), Int64(report.labelCount))
    skipped = report.isSkipped ? 1 : 0
    stage_done = report.isStageDone ? 1 : 0
    stopped_early = report.isStoppedEarly ? 1 : 0
    done = report.isDone ? 1 : 0
    loss = report.losses.total
    focal_entropy = report.losses.focalEntropy
    diversity = report.losses.diversity
    positive = report.losses.positive
    negative = report.losses.negative
    mixed = report.losses.mixed
    entropy = report.losses.entropy
    max_square = report.losses.maxSquare
    truth = report.losses.truth
    consistency = report.losses.consistency
    label_coverage = report.labelCoverage
    agreement = report.agreement
    gradient_norm = report.gradientNorm
    learning_rate = report.learningRate
    seconds = report.seconds
    network_seconds = report.networkSeconds
    memory_bytes = UInt64(report.byteCount)
    blending = report.isBlending ? 1 : 0
    if let blend = report.blend { take(blend) }
    judging = report.isJudging ? 1 : 0
    if let record = report.guardRecord { take(record) }
    (ignored_share, found_share) = (report.ignoredShare, report.foundShare)
  }

  private mutating func take(_ record: GuardRecord) {
    guard_count = Int32(record.candidates.count)
    guard_choice = Int32(record.choice)
    guard_done = record.isFinal ? 1 : 0
    guard_reason = record.reason?.rawValue ?? 0
    guard_seconds = record.seconds
    unsafe withUnsafeMutableBytes(of: &self.guard) { bytes in
      let slots = unsafe bytes.bindMemory(to: das3_guard_candidate.self)
      for (slot, candidate) in zip(slots.indices, record.candidates) {
        unsafe slots[slot] = das3_guard_candidate(
          origin: candidate.origin.rawValue, veto: candidate.veto?.rawValue ?? 0,
          accepted: candidate.isAccepted ? 1 : 0, reserved: 0, share: candidate.share,
          information: candidate.information, agreement: candidate.agreement,
          divergence: candidate.divergence, score: candidate.score,
          entropy: candidate.entropy, shift: candidate.shift, wins: candidate.wins,
          miou: candidate.meanIoU ?? -1, probability: candidate.probability ?? -1)
      }
    }
  }

  private mutating func take(_ record: BlendRecord) {
    blend_done = 1
    blend_count = Int32(record.candidates.count)
    blend_choice = Int32(record.choice)
    blend_share = record.share
    blend_seconds = record.seconds
    blend_reason = record.reason?.rawValue ?? 0
    if let scenes = record.scenes {
      scene_count = Int32(scenes.frameCounts.count)
      scenes_used = scenes.choice == nil ? 0 : 1
      scene_share = scenes.share ?? 0
      scene_frames = sceneFrames(scenes.frameCounts)
    }
    unsafe withUnsafeMutableBytes(of: &blend) { bytes in
      let slots = unsafe bytes.bindMemory(to: das3_blend_candidate.self)
      for (slot, candidate) in zip(slots.indices, record.candidates) {
        unsafe slots[slot] = das3_blend_candidate(
          share: candidate.share, information: candidate.information,
          agreement: candidate.agreement, divergence: candidate.divergence,
          score: candidate.score, miou: candidate.meanIoU ?? -1)
      }
    }
  }
}
