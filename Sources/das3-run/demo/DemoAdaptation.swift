// The embedded network and frames at dusk in, an adapted network and its mIoU after each stage out.
import CDas3
import Foundation

/// The adaptation that `das3-run demo` shows.
struct DemoAdaptation {
  let directory: String
  let isShort: Bool
  let shared: SharedOptions

  /// Streets for measurements, which no network is trained on; they are drawn by day and at dusk.
  static let validationSeeds: Range<UInt64> = 900_000..<900_020
  /// Streets at dusk without labels.
  private static let adaptationSeeds: Range<UInt64> = 500_000..<500_080
  /// How many streets demo.png shows.
  private static let pictureRowCount = 3

  func run() throws(Failure) {
    try Folder.create(directory)
    let start = ContinuousClock.now
    let model = try ModelHandle.street()
    var report = DemoReport(isJson: shared.json)
    try report.say("drawing streets by day, as the network knows them, and at dusk")
    let scale = isShort ? 10 : 1
    let day = StreetWorld.day.frames(seeds: Self.validationSeeds.prefix(20 / scale))
    let dusk = StreetWorld.dusk.frames(seeds: Self.validationSeeds.prefix(20 / scale))
    let frames = StreetWorld.dusk.frames(seeds: Self.adaptationSeeds.prefix(80 / scale))
    let labeller = try Labeller(model: model, classMap: nil, size: nil, shared: shared)
    try report.add(labeller.evaluate(model, on: day), world: .day, stage: nil)
    try report.add(labeller.evaluate(model, on: dusk), world: .dusk, stage: nil)
    try report.say("adapting to \(frames.count) frames at dusk, without labels")

    let adapter = try makeAdapter(model, frames)
    var stageStart = ContinuousClock.now
    while let stage = try runStage(adapter) {
      let seconds = (ContinuousClock.now - stageStart).seconds
      let result = try labeller.evaluate(try adapter.snapshot(), on: dusk)
      try report.add(result, world: .dusk, stage: stage, seconds: seconds)
      stageStart = .now
    }
    let adapted = try adapter.snapshot()
    let path = Path.join(directory, "adapted.onnx")
    try adapted.save(to: path)
    let models = [
      (name: "source", model: model),
      (name: "blend", model: try model.with(statisticsOf: adapted)),
      (name: "adapted", model: adapted),
    ]
    let strips = StripWriter(directory: directory, labeller: labeller)
    var panels: [PictureStrip.Panel] = []
    for (day, dusk) in zip(day, dusk).prefix(Self.pictureRowCount) {
      panels.append(.init(caption: "by day", picture: .frame(day.frame)))
      panels.append(.init(caption: "at dusk", picture: .frame(dusk.frame)))
      panels += try strips.panels(of: dusk.frame, truth: dusk.truth, models)
    }
    try strips.write(panels, size: StreetWorld.size, columnCount: 6, to: "demo.png")
    try strips.write(models, frameCount: dusk.count) { index in
      (dusk[index].frame, dusk[index].truth)
    }
    let seconds = (ContinuousClock.now - start).seconds
    try report.finish(
      [
        (key: "frames", value: .integer(frames.count)),
        (key: "seconds", value: .rounded(seconds, 2)), (key: "output", value: .string(directory)),
      ], text: "\(fixed(seconds, 0)) s; pictures and adapted.onnx are in \(directory)/")
  }

  private func makeAdapter(
    _ model: ModelHandle, _ frames: [LabelledFrame]
  ) throws(Failure) -> AdapterHandle {
    var settings = AdapterSettings()
    settings.method = .das3
    settings.start = .blend
    if isShort {
      for stage in ["a", "b", "c"] { try settings.set("steps_\(stage)", to: "2") }
    }
    let adapter = try AdapterHandle(model: model, settings: settings, size: nil, shared: shared)
    try adapter.add(frames, withTruth: false)
    return adapter
  }

  /// Runs to the end of a stage and returns its name; nil where none is left.
  private func runStage(_ adapter: AdapterHandle) throws(Failure) -> String? {
    var stage: String?
    var progress = ProgressBar(title: "adapt", count: nil, unit: "steps")
    try adapter.run { step throws(Failure) in
      guard step.labelling == 0 else { return .goOn }
      progress.update(
        finished: Int(step.total_step), detail: "\(step.place)  loss \(fixed(step.loss, 4))")
      guard step.stage_done != 0 else { return .goOn }
      stage = step.stageName
      return .pause
    }
    progress.clear()
    return stage
  }
}
