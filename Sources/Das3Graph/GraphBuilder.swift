/// Makes a `Graph` from an `OnnxModel` and input shapes: lowers every node to `Operator`s, infers
/// shapes and folds away whatever depends on nothing but constants.
package struct GraphBuilder {
  typealias ValueID = Graph.ValueID
  /// Lowers one ONNX node.
  ///
  /// Registered by operator type in `importers`.
  typealias Importer =
    @Sendable (inout GraphBuilder, OnnxModel.Node) throws(Das3Error) -> Void

  let model: OnnxModel
  private var graph = Graph()
  private var bindings: [String: ValueID] = [:]
  private var place = ""
  private var reservedCount = 0

  private init(_ model: OnnxModel) { self.model = model }

  /// Makes the graph.
  ///
  /// - Parameters:
  ///   - model: the file's nodes and weights.
  ///   - inputs: shapes of the graph inputs that come at run time, by name.
  ///   - constants: values of the graph inputs that are known now, by name.
  ///   - outputs: names of the values to keep; everything else is dropped.
  /// - Returns: the nodes that the outputs need, in an order in which they can run.
  /// - Throws: an error that names the node, its operator, what was found and what was expected.
  package static func build(
    _ model: OnnxModel, inputs: [(name: String, shape: Shape)],
    constants: [String: ConstantTensor] = [:], outputs: [String]
  ) throws(Das3Error) -> Graph {
    var builder = GraphBuilder(model)
    for input in inputs {
      let shape: Shape
      do { shape = try input.shape.validated() } catch { throw error.at("input '\(input.name)'") }
      let id = builder.add(input.name, ValueInfo(shape), .input)
      builder.graph.inputs.append(id)
      builder.bindings[input.name] = id
    }
    for (name, tensor) in constants {
      builder.bindings[name] = builder.constant(tensor, name: name)
    }
    let needed = model.nodesNeeded(for: outputs)
    for (index, node) in model.nodes.enumerated() where needed[index] {
      builder.place = node.place
      do throws(Das3Error) {
        try builder.lower(node)
      } catch {
        throw error.at(node.place)
      }
    }
    for name in outputs {
      builder.place = "output '\(name)'"
      do throws(Das3Error) {
        builder.graph.outputs.append(try builder.value(named: name))
      } catch {
        throw error.at(builder.place)
      }
    }
    builder.graph.prune()
    return builder.graph
  }

  private mutating func lower(_ node: OnnxModel.Node) throws(Das3Error) {
    // ONNX Runtime's quantizer writes these two for types that the opset lacks; they mean the same.
    let isStandard =
      node.domain.isEmpty
      || node.domain == "com.microsoft" && Self.quantizationImporters[node.opType] != nil
    guard isStandard, let importer = Self.importers[node.opType] else {
      throw UnsupportedOperator(opType: node.opType, domain: node.domain).error
    }
    try importer(&self, node)
  }

  /// Every ONNX operator that can be lowered, by topic.
  static let importers: [String: Importer] = [
    convolutionImporters, normalizationImporters, elementwiseImporters, poolingImporters,
    reductionImporters, movementImporters, shapeImporters, productImporters,
    quantizationImporters, scatterImporters,
  ].reduce(into: [:]) { $0.merge($1) { first, _ in first } }

  /// Their ONNX names, in order.
  package static var operatorTypes: [String] { importers.keys.sorted() }

  // MARK: What importers read

  func info(_ id: ValueID) -> ValueInfo { graph.values[id].info }
  func shape(_ id: ValueID) -> Shape { graph.values[id].shape }

  /// The value an input names; throws where it is left out or not made by an earlier node.
  mutating func input(_ node: OnnxModel.Node, _ index: Int) throws(Das3Error) -> ValueID {
    guard let id = try optionalInput(node, index) else {
      throw .format("input \(index) is missing; \(node.inputs.count) are given")
    }
    return id
  }

  mutating func optionalInput(_ node: OnnxModel.Node, _ index: Int) throws(Das3Error) -> ValueID? {
    guard index < node.inputs.count, !node.inputs[index].isEmpty else { return nil }
    return try value(named: node.inputs[index])
  }

  private mutating func value(named name: String) throws(Das3Error) -> ValueID {
    if let id = bindings[name] { return id }
    let id: ValueID
    if let index = model.parameterIndex[name] {
      id = add(name, ValueInfo(model.parameters[index].shape), .parameter(index))
    } else if let tensor = model.constants[name] {
      id = constant(tensor, name: name)
    } else {
      throw .format("'\(name)' is not an input, an initialiser or made by an earlier node")
    }
    bindings[name] = id
    return id
  }

  /// The value of an input that configures the operator, nil where it is left out.
  mutating func configuration(_ node: OnnxModel.Node, _ index: Int, _ name: String)
    throws(Das3Error) -> ConstantTensor?
  {
    guard let id = try optionalInput(node, index) else { return nil }
    if let tensor = graph.constant(id) { return tensor }
    if case .parameter = graph.values[id].source,
      let tensor = model.value(named: node.inputs[index])
    {
      return tensor
    }
    throw .unsupported("'\(name)' depends on the data; expected a value known at load")
  }

  /// A configuration that may stand in an attribute (older opsets) or in an input.
  mutating func intsFromAttributeOrInput(_ node: OnnxModel.Node, _ name: String, _ index: Int)
    throws(Das3Error) -> [Int]?
  {
    if let ints = try node.ints(name) { return ints }
    return try configuration(node, index, name)?.ints.map { Int($0) }
  }

  func constantValue(_ id: ValueID) -> ConstantTensor? { graph.constant(id) }

  // MARK: What importers write

  /// Adds one lowered node, or its value where all inputs are constants.
  mutating func emit(_ operation: Operator, _ inputs: [ValueID]) throws(Das3Error) -> ValueID {
    var info = try operation.infer(inputs.map { graph.values[$0].info })
    info.shape = try info.shape.validated()
    let constants = inputs.compactMap { graph.constant($0) }
    if constants.count == inputs.count,
      info.shape.elementCount <= Operator.largestFoldedCount(info.type)
    {
      try reserve(info.shape.elementCount)
      if let folded = try operation.folded(constants, result: info) { return constant(folded) }
    }
    let id = add("", info, .node(graph.nodes.count))
    graph.nodes.append(Graph.Node(name: place, operation: operation, inputs: inputs, output: id))
    return id
  }

  /// Counts elements of constants and tables before they are made: real networks have thousands,
  /// a hostile file could ask for more than there is memory.
  mutating func reserve(_ count: Int) throws(Das3Error) {
    reservedCount += count
    guard reservedCount <= Shape.maximumComputedCount else {
      throw .limit(
        "shape arithmetic of more than \(Shape.maximumComputedCount) elements in one graph")
    }
  }

  mutating func constant(_ tensor: ConstantTensor, name: String = "") -> ValueID {
    add(name, ValueInfo(tensor.shape, tensor.type), .constant(tensor))
  }

  /// Gives the node's output `index` its value.
  mutating func bind(_ node: OnnxModel.Node, _ id: ValueID, output index: Int = 0)
    throws(Das3Error)
  {
    guard index < node.outputs.count, !node.outputs[index].isEmpty else { return }
    let name = node.outputs[index]
    guard bindings.updateValue(id, forKey: name) == nil else {
      throw .format("output '\(name)' already has a value; expected names used once")
    }
    if graph.values[id].name.isEmpty { graph.values[id].name = name }
  }

  mutating func reshape(_ id: ValueID, _ dims: [Int]) throws(Das3Error) -> ValueID {
    shape(id).dims == dims ? id : try emit(.reshape(Reshape(shape: Shape(dims))), [id])
  }

  mutating func transpose(_ id: ValueID, _ order: [Int]) throws(Das3Error) -> ValueID {
    order == Array(order.indices) ? id : try emit(.transpose(Transpose(order: order)), [id])
  }

  private mutating func add(_ name: String, _ info: ValueInfo, _ source: Graph.Source) -> ValueID {
    graph.values.append(Graph.Value(name: name, info: info, source: source))
    return graph.values.count - 1
  }
}

extension OnnxModel {
  /// Which nodes the named values depend on.
  fileprivate func nodesNeeded(for outputs: [String]) -> [Bool] {
    var names = Set(outputs)
    var needed = [Bool](repeating: false, count: nodes.count)
    for index in nodes.indices.reversed() where nodes[index].outputs.contains(where: names.contains)
    {
      needed[index] = true
      names.formUnion(nodes[index].inputs)
    }
    return needed
  }
}
