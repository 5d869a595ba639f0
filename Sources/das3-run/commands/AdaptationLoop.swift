// An adapter in, its schedule run out, with reports, measurements and checkpoints.
import CDas3

final class AdaptationLoop {
  private let adapter: AdapterHandle
  private let report: AdaptReport
  /// Measures the model at the end of each stage but the last; nil = never.
  private let measurement: Measurement?
  /// The model is also measured each time after so many steps.
  private let evaluateEvery: Int?
  /// The file that is written at the end of stages, at intervals and on Ctrl-C.
  private let checkpoint: String?
  private let checkpointEvery: Duration
  private var lastSaved = ContinuousClock.now
  /// Whether the last checkpoint could not be written.
  private(set) var lacksCheckpoint = false
  /// The report that paused the adapter, if one did.
  private var cause: das3_adapter_report?

  init(
    adapter: AdapterHandle, report: AdaptReport, measurement: Measurement?, evaluateEvery: Int?,
    checkpoint: String?, checkpointEvery: Duration
  ) {
    self.adapter = adapter
    self.report = report
    self.measurement = measurement
    self.evaluateEvery = evaluateEvery
    self.checkpoint = checkpoint
    self.checkpointEvery = checkpointEvery
  }

  enum End {
    case done
    case paused
    case failed(Failure)
  }

  /// Runs until the schedule is done, Ctrl-C is pressed or something fails; each time a checkpoint
  /// is written.
  func run() -> End {
    Interrupt.watch()
    do throws(Failure) {
      return try runSchedule() ? .done : .paused
    } catch {
      report.clearProgress()
      // Before the first step there is nothing to keep.
      if report.stepCount > 0 { saveCheckpoint() }
      return .failed(error)
    }
  }

  /// Returns whether the schedule is done.
  private func runSchedule() throws(Failure) -> Bool {
    while true {
      cause = nil
      try adapter.run { [self] step throws(Failure) in
        try report.follow(step)
        let mustPause =
          Interrupt.isRequested || step.stage_done != 0 || isMeasured(step)
          || checkpoint != nil && step.labelling == 0
            && ContinuousClock.now - lastSaved >= checkpointEvery
        if mustPause { cause = step }
        return mustPause ? .pause : .goOn
      }
      report.clearProgress()
      saveCheckpoint()
      guard let cause else {
        try report.follow(try adapter.step())
        return true
      }
      if cause.done != 0 { return true }
      if Interrupt.isRequested { return false }
      if isMeasured(cause), let measurement {
        try report.add(measurement.measure(try adapter.snapshot()), at: cause)
      }
    }
  }

  /// Writes the checkpoint; where that fails, the run goes on without it.
  private func saveCheckpoint() {
    guard let checkpoint else { return }
    do throws(Failure) {
      try adapter.save(to: checkpoint)
      lacksCheckpoint = false
    } catch {
      if !lacksCheckpoint {
        Terminal.note("\(error.message); the model will be written all the same")
      }
      lacksCheckpoint = true
    }
    lastSaved = .now
  }

  private func isMeasured(_ step: das3_adapter_report) -> Bool {
    guard measurement != nil, step.labelling == 0, step.done == 0 else { return false }
    // The weights do not change before the blend is complete.
    guard step.blending == 0 || step.stage_done != 0, step.judging == 0 else { return false }
    let isTurn = evaluateEvery.map { step.total_step % Int64($0) == 0 } ?? false
    return step.stage_done != 0 || isTurn
  }
}
