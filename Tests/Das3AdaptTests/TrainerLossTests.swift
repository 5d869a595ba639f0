import Das3Adapt
import Das3Graph
import Das3Runtime
import Das3TestSupport
import Testing

@Suite("What a trainer hands to the losses")
struct TrainerLossTests {
  static func trainer(_ losses: Losses) throws -> Trainer {
    let path = SharedData.package.path + "/examples/street/street.onnx"
    let onnx = try OnnxImport.load(
      path: path, allowsExternalData: false, limits: OnnxImport.Limits())
    let trainer = try Trainer(
      try SegmentationModel(onnx, metadata: Metadata([])), height: 48, width: 64, losses: losses,
      options: Trainer.Options(
        execution: ExecutionOptions(threads: 2), selection: ParameterSelection(rate: 0.01)))
    var random = SplitMix64(seed: 2)
    trainer.load(random.floats(3 * 48 * 64, bound: 2))
    return trainer
  }

  /// The largest gradient of a frame.
  static func largest(
    _ trainer: Trainer, _ body: () throws -> Losses.Values
  ) throws -> (values: Losses.Values, gradient: Float) {
    trainer.clearGradients()
    let values = try body()
    return (values, trainer.gradients.reduce(0) { max($0, abs($1)) })
  }

  @Test("weights, confidences and probabilities reach their losses")
  func targets() throws {
    var losses = Losses()
    losses.crossEntropy = 1
    let trainer = try Self.trainer(losses)
    let (classes, pixels) = (trainer.scoreShape[1], trainer.scoreShape[2] * trainer.scoreShape[3])
    let labels = (0..<pixels).map { UInt8($0 % classes) }
    func run(_ confidence: UInt8, _ weight: UInt8) throws -> (
      values: Losses.Values, gradient: Float
    ) {
      try Self.largest(trainer) {
        try trainer.addGradient(
          labels: labels, confidences: [UInt8](repeating: confidence, count: pixels),
          pixelWeights: [UInt8](repeating: weight, count: pixels))
      }
    }
    let plain = try Self.largest(trainer) { try trainer.addGradient(labels: labels) }
    #expect(try run(255, 255) == plain && plain.gradient > 0)
    let none = try run(255, 0)
    #expect(none.values.crossEntropy == 0 && none.gradient == 0)
    #expect(try run(128, 255).values.crossEntropy < plain.values.crossEntropy)

    let map = try Arena(elementCount: pixels * classes)
    trainer.predict(probabilities: map)
    (trainer.losses.crossEntropy, trainer.losses.consistency) = (0, 1)
    let same = try Self.largest(trainer) { try trainer.addGradient(probabilities: map) }
    #expect(same.values.consistency < 1e-12 && same.values.selects)
    map.clear()
    let other = try Self.largest(trainer) { try trainer.addGradient(probabilities: map) }
    #expect(other.values.consistency > 0.1 && other.gradient > 1e3 * same.gradient)
  }

  @Test("what does not fit the scores is refused")
  func refusals() throws {
    let trainer = try Self.trainer(Losses())
    let pixels = trainer.scoreShape[2] * trainer.scoreShape[3]
    let short = [UInt8](repeating: 0, count: pixels - 1)
    #expect(throws: Das3Error.self) { try trainer.addGradient(labels: short) }
    #expect(throws: Das3Error.self) { try trainer.addGradient(confidences: short) }
    #expect(throws: Das3Error.self) { try trainer.addGradient(pixelWeights: short) }
    #expect(throws: Das3Error.self) { try trainer.addGradient(negatives: short) }
    let map = try Arena(elementCount: pixels)
    #expect(throws: Das3Error.self) { try trainer.addGradient(probabilities: map) }
  }
}
