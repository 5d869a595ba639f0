// A run that is over in, the page of `adapt --report` out.
import Foundation

extension Adapt {
  /// What has happened, for the page.
  struct Run {
    let before, after: ModelHandle
    let report: AdaptReport
    let measurement: Measurement?
    let target: AdaptationTarget
    let isPaused: Bool
  }

  /// Compares both networks and writes the page, if it is wanted.
  func writeReport(_ run: Run) throws(Failure) {
    guard let reportDirectory else { return }
    // The page itself takes time and memory, too.
    let (seconds, memory) = (run.report.seconds, ProcessMemory.most)
    let settings = try how.settings()
    let labeller = try Labeller(
      model: run.before, classMap: reference.classMap, outputs: [.entropy], size: sizeOption.size,
      shared: shared)
    let frameCount = run.measurement?.validation.frameCount ?? run.target.readableCount
    let comparison = try LabelComparison(
      before: run.before, after: run.after, labeller: labeller, frameCount: frameCount
    ) { index throws(Failure) in
      guard let measurement = run.measurement else { return (try run.target.read(index), nil) }
      guard !measurement.validation.isLeftOut(index) else { return nil }
      let (frame, truth) = try measurement.validation.read(index)
      return (frame, truth)
    }
    let page = AdaptPage(
      model: network.model, method: how.method, settings: settings, facts: try facts(of: run),
      report: run.report, workload: try run.target.adapter.describe(), isPaused: run.isPaused,
      seconds: seconds, processBytes: memory,
      comparison: ComparisonBlocks(
        comparison: comparison, path: val ?? network.input, frameCount: frameCount,
        measured: run.report.before.flatMap { old in run.report.after.map { (old, $0) } },
        measuredCount: run.measurement?.validation.evaluatedCount ?? 0),
      program: Das3Run.version)
    try page.page().write(into: reportDirectory)
  }

  private func facts(of run: Run) throws(Failure) -> [(title: String, value: String?)] {
    let settings = try how.settings()
    let reader = run.target.reader
    let frames = [
      "\(run.target.frameCount)", reader.leftOutCount > 0 ? "\(reader.leftOutCount) left out" : nil,
      reader.damagedFrameCount > 0 ? "\(reader.damagedFrameCount) damaged" : nil,
    ].compactMap(\.self).joined(separator: ", ")
    let model = run.before
    let classCount = counted(model.classes.count, "class", "classes")
    return [
      ("date", Date.now.formatted(.iso8601)),
      ("state", run.isPaused ? "interrupted: not all steps were taken" : "complete"),
      ("method", how.method.rawValue),
      ("start", how.method.trains ? settings.start.rawValue : nil),
      ("stages", try how.stages(hasTeacher: teacher != nil)),
      ("steps in all", String(run.report.stepCount)),
      ("seed", String(settings.seed)),
      ("network", network.model),
      ("its size", "\(classCount), \(Number.grouped(model.parameterCount)) parameters"),
      ("input", network.input),
      ("frames", frames),
      ("every Nth frame, N", choice.every > 1 ? String(choice.every) : nil),
      ("frames at most", choice.limit?.description),
      ("frames with truth", val),
      ("truth", reference.truth),
      ("labelled frames", labelled),
      ("their truth", labelledTruth),
      ("class map", reference.classMap),
      ("ignored", run.report.ignoredPart),
      ("teacher", teacher),
      ("output", output),
      ("checkpoint", checkpoint),
      ("memory limit", shared.memoryLimit.bytes > 0 ? shared.memoryLimit.text : nil),
    ]
  }
}
