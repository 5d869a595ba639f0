// An adapter in, its schedule run out: followed, measured, saved, paused by Ctrl-C.
import CDas3

final class AdaptationLoop {
  private let adapter: AdapterHandle
  private let report: AdaptReport
  private let measurement: Measurement?
  private let evaluateEvery: Int?
  private let checkpoint: String?
  private let checkpointEvery: Duration
  private var lastSaved = ContinuousClock.now
  /// Of the report that paused the adapter, if one did.
  private var cause: das3_adapter_report?

  /// - Parameters:
  ///   - adapter: with its frames.
  ///   - report: where steps and measurements go.
  ///   - measurement: at the end of stages, unless it is the last.
  ///   - evaluateEvery: and after so many steps.
  ///   - checkpoint: the file to write at the end of stages, and on Ctrl-C,
  ///   - checkpointEvery: and so often.
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

  /// Runs to the end, or until Ctrl-C; returns whether it was that.
  func run() throws(Failure) -> Bool {
    Interrupt.watch()
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
      if let checkpoint {
        try adapter.save(to: checkpoint)
        lastSaved = .now
      }
      guard let cause else {
        try report.follow(try adapter.step())
        return false
      }
      if cause.done != 0 { return false }
      if Interrupt.isRequested { return true }
      if isMeasured(cause), let measurement {
        try report.add(measurement.measure(try adapter.snapshot()), at: cause)
      }
    }
  }

  private func isMeasured(_ step: das3_adapter_report) -> Bool {
    guard measurement != nil, step.labelling == 0, step.done == 0 else { return false }
    let isTurn = evaluateEvery.map { step.total_step % Int64($0) == 0 } ?? false
    return step.stage_done != 0 || isTurn
  }
}
