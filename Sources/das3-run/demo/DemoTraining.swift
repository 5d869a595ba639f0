// Streets by day with their truth in, the network of the demo out.

/// Trains the network that is inside this program from random weights.
struct DemoTraining {
  let path: String
  let isShort: Bool
  let shared: SharedOptions

  private static let trainingSeeds: Range<UInt64> = 0..<1000

  /// One run of the library's supervised method.
  private typealias Phase = (batchNorm: String, stepCount: Int, rate: String)

  func run() throws(Failure) {
    try Folder.checkCanReplace(path)
    var report = DemoReport(isJson: shared.json)
    let scale = isShort ? 100 : 1
    let frames = StreetWorld.day.frames(seeds: Self.trainingSeeds.prefix(1000 / scale))
    let validation = StreetWorld.day.frames(
      seeds: DemoAdaptation.validationSeeds.prefix(isShort ? 2 : 20))
    var random = SplitMix64(seed: 1)
    var model = try ModelHandle.street().randomized(&random)
    let labeller = try Labeller(model: model, classMap: nil, size: nil, shared: shared)
    let phases: [Phase] = [
      // Training is fast with the statistics of each batch; the second phase trains with the
      // statistics that the network is used with.
      (batchNorm: "batch", stepCount: 2600 / scale, rate: "4e-3"),
      (batchNorm: "frozen", stepCount: 600 / scale, rate: "1e-3"),
    ]
    for phase in phases {
      model = try train(model, frames, phase)
      try report.add(labeller.evaluate(model, on: validation), world: .day, stage: nil)
    }
    try model.save(to: path)
    try report.finish([(key: "output", value: .string(path))], text: path)
  }

  private func train(
    _ model: ModelHandle, _ frames: [LabelledFrame], _ phase: Phase
  ) throws(Failure) -> ModelHandle {
    var settings = AdapterSettings()
    settings.method = .supervised
    for (name, value) in [
      ("optimizer", "adamw"), ("batch_norm", phase.batchNorm), ("rate_a", phase.rate),
      ("steps_a", String(phase.stepCount)), ("batch_size", "4"), ("flip", "1"),
      ("weight_decay", "1e-3"), ("classifier_rate", "1"),
    ] { try settings.set(name, to: value) }
    let adapter = try AdapterHandle(model: model, settings: settings, size: nil, shared: shared)
    try adapter.add(frames, withTruth: true)
    var progress = ProgressBar(title: "train", count: phase.stepCount, unit: "steps")
    try adapter.run { step in
      progress.update(finished: Int(step.step), detail: "loss \(fixed(step.loss, 4))")
      return .goOn
    }
    progress.clear()
    return try adapter.snapshot()
  }
}
