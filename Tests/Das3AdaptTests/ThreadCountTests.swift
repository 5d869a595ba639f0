import Das3Adapt
import Das3Graph
import Das3Runtime
import Das3TestSupport
import Testing

/// What the header promises of threads, for all that an adapter does.
@Suite(
  "Any number of threads", .needsSharedData("models"),
  .enabled(if: GoldenFile.folder != nil, "DAS3_GOLDEN is not set: no reference vectors"))
struct ThreadCountTests {
  @Test(
    "a whole adaptation gives the same bits",
    arguments: ["espnet_q8_dynamic", "espnetv2_s1.0_dynamic"])
  func adaptation(_ name: String) throws {
    let model = try GoldenSteps.network("models/\(name).onnx")
    let frames = try GoldenSteps.frames { "steps/frame\($0).rgb" }
    let weights = try [1, 2, 3, 5].map { threads in
      var settings = AdaptationSettings(
        execution: ExecutionOptions(threads: threads), height: 360, width: 480)
      settings.method = .das3
      settings.seed = 5
      settings.a.steps = 2
      settings.b.steps = 3
      settings.c.steps = 2
      let run = try Adaptation(settings, settings.trainer(of: model), frames)
      while !run.isDone { _ = try run.step() }
      return run.weights.map(\.bitPattern)
    }
    for (other, threads) in zip(weights.dropFirst(), [2, 3, 5]) {
      let isEqual = other == weights[0]
      #expect(isEqual, "\(threads) threads")
    }
  }
}
