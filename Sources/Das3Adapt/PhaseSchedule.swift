import Das3Graph

/// The phases of a run in their order, and where among them it is.
struct PhaseSchedule {
  /// Where in its schedule a run is.
  struct Position: Sendable, Equatable {
    var phase = 0
    /// Steps taken of the phase.
    var step = 0
    /// Steps taken of all phases.
    var total = 0
    /// Steps that were left out by phases that ended early.
    var leftOut = 0
    var drift = DriftControl.State()
  }

  let phases: [Phase]
  private(set) var position = Position()

  init(_ phases: [Phase]) { self.phases = phases }

  var isDone: Bool { position.phase == phases.count }
  /// nil after the last.
  var current: Phase? { isDone ? nil : phases[position.phase] }
  var totalStepCount: Int { stepCount(before: phases.count) - position.leftOut }
  /// Stages of which at least one step was taken.
  var letters: [AdaptationSettings.Letter] {
    phases.prefix(position.phase + (position.step > 0 ? 1 : 0)).compactMap(\.letter)
  }

  /// Of phases before one, whole.
  private func stepCount(before phase: Int) -> Int {
    phases[..<phase].reduce(0) { $0 + $1.stepCount }
  }

  /// Counts a step.
  mutating func advance(_ drift: DriftControl.State) {
    position.drift = drift
    position.step += 1
    position.total += 1
  }

  /// Goes on with the next phase.
  mutating func endPhase() {
    guard let current else { return }
    position.leftOut += current.stepCount - position.step
    position.phase += 1
    position.step = 0
    position.drift = DriftControl.State()
  }

  /// Leaves out everything that would come.
  mutating func endAll() {
    while !isDone { endPhase() }
  }

  /// Before a step of a phase, both counted from 0, when none was left out.
  func position(phase: Int, step: Int) -> Position {
    Position(phase: phase, step: step, total: step + stepCount(before: phase))
  }

  /// Goes on where another run of this schedule stood.
  ///
  /// - Returns: whether steps of it lead there.
  mutating func resume(at position: Position) -> Bool {
    guard position.phase <= phases.count else { return false }
    let isEnd = position.phase == phases.count
    let before = stepCount(before: position.phase)
    guard position.step < (isEnd ? 1 : phases[position.phase].stepCount),
      position.total <= before + position.step,
      position.leftOut == before + position.step - position.total
    else { return false }
    self.position = position
    return true
  }
}

extension PhaseSchedule.Position {
  var json: Json {
    .object([
      "phase": .number(Double(phase)), "step": .number(Double(step)),
      "total": .number(Double(total)), "left_out": .number(Double(leftOut)),
      "agreement": .number(drift.agreement),
      "learning_rate_scale": .number(drift.learningRateScale),
    ])
  }

  init?(_ json: Json) {
    func number(_ name: String) -> Double? { json.object?[name]?.number }
    func count(_ name: String) -> Int? {
      number(name).flatMap { Int(exactly: $0) }.flatMap { $0 >= 0 ? $0 : nil }
    }
    guard let phase = count("phase"), let step = count("step"), let total = count("total"),
      let leftOut = count("left_out"), let agreement = number("agreement"),
      let scale = number("learning_rate_scale"), (0...1).contains(agreement), scale >= 0,
      scale.isFinite
    else { return nil }
    let drift = DriftControl.State(agreement: agreement, learningRateScale: scale)
    self.init(phase: phase, step: step, total: total, leftOut: leftOut, drift: drift)
  }
}
