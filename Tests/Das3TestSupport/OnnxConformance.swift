import COnnx
import Das3Graph
import Das3Runtime
import Foundation

/// Runs the ONNX project's own test cases: a folder with `model.onnx` and `test_data_set_*`.
package struct OnnxConformance {
  package enum Outcome: Sendable, Equatable {
    case passed
    /// A reason that is a decision, not a defect.
    case refused(String)
    case failed(String)
  }

  /// The ONNX project's own tolerance is 1e-3 relative; the absolute part covers values near 0.
  package static let relativeTolerance: Float = 1e-3
  package static let absoluteTolerance: Float = 1e-5

  package var options: ExecutionOptions

  package init(options: ExecutionOptions) { self.options = options }

  /// Operator types of a model file, whatever its opset; empty where it cannot be read at all.
  package static func operatorTypes(_ data: Data) -> [String] {
    var model: OpaquePointer?
    let bytes = Array(data)
    guard d3o_parse(&model, bytes, bytes.count, nil, nil, 0) == D3O_OK, let model else { return [] }
    defer { d3o_free(model) }
    let graph = d3o_get_graph(model).pointee
    return (0..<Int(graph.node_count)).map { String(cString: graph.nodes[$0].op_type) }
  }

  private static func dataType(_ bytes: [UInt8]) -> Int32? {
    var model: OpaquePointer?
    guard d3o_parse(&model, bytes, bytes.count, nil, nil, 0) == D3O_OK, let model else {
      return nil
    }
    defer { d3o_free(model) }
    return d3o_get_graph(model).pointee.tensors[0].data_type
  }

  /// The bytes of a model whose graph passes on one serialised TensorProto.
  private static func model(of tensor: Data) -> [UInt8] {
    var model = OnnxWriter()
    let fields = OnnxTensor.Payload.fields {
      $0.raw(tensor)
      $0.string(8, "tensor")
    }
    model.initializers = [OnnxTensor("", type: 0, [], fields)]
    model.node("Identity", ["tensor"], ["y"])
    model.output("y", nil)
    return model.serialized()
  }

  /// Runs one case.
  package func run(_ folder: URL) -> Outcome {
    do throws(Das3Error) {
      let model = try OnnxImport.load(
        path: folder.appending(path: "model.onnx").path, allowsExternalData: true,
        limits: OnnxImport.Limits())
      let sets = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
      var compared = 0
      for set in sets.filter({ $0.hasPrefix("test_data_set_") }).sorted() {
        let data = folder.appending(path: set)
        let inputs = try tensors(data, "input", model.inputs.count)
        let expected = try tensors(data, "output", model.outputs.count)
        if let difference = try difference(model, inputs, expected) {
          return .failed("\(set): \(difference)")
        }
        compared += 1
      }
      return compared > 0 ? .passed : .failed("no data")
    } catch {
      return error.code == .unsupported ? .refused(error.message) : .failed(error.message)
    }
  }

  /// Runs a model on given inputs: nil = equal to `expected`, else where they first differ.
  package func difference(
    _ model: OnnxModel, _ inputs: [ConstantTensor], _ expected: [ConstantTensor]
  ) throws(Das3Error) -> String? {
    let results = try results(model, inputs)
    for (position, (actual, wanted)) in zip(results, expected).enumerated() {
      guard actual.shape == wanted.shape else {
        return "output \(position) is \(actual.shape), expected \(wanted.shape)"
      }
      for (index, (a, b)) in zip(actual.floats, wanted.floats).enumerated() {
        let isClose =
          a == b || a.isNaN && b.isNaN
          || abs(a - b) <= Self.absoluteTolerance + Self.relativeTolerance * abs(b)
        if !isClose { return "output \(position)[\(index)] is \(a), expected \(b)" }
      }
    }
    return nil
  }

  /// Integers and booleans are known when the graph is made; floats come at run time unless an
  /// operator must know them: then small ones, then all, are made constants.
  private func results(_ model: OnnxModel, _ inputs: [ConstantTensor]) throws(Das3Error)
    -> [ConstantTensor]
  {
    var refusal: Das3Error?
    for largestConstant in [0, 16, Int.max] {
      var running: [(String, ConstantTensor)] = []
      var constants: [String: ConstantTensor] = [:]
      for (position, (port, tensor)) in zip(model.inputs, inputs).enumerated() {
        let isConstant =
          tensor.type != .float32
          || (position > 0 || largestConstant == .max)
            && tensor.shape.elementCount <= largestConstant
        if isConstant { constants[port.name] = tensor } else { running.append((port.name, tensor)) }
      }
      do throws(Das3Error) {
        let graph = try GraphBuilder.build(
          model, inputs: running.map { ($0.0, $0.1.shape) }, constants: constants,
          outputs: model.outputs.map(\.name))
        return try run(graph, model, running.map(\.1))
      } catch {
        guard error.code == .unsupported, error.message.contains("depends on the data") else {
          throw error
        }
        refusal = error
      }
    }
    throw refusal ?? .unsupported("no inputs")
  }

  private func run(_ graph: Graph, _ model: OnnxModel, _ inputs: [ConstantTensor])
    throws(Das3Error) -> [ConstantTensor]
  {
    let plan = Planner.plan(
      graph, of: model, traits: .kernels(options), putsChannelsLast: false)
    let executor = try Executor(
      Schedule(plan, options, parameterCount: model.weights.count), model.weights)
    for (index, tensor) in inputs.enumerated() { executor.write(tensor.floats, to: index) }
    executor.run()
    return graph.outputs.indices.map { index in
      if let constant = graph.constant(graph.outputs[index]) { return constant }
      return ConstantTensor(shape: plan.outputs[index].shape, floats: executor.read(index))
    }
  }

  private func tensors(_ folder: URL, _ kind: String, _ count: Int) throws(Das3Error)
    -> [ConstantTensor]
  {
    var result: [ConstantTensor] = []
    for index in 0..<count {
      let file = folder.appending(path: "\(kind)_\(index).pb")
      guard let data = try? Data(contentsOf: file) else { continue }
      result.append(try Self.tensor(data))
    }
    return result
  }

  /// One serialised TensorProto; what is none is refused, not failed.
  package static func tensor(_ data: Data) throws(Das3Error) -> ConstantTensor {
    let bytes = model(of: data)
    // The package keeps bfloat16 as the bits of an unsigned 16-bit integer.
    if dataType(bytes) == 4 { throw .unsupported("test data: uint16") }
    let result: Result<OnnxModel, Das3Error> = bytes.withUnsafeBytes { bytes in
      do throws(Das3Error) {
        return .success(
          try OnnxImport.load(bytes: bytes, directory: nil, limits: OnnxImport.Limits()))
      } catch {
        return .failure(.unsupported("test data: \(error.message)"))
      }
    }
    let model = try result.get()
    if let parameter = model.parameters.first {
      return ConstantTensor(shape: parameter.shape, floats: model.weights)
    }
    guard let tensor = model.constants["tensor"] else { throw .unsupported("test data: none") }
    return tensor
  }
}
