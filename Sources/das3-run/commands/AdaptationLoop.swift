// An adapter in, its schedule run out: followed, measured, saved, paused by Ctrl-C or a failure.
import CDas3

final class AdaptationLoop {
  private let adapter: AdapterHandle
  private let report: AdaptReport
  /// Made at the end of stages, unless it is the last.
  private let measurement: Measurement?
  /// Measured after so many steps, too.
  private let evaluateEvery: Int?
  /// The file that is written at the end of stages, and on Ctrl-C.
  private let checkpoint: String?
  private let checkpointEvery: Duration
  private var lastSaved = ContinuousClock.now
  /// Whether the last checkpoint could not be written.
  private(set) var lacksCheckpoint = false
  /// Of the report that paused the adapter, if one did.
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

  /// Runs to the end, until Ctrl-C, or until something fails; a checkpoint is left in any case.
  func run() -> End {
    Interrupt.watch()
    do throws(Failure) {
      return try runSchedule() ? .done : .paused
    } catch {
      report.clearProgress()
      // Before its first step there is nothing to keep.
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

  /// What was learned so far is worth more than the checkpoint: without it the run goes on.
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
    // While a blend is made the weights stay as they are.
    guard step.blending == 0 || step.stage_done != 0 else { return false }
    let isTurn = evaluateEvery.map { step.total_step % Int64($0) == 0 } ?? false
    return step.stage_done != 0 || isTurn
  }
}
