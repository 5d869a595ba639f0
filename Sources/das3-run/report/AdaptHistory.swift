// The steps and measurements of an adaptation in, what a report needs of them out.
import CDas3

/// What has happened in a run, in little memory however long it is.
struct AdaptHistory {
  /// Steps of one kind without a break: a blend, a stage, or the guard after it.
  struct Phase {
    /// "blend", "guard", "a", "b" or "c"; nil in methods without stages.
    let name: String?
    /// Whether weights are trained.
    let trains: Bool
    /// How many training steps came before it.
    let start: Int
    var stepCount = 0
    var skippedCount = 0
    var isEarly = false
    var seconds = 0.0
    var networkSeconds = 0.0
    var loss = SampledCurve()
    /// By their names, in the order of `AdaptHistory.parts`.
    var parts = AdaptHistory.parts.map { _ in SampledCurve() }
  }

  struct Measurement {
    /// The phase at whose end it was measured, or "source" or "result".
    let name: String
    /// How many training steps came before it.
    let step: Int
    let result: EvaluatorHandle.Result
  }

  /// The losses and what they are called.
  static let parts: [(name: String, value: @Sendable (das3_adapter_report) -> Double)] = [
    ("focal entropy", { $0.focal_entropy }), ("diversity", { $0.diversity }),
    ("positive labels", { $0.positive }), ("negative labels", { $0.negative }),
    ("mixed frames", { $0.mixed }), ("entropy", { $0.entropy }),
    ("squares", { $0.max_square }), ("truth", { $0.truth }),
    ("consistency", { $0.consistency }),
  ]

  private(set) var phases: [Phase] = []
  private(set) var measurements: [Measurement] = []
  private(set) var coverage = SampledCurve()
  private(set) var agreement = SampledCurve()
  private(set) var entropy = SampledCurve()
  private(set) var gradientNorm = SampledCurve()
  private(set) var learningRate = SampledCurve()
  /// Training steps that were followed.
  private(set) var trainingCount = 0
  /// Of the adapter, in bytes: network, weights, frames and labels.
  private(set) var mostMemory: UInt64 = 0
  /// Frames that the guard judges by; nil where that is not known.
  private(set) var probeCount: Int?
  /// The step at which the guard had judged the set before.
  private var judgedAt: (count: Int, step: Int)?
  /// Spent on measurements during the run.
  var measuringSeconds = 0.0
  /// The first step of all that was followed: greater than 1 in a run that goes on.
  private(set) var firstStep: Int?

  /// Takes a step; labels in the making are none.
  mutating func add(_ report: das3_adapter_report) {
    guard report.labelling == 0, report.step > 0 else { return }
    if firstStep == nil { firstStep = Int(report.total_step) }
    let trains = report.blending == 0 && report.judging == 0
    if phases.last.map({ $0.name != report.stageName || $0.trains != trains }) ?? true {
      phases.append(Phase(name: report.stageName, trains: trains, start: trainingCount))
    }
    mostMemory = max(mostMemory, report.memory_bytes)
    countProbes(report)
    let last = phases.count - 1
    phases[last].stepCount += 1
    phases[last].seconds += report.seconds
    phases[last].networkSeconds += report.network_seconds
    phases[last].isEarly = report.stopped_early != 0
    guard trains else { return }
    trainingCount += 1
    guard report.skipped == 0 else {
      phases[last].skippedCount += 1
      return
    }
    phases[last].loss.add(report.loss, at: Double(phases[last].stepCount))
    let step = Double(trainingCount)
    for (index, part) in Self.parts.enumerated() {
      phases[last].parts[index].add(part.value(report), at: step)
    }
    // Stages without labels have none.
    if report.label_coverage > 0 { coverage.add(report.label_coverage, at: step) }
    if report.agreement >= 0 { agreement.add(report.agreement, at: step) }
    entropy.add(report.entropy, at: step)
    gradientNorm.add(report.gradient_norm, at: step)
    learningRate.add(report.learning_rate, at: step)
  }

  /// Takes a measurement; nil = of the phase that was followed last.
  mutating func add(_ result: EvaluatorHandle.Result, name: String?) {
    let name = name ?? phases.last?.name ?? "training"
    measurements.append(Measurement(name: name, step: trainingCount, result: result))
  }

  /// Every set of weights is judged by all probes, a step each.
  private mutating func countProbes(_ report: das3_adapter_report) {
    let count = Int(report.guard_count)
    guard report.judging != 0 else {
      judgedAt = (count, 0)
      return
    }
    // A run that goes on may begin in the middle of judging.
    guard let before = judgedAt else {
      if report.step == 1 { judgedAt = (count, 0) }
      return
    }
    guard count > before.count else { return }
    probeCount = Int(report.step) - before.step
    judgedAt = (count, Int(report.step))
  }
}
