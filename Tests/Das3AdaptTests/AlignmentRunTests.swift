import Das3Adapt
import Das3Graph
import Das3Runtime
import Das3TestSupport
import Foundation
import Testing

/// Ten free steps of stage (a) on four real frames, and the labels that follow, against PyTorch
/// (espnet_q8_steps).
///
/// The alignment decides nothing pixel by pixel, so rounding stays small; of the stages that learn
/// what the network says of pixels, `AdaptationStepsTests` compares every step by itself.
@Suite(
  "A run of stage (a)", .needsSharedData("models"),
  .enabled(if: GoldenFile.folder != nil, "DAS3_GOLDEN is not set: no reference vectors"))
struct AlignmentRunTests {
  /// steps.json.
  struct Record: Decodable {
    struct Stage: Decodable {
      var values: [[Double]]
      var param_norms: [Double]
    }
    struct Labelled: Decodable {
      var thresholds: [Double]
      var label_coverage: [Double]
    }
    struct Ranked: Decodable {
      var easy, hard: [Int]
      var mean_entropy: [Double]
    }
    var parameters: [String]
    var a: Stage
    var b: Labelled
    var c: Ranked
  }

  static let shape = Shape([1, 20, 360, 480])

  private let record: Record
  private let model: SegmentationModel
  private let frames: FrameSet

  init() throws {
    record = try JSONDecoder().decode(
      Record.self, from: Data(contentsOf: GoldenFile.url("steps/steps.json")))
    model = try GoldenSteps.network("models/espnet_q8.onnx")
    frames = try GoldenSteps.frames { "steps/frame\($0).rgb" }
  }

  /// The reference's settings: nothing drawn, no mirror images, plain SGD.
  ///
  /// OpenBLAS, whose bits do not depend on the machine's number of threads.
  private var settings: AdaptationSettings {
    var settings = AdaptationSettings(
      execution: ExecutionOptions(threads: 2, backend: .openBLAS), height: 360, width: 480)
    settings.method = .das3
    settings.rule = .sgd
    settings.clipNorm = 0
    settings.stages = [.a]
    settings.a = .init(steps: 10, rate: 2.5e-4)
    settings.alpha = 0.01
    settings.beta = 0.001
    (settings.mirrors, settings.draws) = (false, false)
    return settings
  }

  @Test("losses, gradient norms and parameter norms are the reference's")
  func alignment() throws {
    let run = try Adaptation(settings, settings.trainer(of: model), frames)
    for (index, values) in record.a.values.enumerated() {
      let report = try run.step()
      let found = [
        0.01 * report.losses.focalEntropy, report.losses.diversity, report.gradientNorm,
      ]
      #expect(found.count == values.count && report.step == index + 1)
      // PyTorch itself is up to 0.01 % from its gradient norms in other orders of additions, and
      // less from its losses (Tests/Golden/spread.py).
      for (a, b) in zip(found, values) {
        #expect(abs(a - b) <= 1e-3 * abs(b), "step \(index): \(found), expected \(values)")
      }
    }
    compare(run.weights, record.a.param_norms)
    #expect(run.isDone)
  }

  private func compare(_ weights: [Float], _ norms: [Double]) {
    for (name, norm) in zip(record.parameters, norms) {
      guard let parameter = model.onnx.parameters.first(where: { $0.name == name }) else {
        Issue.record("'\(name)' is missing")
        continue
      }
      let found = weights.slice(parameter).norm
      #expect(abs(found - norm) <= 1e-4 * norm, "'\(name)': \(found), expected \(norm)")
    }
  }

  @Test("thresholds, labels and ranking are the reference's")
  func labels() throws {
    let run = try Adaptation(settings, settings.trainer(of: model), frames)
    for _ in 0..<10 { _ = try run.step() }
    let trainer = try settings.trainer(of: model)
    trainer.setWeights(run.weights)
    let labels = try PseudoLabels(
      in: LabelStore(frameCount: 4, shape: Self.shape), share: 0.65
    ) { frame, prediction throws(Das3Error) in
      try frames.read(frame) { trainer.load($0) }
      trainer.predict(into: &prediction, negativeThreshold: 0.05)
    }
    // Ten steps before them were taken in float32 in another order of additions.
    for (found, wanted) in zip(labels.thresholds.values, record.b.thresholds) {
      #expect(abs(Double(found) - wanted) <= 2e-3, "\(labels.thresholds.values)")
    }
    let wanted = try GoldenFile("steps/labels").bytes
    var same = 0
    var found = [UInt8](repeating: 0, count: 360 * 480)
    for frame in 0..<4 {
      try labels.readLabels(of: frame, into: &found)
      same +=
        zip(found, wanted[frame * found.count..<(frame + 1) * found.count])
        .filter { $0 == $1 }.count
    }
    #expect(Double(same) >= 0.998 * Double(wanted.count), "\(same) of \(wanted.count) labels")
    let mean = record.b.label_coverage.reduce(0, +) / 4
    #expect(abs(labels.coverage - mean) <= 1e-3)
    // Of the model after (b), whose entropies the reference lists: their order is that here too.
    let rank = PseudoLabels.rank(record.c.mean_entropy, share: 0.3)
    #expect(rank.easy == record.c.easy && Set(rank.hard) == Set(record.c.hard))
  }
}
