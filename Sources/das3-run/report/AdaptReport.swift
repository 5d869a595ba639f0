// Steps and measurements in, what `adapt` prints out.
import CDas3

final class AdaptReport {
  private let isJson: Bool
  let before: EvaluatorHandle.Result?
  private(set) var after: EvaluatorHandle.Result?
  private(set) var history = AdaptHistory()
  private let start = ContinuousClock.now
  /// When the stage began; measurements move it on by the time that they take.
  private var stageStart = ContinuousClock.now
  private var lastFollowed = ContinuousClock.now
  private var progress: ProgressBar?
  private var labelProgress: ProgressBar?
  /// The last report of the adapter, which has no step where nothing was left to do.
  private(set) var last: das3_adapter_report?
  /// The part of the pixels that was said to be ignored.
  private var ignoredShare = 0.0
  /// The stage of the last step that was not the guard's.
  private var lastStage: String?
  /// How many training steps were followed, and how many of them changed no weight.
  private var followedCount = 0
  private var skippedCount = 0
  /// How many steps the model has taken, including those before the checkpoint.
  private(set) var stepCount = 0
  /// Whether the run goes on from a checkpoint and this is not reported yet.
  private var isResumed: Bool

  init(isJson: Bool, before: EvaluatorHandle.Result?, isResumed: Bool) throws(Failure) {
    self.isJson = isJson
    self.isResumed = isResumed
    self.before = before
    guard let before else { return }
    history.add(before, name: "source")
    try printMeasurement(before, step: 0, stage: nil)
  }

  /// Reports a step, or the progress of labels, while the adapter runs.
  func follow(_ report: das3_adapter_report) throws(Failure) {
    defer { lastFollowed = .now }
    stepCount = Int(report.total_step)
    if isResumed { try printResumed(report) }
    guard report.labelling == 0 else { return followLabels(report) }
    if labelProgress != nil, isJson { try printLabels(report) }
    labelProgress = nil
    last = report
    if report.judging == 0 { lastStage = report.stageName }
    // Nothing was left to do.
    guard report.step > 0 else { return }
    history.add(report)
    if report.ignored_share != ignoredShare { try printIgnored(report) }
    followedCount += report.blending == 0 && report.judging == 0 ? 1 : 0
    skippedCount += report.skipped != 0 ? 1 : 0
    if isJson { try report.json.printLine() }
    var bar = progress ?? ProgressBar(title: "adapt", count: nil, unit: "steps")
    // The total shrinks where a stage ends early.
    bar.count = Int(report.total_step_count)
    bar.update(
      finished: Int(report.total_step), detail: "\(report.place)  loss \(brief(report.loss))")
    progress = bar
    guard report.stage_done != 0 else { return }
    let seconds = (ContinuousClock.now - stageStart).seconds
    stageStart = .now
    if report.judging != 0 { return try printGuard(report) }
    if report.blending != 0 {
      // A guard that ends here has compared nothing, and says why itself.
      if report.blend_done != 0, isJson || report.guard_reason == 0 { try printBlend(report) }
      // Nothing else follows.
      if report.guard_done != 0 { try printGuard(report) }
      return
    }
    try printText(
      "\(report.place) in \(fixed(seconds, 1)) s\(report.stopped_early != 0 ? ", early" : ""): "
        + "loss \(brief(report.loss)), entropy \(brief(report.entropy))")
  }

  /// Which part of the pixels counts for nothing, and why; nil where all count.
  var ignoredPart: String? {
    last.flatMap { IgnoredArea.part($0.ignored_share, found: $0.found_share) }
  }

  private func printIgnored(_ report: das3_adapter_report) throws(Failure) {
    ignoredShare = report.ignored_share
    guard isJson else { return try printText("ignored: \(ignoredPart ?? "nothing")") }
    try JsonValue.printEvent(
      "ignored",
      [
        (key: "share", value: .rounded(report.ignored_share, 5)),
        (key: "found_share", value: .rounded(report.found_share, 5)),
      ])
  }

