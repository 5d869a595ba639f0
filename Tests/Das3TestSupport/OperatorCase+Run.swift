import Das3Graph
import Das3Runtime

extension OperatorCase {
  /// The case as an ONNX file.
  package var model: OnnxWriter {
    // libonnx's checker judges up to opset 17 and IR 8; newer files are judged by ours alone.
    var writer = OnnxWriter(opset: opset, irVersion: opset > 17 ? 10 : 8)
    for (input, values) in zip(inputs, inputValues) {
      switch (input.role, input.values) {
      case (.frame, _): writer.input(input.name, input.dims.map { .size($0) })
      case (_, .ints(let ints)):
        writer.initializers.append(OnnxTensor(input.name, input.dims, ints: ints))
      case (_, .typed(let ints, let type)):
        writer.initializers.append(
          OnnxTensor(input.name, type: type, input.dims, .ints(ints)))
      default: writer.floats(input.name, input.dims, values.map { Float($0) })
      }
    }
    writer.nodes = nodes
    // The checker wants a shape, whichever: it is the graph that infers them.
    for name in outputs { writer.output(name, []) }
    return writer
  }

  package func imported() throws(Das3Error) -> OnnxModel {
    let bytes = model.serialized()
    let result: Result<OnnxModel, Das3Error> = bytes.withUnsafeBytes { bytes in
      do throws(Das3Error) {
        return .success(
          try OnnxImport.load(bytes: bytes, directory: nil, limits: OnnxImport.Limits()))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// The graph; with `foldsInputs` what would come at run time is known when it is made.
  package func graph(_ model: OnnxModel, foldsInputs: Bool = false) throws(Das3Error) -> Graph {
    var running: [(name: String, shape: Shape)] = []
    var constants: [String: ConstantTensor] = [:]
    for (input, values) in zip(inputs, inputValues) where input.role == .frame {
      let shape = Shape(input.dims)
      if foldsInputs {
        constants[input.name] = ConstantTensor(shape: shape, floats: values.map { Float($0) })
      } else {
        running.append((input.name, shape))
      }
    }
    return try GraphBuilder.build(model, inputs: running, constants: constants, outputs: outputs)
  }

  /// A prepared case, so that runs can be repeated.
  package final class Runner {
    private let executor: Executor
    private let graph: Graph
    private let frames: [[Float]]
    package var plan: Plan { executor.plan }
    /// Whether each output is known since the graph was made.
    package var isConstant: [Bool] { graph.outputs.map { graph.constant($0) != nil } }

    package init(
      _ test: OperatorCase, _ options: ExecutionOptions, foldsInputs: Bool = false,
      putsChannelsLast: Bool = false
    ) throws(Das3Error) {
      let model = try test.imported()
      graph = try test.graph(model, foldsInputs: foldsInputs)
      let plan = Planner.plan(
        graph, of: model, traits: .kernels(options), putsChannelsLast: putsChannelsLast)
      executor = try Executor(
        Schedule(plan, options, parameterCount: model.weights.count), model.weights)
      frames = zip(test.inputs, test.inputValues).filter { $0.0.role == .frame && !foldsInputs }
        .map { $0.1.map { Float($0) } }
    }

    /// The shape and the values of every output.
    package func run() -> [(dims: [Int], values: [Float])] {
      // A plan may reuse an input's memory once it is read, so every run gets its own.
      for (index, frame) in frames.enumerated() { executor.write(frame, to: index) }
      executor.run()
      return graph.outputs.indices.map { index in
        let constant = graph.constant(graph.outputs[index])
        let dims = constant?.shape.dims ?? executor.plan.outputs[index].shape.dims
        return (dims, constant?.floats ?? executor.read(index))
      }
    }
  }
}
