import Das3Graph
import Das3Runtime

extension OperatorCase {
  /// The same case in which a parameter of zeros is added to every float that comes at run time:
  /// its derivative is that of the data.
  package var trainable: OperatorCase {
    var result = self
    result.inputs = []
    var front: [OnnxWriter.Node] = []
    for input in inputs {
      guard input.role == .frame, case .uniform = input.values, !input.dims.contains(0) else {
        result.inputs.append(input)
        continue
      }
      let data = input.named(input.name + ".data")
      let shift = Input(
        dims: input.dims, role: .weight,
        values: .floats([Float](repeating: 0, count: input.dims.reduce(1, *)))
      ).named(input.name + ".shift")
      result.inputs += [data, shift]
      front.append(OnnxWriter.Node("Add", [data.name, shift.name], [input.name]))
    }
    result.nodes = front + nodes
    return result
  }

  /// The parameter of `trainable` whose derivative is that of an input.
  package static func trainableName(of input: Input) -> String {
    input.role == .frame ? input.name + ".shift" : input.name
  }

  /// Values of `inputs` as they are in `trainable`.
  package var valuesOfTrainable: [[Double]] {
    let changed = trainable
    let values = Dictionary(
      uniqueKeysWithValues: zip(changed.inputs.map(\.name), changed.inputValues))
    return inputs.map { values[$0.name + ".data"] ?? values[$0.name] ?? [] }
  }

  /// A case prepared for training: L = Σ s·y over all outputs, with fixed s.
  package final class Trainer {
    private let executor: Executor
    private let model: OnnxModel
    private let frames: [[Float]]
    /// dL/dy of each output, row-major.
    package let seeds: [[Float]]
    package var plan: Plan { executor.plan }

    /// nil where no parameter reaches an output smoothly.
    package init?(
      _ test: OperatorCase, _ options: ExecutionOptions, frameElementLimit: Int? = nil,
      batchNorm: Planner.Training.BatchNormMode = .frozen
    ) throws(Das3Error) {
      model = try test.imported()
      let graph = try test.graph(model)
      var training = Planner.Training(isTrained: model.parameters.map { !$0.isStatistic })
      training.frameElementLimit = frameElementLimit
      training.batchNorm = batchNorm
      let plan = Planner.plan(
        graph, of: model, traits: .kernels(options), putsChannelsLast: false, training: training)
      guard plan.steps.count > plan.forwardCount else { return nil }
      executor = try Executor(
        Schedule(plan, options, parameterCount: model.weights.count), model.weights)
      frames = zip(test.inputs, test.inputValues).filter { $0.0.role == .frame }
        .map { $0.1.map { Float($0) } }
      var random = SplitMix64(seed: 7)
      seeds = plan.outputs.map { view in
        (0..<view.shape.elementCount).map { _ in Float.random(in: -1...1, using: &random) }
      }
    }

    /// Where `gradients` finds dL/dp of the parameter of a name; nil where there is none.
    package func place(of name: String) -> UnsafePointer<Float>? {
      guard let found = model.parameters.first(where: { $0.name == name && !$0.isStatistic })
      else { return nil }
      return UnsafePointer(executor.gradientsPointer + found.offset)
    }

    /// dL/dp of every parameter but running statistics, by name; `times` runs are added.
    package func gradients(times: Int = 1) -> [String: [Float]] {
      executor.clearGradients()
      for _ in 0..<times {
        for (index, frame) in frames.enumerated() { executor.write(frame, to: index) }
        executor.run()
        for (index, seed) in seeds.enumerated() {
          executor.write(seed, toGradientOfOutput: index)
        }
        executor.runBackward()
      }
      let all = executor.gradients
      return Dictionary(
        uniqueKeysWithValues: model.parameters.filter { !$0.isStatistic }.map {
          ($0.name, Array(all[$0.offset..<$0.offset + $0.shape.elementCount]))
        })
    }
  }
}