  /// Reports how far the statistics were moved, and the scores by which that was chosen.
  private func printBlend(_ report: das3_adapter_report) throws(Failure) {
    guard !isJson else {
      guard case .object(let members) = report.blendJson else { return }
      return try JsonValue.printEvent("blend", members)
    }
    let head = "blend in \(fixed(report.blend_seconds, 1)) s"
    if let reason = AdapterHandle.meaning(ofBlendReason: report.blend_reason) {
      return try printText("\(head): the network stays as it is: \(reason)")
    }
    var table = Table([.left, .right, .right, .right, .right, .right])
    let hasLabels = report.candidates.contains(where: \.hasLabels)
    table.add(["  share", "M", "IM", "F", "V"] + (hasLabels ? ["mIoU"] : []))
    for candidate in report.candidates {
      let mark = candidate.share == report.blend_share ? "* " : "  "
      let labels = hasLabels ? [fixed(candidate.miou * 100, 2)] : []
      table.add(
        [
          mark + fixed(candidate.share, 2), fixed(candidate.score, 3),
          fixed(candidate.information, 3), fixed(candidate.agreement, 3),
          fixed(candidate.divergence, 4),
        ] + labels)
    }
    let choice =
      report.blend_share == 0
      ? "the network's own statistics fit best"
      : "statistics are moved \(fixed(report.blend_share * 100, 0)) % of the way to these frames'"
    try printText("\(head): \(choice)\n\(table.text)")
    if report.scene_count > 0 {
      let frames = report.sceneFrames.map(String.init).joined(separator: ", ")
      let use =
        report.scenes_used != 0
        ? "each has its own statistics, \(fixed(report.scene_share * 100, 0)) % of the way to its frames'"
        : "one set of statistics for all is better"
      try printText("\(report.scene_count) scenes of \(frames) frames: \(use)")
    }
  }

  /// Prints what the guard has judged by the probes, and which weights the run goes on with.
  private func printGuard(_ report: das3_adapter_report) throws(Failure) {
    guard !isJson else {
      guard case .object(let members) = report.guardJson else { return }
      return try JsonValue.printEvent("guard", members)
    }
    guard report.guard_done != 0 else {
      guard let judged = report.judged.last else { return }
      let verdict =
        judged.objection.map { "refused, \($0)" }
        ?? (judged.accepted != 0 ? "the best so far" : "no better than the best so far")
      let labels =
        judged.hasLabels
        ? ", mIoU \(fixed(judged.miou * 100, 2)), P \(fixed(judged.probability, 2))"
        : ""
      return try printText(
        "guard: \(judged.name): M \(fixed(judged.score, 3)), wins \(fixed(judged.wins * 100, 0)) %\(labels): \(verdict)"
      )
    }
    let head = "guard in \(fixed(report.guard_seconds, 1)) s"
    // Why is said once, with the name of the output.
    guard report.guard_reason == 0 || report.guard_count > 1 else {
      return try printText("\(head): the source network stays")
    }
    let judged = report.judged
    let hasLabels = judged.contains(where: \.hasLabels)
    let numbers = ["M", "IM", "F", "entropy", "wins"] + (hasLabels ? ["mIoU", "P"] : [])
    var table = Table([.left] + numbers.map { _ in .right } + [.left])
    table.add(["  weights"] + numbers)
    for (index, candidate) in judged.enumerated() {
      let labels = [
        fixed(candidate.miou * 100, 2), index == 0 ? "" : fixed(candidate.probability, 2),
      ]
      table.add(
        [
          (index == Int(report.guard_choice) ? "* " : "  ") + candidate.name,
          fixed(candidate.score, 3), fixed(candidate.information, 3),
          fixed(candidate.agreement, 3), fixed(candidate.entropy, 3),
          index == 0 ? "" : "\(fixed(candidate.wins * 100, 0)) %",
        ] + (hasLabels ? labels : []) + [candidate.objection ?? ""])
    }
    try printText("\(head): \(judged[Int(report.guard_choice)].name) is the result\n\(table.text)")
  }

  /// Why the guard has kept the source; nil where it has not.
  var reasonForSource: String? {
    last.flatMap { AdapterHandle.meaning(ofGuardReason: $0.guard_reason) }
  }

  /// Reports a measurement during the run.
  func add(_ result: EvaluatorHandle.Result, at report: das3_adapter_report) throws(Failure) {
    stageStart += ContinuousClock.now - lastFollowed
    history.measuringSeconds += (ContinuousClock.now - lastFollowed).seconds
    history.add(result, name: nil)
    try printMeasurement(result, step: Int(report.total_step), stage: report.stageName)
  }

  /// Erases the progress bars, so that other output starts on an empty line.
  func clearProgress() {
    progress?.clear()
    labelProgress?.clear()
  }

  /// Reports the measurement at the end, beside the one before the run.
  func finish(after result: EvaluatorHandle.Result) throws(Failure) {
    after = result
    history.measuringSeconds += (ContinuousClock.now - lastFollowed).seconds
    history.add(result, name: "result")
    try printMeasurement(result, step: stepCount, stage: last?.stageName)
    guard let before else { return }
    var table = Table([.left, .right, .right, .right])
    table.add("", "before", "after", "change")
    for (old, new) in zip(before.rows(decimals: 2), result.rows(decimals: 2)) {
      let values = [old.value, new.value].compactMap(Double.init)
      let change = values.count == 2 ? values[1] - values[0] : nil
      let text = change.map { ($0 < 0 ? "" : "+") + fixed($0, 2) } ?? ""
      table.add(old.name, old.value, new.value, text)
    }
    try printText("\n" + table.text)
  }

  /// How long the run has taken, without what came before its first step.
  var seconds: Double { (ContinuousClock.now - start).seconds }

