import Das3Graph
import Das3Runtime

/// A graph and what of it is trained → its plan with kernels, and the bytes that it takes.
extension Trainer {
  static func training(
    of onnx: OnnxModel, _ groups: [ParameterGroup], _ options: Options
  ) -> Planner.Training {
    var training = Planner.Training(
      isTrained: onnx.parameters.map { parameter in
        groups.contains { $0.ranges.contains { $0.contains(parameter.offset) } }
          && parameter.shape.elementCount > 0
      })
    training.batchNorm = options.batchNorm
    training.statisticsMomentum = options.statisticsMomentum
    return training
  }

  static func schedule(
    _ graph: Graph, of onnx: OnnxModel, _ training: Planner.Training,
    _ execution: ExecutionOptions
  ) throws(Das3Error) -> Schedule {
    try Schedule(
      Planner.plan(
        graph, of: onnx, traits: .kernels(execution), putsChannelsLast: true,
        training: training), execution, parameterCount: onnx.weights.count)
  }

  static func scratchElementCount(of schedule: Schedule) -> Int {
    let shapes = schedule.plan.outputs.map(\.shape)
    let losses = shapes.map {
      Losses.scratchElementCount(pixelCount: $0[2] * $0[3], classCount: $0[1])
    }
    // What auxiliary classifiers are compared with is as large as what they say.
    return (losses.max() ?? 0) + (shapes.count > 1 ? shapes[1].elementCount : 0)
  }

  static func byteCount(of schedule: Schedule, weightCount: Int, _ optimizer: Optimizer)
    -> Int
  {
    schedule.byteCount
      + 4
      * ((optimizer.rule == .adamW ? 2 : 1) * weightCount + scratchElementCount(of: schedule))
  }

  /// Bytes that a trainer would take which trains nothing.
  static func byteCount(
    of model: SegmentationModel, height: Int, width: Int, options: Options
  ) throws(Das3Error) -> Int {
    let schedule = try schedule(
      model.trainingGraph(height: height, width: width), of: model.onnx,
      training(of: model.onnx, [], options), options.execution)
    return byteCount(of: schedule, weightCount: model.onnx.weights.count, options.optimizer)
  }
}
