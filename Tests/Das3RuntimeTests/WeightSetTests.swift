import Das3Graph
import Das3Runtime
import Das3TestSupport
import Testing

@Suite("Weight sets")
struct WeightSetTests {
  /// y = x + BatchNormalization(MaxPool(x)): while the statistics are made, x and the maxima stand
  /// before them in memory.
  private static func model() -> OnnxWriter {
    var model = OnnxWriter()
    model.input("x", [1, 3, "height", "width"])
    for (name, value) in [("scale", 1), ("shift", 0), ("mean", 0), ("variance", 1)] {
      model.floats(name, [3], [Float](repeating: Float(value), count: 3))
    }
    model.node("MaxPool", ["x"], ["maxima"], ["kernel_shape": .ints([1, 1])])
    model.node(
      "BatchNormalization", ["maxima", "scale", "shift", "mean", "variance"], ["normed"])
    model.node("Add", ["x", "normed"], ["y"])
    model.output("y", [1, 3, "height", "width"])
    return model
  }

  @Test("are prepared without frames where statistics are those of the frame")
  func preparesWithoutFrames() throws {
    let side = 16384  // the statistics would lie 6 GB behind the weights: reading there is seen
    let model = try Self.model().serialized().withUnsafeBytes { bytes in
      try OnnxImport.load(bytes: bytes, directory: nil, limits: OnnxImport.Limits())
    }
    let graph = try SegmentationModel(model, metadata: Metadata([]))
      .graph(height: side, width: side)
    var training = Planner.Training(isTrained: model.parameters.map { _ in false })
    training.batchNorm = .batch
    let options = ExecutionOptions(threads: 1)
    let plan = Planner.plan(
      graph, of: model, traits: .kernels(options), putsChannelsLast: true, training: training)
    let schedule = try Schedule(plan, options, parameterCount: model.weights.count)

    let weights = try WeightSet(schedule, model.weights)
    #expect(weights.values == model.weights)
  }
}