  /// Whether the schedule is complete.
  var isDone: Bool { last.map { $0.done != 0 } ?? false }

  /// Prints the summary: `facts` of the command, and which parts of `schedule` are done.
  func finish(
    _ facts: [JsonValue.Member], schedule: [String], frameCount: Int, workload: Workload,
    output: String
  ) throws(Failure) {
    warn()
    let stages = stagesDone(of: schedule)
    guard isJson else {
      let steps = "\(counted(stepCount, "step")) on \(counted(frameCount, "frame"))"
      let done = stages.isEmpty ? "nothing" : stages.joined(separator: ", ")
      let pause = isDone ? "" : ", paused (done: \(done))"
      let memory = ByteCount(bytes: workload.peakBytes).text
      return try printText(
        "\(output): \(steps) in \(fixed(seconds, 1)) s\(pause); "
          + "network \(workload.size), \(memory)")
    }
    let own: [JsonValue.Member] = [
      (key: "frames", value: .integer(frameCount)),
      (key: "steps", value: .integer(stepCount)),
      (key: "skipped", value: .integer(skippedCount)),
      (key: "done", value: .bool(isDone)),
      (key: "stages_done", value: .array(stages.map(JsonValue.string))),
      (key: "seconds", value: .rounded(seconds, 3)),
      (key: "width", value: .integer(workload.size.width)),
      (key: "height", value: .integer(workload.size.height)),
      (key: "threads", value: .integer(workload.threadCount)),
      (key: "precision", value: .string(workload.precision.rawValue)),
      (key: "peak_bytes", value: .integer(Int(clamping: workload.peakBytes))),
      (key: "ignored_share", value: .rounded(last?.ignored_share ?? 0, 5)),
      (key: "found_share", value: .rounded(last?.found_share ?? 0, 5)),
      (key: "blend", value: last?.blendJson ?? .null),
      (key: "guard", value: last?.guardJson ?? .null),
      (key: "miou_before", value: before.map { .rounded($0.miou * 100, 2) } ?? .null),
      (key: "miou_after", value: after.map { .rounded($0.miou * 100, 2) } ?? .null),
      (key: "output", value: .string(output)),
    ]
    try JsonValue.printEvent("summary", facts + own)
  }

  /// The stages that are complete, including those before a checkpoint.
  private func stagesDone(of schedule: [String]) -> [String] {
    guard let last else { return [] }
    if last.done != 0 { return schedule }
    guard let place = schedule.firstIndex(of: lastStage ?? schedule.last ?? "") else { return [] }
    let isComplete = last.stage_done != 0 || last.judging != 0
    return Array(schedule[..<(place + (isComplete ? 1 : 0))])
  }

  /// Warns where training has not worked.
  private func warn() {
    clearProgress()
    if skippedCount > 0 {
      Terminal.note(
        "skipped \(skippedCount) of \(followedCount) steps: their gradient was not finite, or no pixel counted"
      )
    }
    if let last, !last.loss.isFinite || !last.entropy.isFinite {
      Terminal.note("the losses of the last step are not finite")
    }
  }

  /// Reports, with the first report of the adapter, at which step the run goes on.
  private func printResumed(_ report: das3_adapter_report) throws(Failure) {
    isResumed = false
    let isFinished = report.labelling == 0 && report.step == 0
    let taken = isFinished || report.labelling != 0 ? stepCount : stepCount - 1
    guard isJson else {
      return Terminal.note(
        isFinished
          ? "the checkpoint is finished: nothing to do"
          : "goes on at step \(taken + 1) of \(report.total_step_count)")
    }
    try JsonValue.printEvent(
      "resumed", [(key: "step", value: .integer(taken)), (key: "done", value: .bool(isFinished))])
  }

  private func followLabels(_ report: das3_adapter_report) {
    var bar = labelProgress ?? ProgressBar(title: "labels", count: Int(report.label_count))
    bar.update(finished: Int(report.labels_done))
    labelProgress = bar
  }

  /// Reports, with the first step that uses them, that all labels are made.
  private func printLabels(_ report: das3_adapter_report) throws(Failure) {
    try JsonValue.printEvent(
      "labels",
      [
        (key: "stage", value: .text(report.stageName)),
        (key: "round", value: .integer(Int(report.round))),
        (key: "label_coverage", value: .number(report.label_coverage)),
      ])
  }

  private func printMeasurement(
    _ result: EvaluatorHandle.Result, step: Int, stage: String?
  ) throws(Failure) {
    guard isJson else { return try printText("step \(step): mIoU \(fixed(result.miou * 100, 2))") }
    try JsonValue.printEvent(
      "evaluation",
      [(key: "step", value: .integer(step)), (key: "stage", value: .text(stage))] + result.json)
  }

  /// Prints a line at once, unless the output is JSON.
  private func printText(_ text: String) throws(Failure) {
    guard !isJson else { return }
    clearProgress()
    try Terminal.say(text)
  }
}
