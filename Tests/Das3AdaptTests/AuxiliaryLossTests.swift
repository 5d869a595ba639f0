import Das3Adapt
import Das3Graph
import Das3Runtime
import Das3TestSupport
import Testing

/// What auxiliary classifiers learn from, and that the network stays apart from them.
@Suite("Losses of auxiliary classifiers")
struct AuxiliaryLossTests {
  private let trainer: Trainer
  private let auxiliary: AuxiliaryClassifiers
  private let image: [Float]

  init() throws {
    let path = SharedData.package.path + "/examples/street/street.onnx"
    let onnx = try OnnxImport.load(
      path: path, allowsExternalData: false, limits: OnnxImport.Limits())
    let model = try SegmentationModel(onnx, metadata: Metadata([]))
    auxiliary = try AuxiliaryClassifiers(of: model, height: 48, width: 64, count: 2)
    var options = Trainer.Options(
      execution: ExecutionOptions(threads: 2), selection: ParameterSelection(rate: 0.01))
    options.auxiliary = auxiliary
    var losses = Losses()
    losses.consistency = 1
    trainer = try Trainer(model, height: 48, width: 64, losses: losses, options: options)
    var random = SplitMix64(seed: 2)
    image = random.floats(3 * 48 * 64, bound: 2)
  }

  /// The value, and the largest gradient of the network and of each classifier.
  private func run(_ masks: [[Float]]?) throws -> (value: Double, gradients: [Float]) {
    trainer.clearGradients()
    trainer.load(image)
    let values = try trainer.addGradient(masks: masks)
    let gradients = trainer.gradients
    func largest(_ range: Range<Int>) -> Float {
      gradients[range].reduce(0) { max($0, abs($1)) }
    }
    let count = trainer.model.onnx.weights.count
    let each = (gradients.count - count) / 2
    return (
      values.consistency,
      [largest(0..<count), largest(count..<count + each), largest(count + each..<count + 2 * each)]
    )
  }

  private func masks(_ values: Float...) -> [[Float]] {
    zip(auxiliary.maskSizes, values).map { [Float](repeating: $1, count: $0) }
  }

  @Test("a copy that sees everything says the same; one that sees less differs, and learns")
  func values() throws {
    let same = try run(masks(1, 1))
    #expect(same.value < 1e-12 && same.gradients.allSatisfy { $0 < 1e-6 })
    let one = try run(masks(0.5, 1))
    #expect(one.value > 1e-4 && one.gradients[0] > 1e-6 && one.gradients[1] > 1e-6)
    #expect(one.gradients[2] < 1e-6)
    let both = try run(masks(0.5, 0.5))
    #expect(abs(both.value - 2 * one.value) < 1e-9)
    let none = try run(nil)
    #expect(none.value == 0 && none.gradients == [0, 0, 0])
  }

  @Test("what is ignored does not count, at the classifiers' own size")
  func ignored() throws {
    let all = try run(masks(0.5, 0.5))
    let marks = (0..<48 * 64).map { UInt8($0 % 64 < 32 ? 1 : 0) }
    trainer.ignored = IgnoredPixels(height: 48, width: 64, marks: marks)
    let right = try run(masks(0.5, 0.5))
    trainer.ignored = IgnoredPixels(height: 48, width: 64, marks: marks.map { 1 - $0 })
    let left = try run(masks(0.5, 0.5))
    #expect(abs((left.value + right.value) / 2 - all.value) < 1e-6 * all.value)
    #expect(abs(left.value - right.value) > 1e-3 * all.value)
  }

  @Test("the network's weights are those of its file, and may be replaced alone")
  func apart() throws {
    let own = trainer.model.onnx.weights
    #expect(trainer.weights == own && trainer.allWeights.count > own.count)
    trainer.setWeights(own.map { -$0 })
    #expect(trainer.weights == own.map { -$0 })
    let rest = auxiliary.onnx.weights[own.count...]
    #expect(trainer.allWeights[own.count...] == rest)
    #expect(try trainer.weightSet(trainer.weights) === trainer.student)
  }

  @Test("masks that do not fit are refused")
  func refused() throws {
    trainer.load(image)
    for wrong in [[], [[1]], masks(1), masks(1, 1) + [[1]]] as [[[Float]]] {
      let error = #expect(throws: Das3Error.self) { try trainer.addGradient(masks: wrong) }
      #expect(error?.code == .shape)
    }
  }
}
