import Das3Graph
import Glibc

/// Keeps a phase from leading the network further from where it began than the phase may, and lets
/// it lead that far: the part of the pixels that keep their label decides the learning rates.
struct DriftControl {
  /// What was found out last; a part of the checkpoint.
  struct State: Sendable, Equatable {
    /// Pixels labelled as when the phase began, 0…1.
    var agreement = 1.0
    /// The factor of the learning rates that the drift asks for.
    var learningRateScale = 1.0
  }

  private let phase: Phase
  private let power: Double
  private let meter: AgreementMeter?

  /// Times its drift at which a phase ends.
  private static let largestDrift = 1.5

  /// - Parameters:
  ///   - phase: of the schedule.
  ///   - context: of the run.
  ///   - start: the weights with which the phase began.
  /// - Throws: what frames throw.
  init(_ phase: Phase, _ context: StageContext, start: [Float]) throws(Das3Error) {
    self.phase = phase
    power = context.settings.power
    meter =
      phase.followsDrift || phase.isBounded ? try AgreementMeter(context, start: start) : nil
  }

  /// Whether anybody measures.
  var isOn: Bool { meter != nil }
  var byteCount: Int { meter?.byteCount ?? 0 }

  /// What a step begins with, measured anew where that is due.
  func state(before step: Int, _ last: State) throws(Das3Error) -> State {
    guard let meter, AgreementMeter.isDue(step) else { return last }
    var state = last
    state.agreement = try meter.measure()
    if phase.followsDrift {
      // Labels that no longer move may be learned rather than wait for larger steps, which would
      // destroy the network in the end: hence the bound.
      state.learningRateScale = min(
        state.learningRateScale * correction(before: step, state.agreement), phase.largestRateScale)
    }
    return state
  }

  /// Whether the phase has led too far.
  func isExceeded(_ state: State) -> Bool {
    phase.isBounded && 1 - state.agreement > Self.largestDrift * phase.drift
  }

  /// The factor of the rates by how much further the labels should have drifted by now: in
  /// proportion to the sum of the rates so far.
  private func correction(before step: Int, _ agreement: Double) -> Double {
    let rest = 1 - Double(step) / Double(phase.stepCount)
    let wanted = phase.drift * (1 - pow(rest, power + 1))
    return min(max((wanted / max(1 - agreement, 1e-4)).squareRoot(), 0.5), 2)
  }
}
