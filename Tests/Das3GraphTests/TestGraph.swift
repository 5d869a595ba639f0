import Das3Graph
import Das3TestSupport

/// Models made in memory, as the import and the graph builder see them.
enum TestGraph {
  static func model(_ writer: OnnxWriter) throws(Das3Error) -> OnnxModel {
    let bytes = writer.serialized()
    return try bytes.withUnsafeBufferPointer { (bytes) throws(Das3Error) in
      try OnnxImport.load(
        bytes: UnsafeRawBufferPointer(bytes), directory: nil, limits: OnnxImport.Limits())
    }
  }

  static func model(opset: Int = 17, _ body: (inout OnnxWriter) -> Void) throws(Das3Error)
    -> OnnxModel
  {
    var writer = OnnxWriter(opset: opset, irVersion: opset > 17 ? 10 : 8)
    body(&writer)
    return try model(writer)
  }

  /// The graph from an image `x` of the given sizes to `y`.
  static func build(_ dims: [Int], opset: Int = 17, _ body: (inout OnnxWriter) -> Void)
    throws(Das3Error) -> Graph
  {
    let model = try model(opset: opset) {
      $0.input("x", dims.map { .size($0) })
      body(&$0)
      $0.output("y")
    }
    return try GraphBuilder.build(model, inputs: [("x", Shape(dims))], outputs: ["y"])
  }

  /// The value of `y` where it does not depend on the image.
  static func folded(
    _ dims: [Int] = [1, 3, 16, 24], opset: Int = 17, _ body: (inout OnnxWriter) -> Void
  ) throws(Das3Error) -> ConstantTensor? {
    let graph = try build(dims, opset: opset, body)
    return graph.outputs.first.flatMap { graph.constant($0) }
  }

  /// The plan of a model for its only input; `training` changes a training of all parameters but
  /// running statistics, nil = a forward pass alone.
  static func plan(
    _ model: OnnxModel, _ dims: [Int], training change: ((inout Planner.Training) -> Void)? = nil
  ) throws(Das3Error) -> Plan {
    let graph = try GraphBuilder.build(
      model, inputs: [(model.inputs[0].name, Shape(dims))], outputs: model.outputs.map(\.name))
    var training = Planner.Training(isTrained: model.parameters.map { !$0.isStatistic })
    change?(&training)
    let traits = Planner.Traits { _, _ in true }
    return Planner.plan(
      graph, of: model, traits: traits, putsChannelsLast: false,
      training: change == nil ? nil : training)
  }

  /// The operators that are left, by name of their case.
  static func operators(_ graph: Graph) -> [String] {
    graph.nodes.map { String("\($0.operation)".prefix { $0 != "(" }) }
  }
}

extension OnnxWriter {
  mutating func scalar(_ name: String, _ value: Int) {
    initializers.append(OnnxTensor(name, [], ints: [value]))
  }
}
