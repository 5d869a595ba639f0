/// Makes a `Graph` from an `OnnxModel` and input shapes.
///
/// It lowers every node to `Operator`s, infers shapes, and computes the values that depend on
/// constants alone.
package struct GraphBuilder {
  typealias ValueID = Graph.ValueID
  typealias Node = OnnxModel.Node

  let model: OnnxModel
  private var graph = Graph()
  private var bindings: [String: ValueID] = [:]
  /// ONNX sequences: lists of values that exist only while the graph is made.
  var sequences: [String: [ValueID]] = [:]
  private var evaluations: [ValueID: ConstantTensor?] = [:]
  private var place = ""
  private var reservedCount = 0
  private var branchCount = 0
  private let deadline: Deadline

  private init(_ model: OnnxModel, _ deadline: Deadline) {
    self.model = model
    self.deadline = deadline
  }

  /// Makes the graph.
  ///
  /// - Parameters:
  ///   - model: the file's nodes and weights.
  ///   - inputs: shapes of the graph inputs that come at run time, by name.
  ///   - constants: values of the graph inputs that are known now, by name.
  ///   - outputs: names of the values to keep; everything else is dropped.
  ///   - deadline: checked before every node and before every constant that is computed.
  /// - Returns: a graph of the nodes that the outputs depend on, in an order in which they can run.
  /// - Throws: an error that names the node, its operator, what was found and what was expected.
  package static func build(
    _ model: OnnxModel, inputs: [(name: String, shape: Shape)],
    constants: [String: ConstantTensor] = [:], outputs: [String],
    deadline: Deadline = Deadline(milliseconds: 0)
  ) throws(Das3Error) -> Graph {
    var builder = GraphBuilder(model, deadline)
    for input in inputs { try builder.addInput(input.name, input.shape) }
    for (name, tensor) in constants {
      builder.bindings[name] = builder.constant(tensor, name: name)
    }
    try builder.lowerNodes(for: outputs)
    for name in outputs { try builder.addOutput(name) }
    builder.graph.prune()
    return builder.graph
  }

  /// Makes the graph from an image 1×C×H×W to class scores 1×C×h×w, also where the file has other
  /// layouts.
  package static func build(
    _ model: OnnxModel, image: ImagePort, size: (height: Int, width: Int), scores: ClassScores,
    deadline: Deadline = Deadline(milliseconds: 0)
  ) throws(Das3Error) -> Graph {
    var builder = GraphBuilder(model, deadline)
    try builder.addImage(image, size: size)
    try builder.lowerNodes(for: [scores.name])
    try builder.addOutput(scores.name) { (builder, id) throws(Das3Error) in
      try scores.present(id, in: &builder)
    }
    builder.graph.prune()
    return builder.graph
  }

  /// Finds the shapes of all named values for an image of one size.
  ///
  /// A value that cannot be lowered has no shape, and neither have the values that depend on it.
  /// The first such failure is returned too.
  static func survey(
    _ model: OnnxModel, image: ImagePort, size: (height: Int, width: Int), deadline: Deadline
  ) throws(Das3Error) -> (values: [String: ValueInfo], failure: Das3Error?) {
    var builder = GraphBuilder(model, deadline)
    try builder.addImage(image, size: size)
    var failure: Das3Error?
    for node in model.nodes {
      builder.place = node.place
      do throws(Das3Error) {
        try builder.lower(node)
      } catch {
        failure = failure ?? error.at(node.place)
        try deadline.check()
      }
    }
    let graph = builder.graph
    return (builder.bindings.mapValues { graph.values[$0].info }, failure)
  }

  @discardableResult
  private mutating func addInput(_ name: String, _ shape: Shape) throws(Das3Error) -> ValueID {
    do throws(Das3Error) {
      let id = add(name, ValueInfo(try shape.validated()), .input)
      graph.inputs.append(id)
      bindings[name] = id
      return id
    } catch {
      throw error.at("input '\(name)'")
    }
  }

  private mutating func addImage(_ image: ImagePort, size: (height: Int, width: Int))
    throws(Das3Error)
  {
    let id = try addInput(image.name, [1, image.channelCount, size.height, size.width])
    if image.layout == .channelsLast { bindings[image.name] = try transpose(id, [0, 2, 3, 1]) }
  }

  private mutating func lowerNodes(for outputs: [String]) throws(Das3Error) {
    let needed = model.nodesNeeded(for: outputs)
    for (index, node) in model.nodes.enumerated() where needed[index] {
      place = node.place
      do throws(Das3Error) {
        try lower(node)
      } catch {
        throw error.at(node.place)
      }
    }
  }

  private mutating func addOutput(
    _ name: String,
    _ finish: (inout GraphBuilder, ValueID) throws(Das3Error) -> ValueID = { _, id in id }
  ) throws(Das3Error) {
    place = "output '\(name)'"
    do throws(Das3Error) {
      graph.outputs.append(try finish(&self, try value(named: name)))
    } catch {
      throw error.at(place)
    }
  }

  private mutating func lower(_ node: Node) throws(Das3Error) {
    try deadline.check()
    // The quantizer of ONNX Runtime writes QuantizeLinear and DequantizeLinear in its own domain
    // for types that the opset does not have. They mean the same as those of ONNX.
    let isStandard =
      node.domain.isEmpty
      || node.domain == "com.microsoft" && Self.quantizationImporters[node.opType] != nil
    guard isStandard else {
      throw UnsupportedOperator(opType: node.opType, domain: node.domain).error
    }
    let (importer, evaluator) = (Self.importers[node.opType], Self.evaluators[node.opType])
    if let evaluator {
      var inputs: [ConstantTensor?] = []
      var isKnown = true
      for index in node.inputs.indices where isKnown {
        guard let id = try optionalInput(node, index) else {
          inputs.append(nil)
          continue
        }
        // A value that depends on weights stays in the graph where it can, because weights may
        // change.
        let tensor = try importer == nil ? evaluated(id) : graph.constant(id)
        isKnown = tensor != nil
        inputs.append(tensor)
      }
      if isKnown {
        let results = try evaluator(node, Self.required(inputs, 0), inputs)
        for (index, tensor) in results.enumerated() {
          try reserve(tensor.shape.elementCount)
          try bind(node, constant(tensor), output: index)
        }
        return
      }
    }
    guard let importer else {
      throw UnsupportedOperator(
        opType: node.opType, domain: "", dependsOnImage: evaluator != nil
      ).error
    }
    if let id = try importer.lower(&self, node) { try bind(node, id) }
  }

  /// Lowers the branch of an `If` that is taken.
  mutating func importBranch(_ node: Node) throws(Das3Error) {
    guard let condition = try configuration(node, 0, "cond"), let value = condition.ints.first
    else {
      throw .format("cond is missing")
    }
    let name = value != 0 ? "then_branch" : "else_branch"
    guard case .block(let block)? = node.attributes[name] else {
      throw .format("\(name) is missing")
    }
    guard branchCount < 1 << 12 else { throw .limit("more than \(1 << 12) branches in one graph") }
    branchCount += 1
    let outer = place
    defer { place = outer }
    for inner in block.called(by: node, prefix: "\(name)#\(branchCount)/").nodes {
      place = inner.place
      do throws(Das3Error) { try lower(inner) } catch { throw error.at(place) }
    }
  }

  // MARK: What importers read

  func info(_ id: ValueID) -> ValueInfo { graph.values[id].info }
  func shape(_ id: ValueID) -> Shape { graph.values[id].shape }

  /// The value an input names; throws where it is left out or not made by an earlier node.
  mutating func input(_ node: Node, _ index: Int) throws(Das3Error) -> ValueID {
    guard let id = try optionalInput(node, index) else {
      throw .format("input \(index) is missing; \(node.inputs.count) are given")
    }
    return id
  }

  mutating func optionalInput(_ node: Node, _ index: Int) throws(Das3Error) -> ValueID? {
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

  /// The value of an input that configures the operator; nil where the input is left out.
  mutating func configuration(_ node: Node, _ index: Int, _ name: String)
    throws(Das3Error) -> ConstantTensor?
  {
    guard Self.importers[node.opType]?.configuration.contains(index) == true else {
      throw Das3Error(.internal, "'\(name)' is no declared configuration of \(node.opType)")
    }
    guard let id = try optionalInput(node, index) else { return nil }
    guard let tensor = try evaluated(id) else {
      throw .unsupported("'\(name)' depends on the data; expected a value known at load")
    }
    return tensor
  }

  /// The value of `id`, computed with the weights of the file; nil where the value depends on the
  /// image or is too large.
  mutating func evaluated(_ id: ValueID, depth: Int = 0) throws(Das3Error) -> ConstantTensor? {
    if let known = evaluations[id] { return known }
    var result: ConstantTensor?
    switch graph.values[id].source {
    case .constant(let tensor): return tensor
    case .input: return nil
    case .parameter(let index):
      let parameter = model.parameters[index]
      if parameter.shape.elementCount <= Operator.largestFoldedCount(.float32) {
        result = model.value(of: parameter)
      }
    case .node(let index):
      let node = graph.nodes[index]
      let info = graph.values[id].info
      // The bound on the depth keeps the recursion off the end of the stack.
      guard depth < 256, info.shape.elementCount <= Operator.largestFoldedCount(info.type) else {
        return nil
      }
      var inputs: [ConstantTensor] = []
      for input in node.inputs {
        guard let tensor = try evaluated(input, depth: depth + 1) else {
          evaluations[id] = .some(nil)
          return nil
        }
        inputs.append(tensor)
      }
      result = try folded(node.operation, inputs, info)
    }
    evaluations[id] = .some(result)
    return result
  }

  private mutating func folded(
    _ operation: Operator, _ inputs: [ConstantTensor], _ result: ValueInfo
  ) throws(Das3Error) -> ConstantTensor? {
    try reserve(result.shape.elementCount)
    try deadline.check()
    return try operation.rules.folded(inputs, result)
  }

  /// A configuration that stands in an attribute in older opsets and in an input in newer ones.
  mutating func intsFromAttributeOrInput(_ node: Node, _ name: String, _ index: Int)
    throws(Das3Error) -> [Int]?
  {
    if let ints = try node.ints(name) { return ints }
    return try configuration(node, index, name)?.ints.map { Int($0) }
  }

  /// The constant that a value is; nil where it is computed or may be trained.
  func constant(behind id: ValueID) -> ConstantTensor? { graph.constant(id) }

  /// The node that makes a value, if one does.
  func producer(of id: ValueID) -> Graph.Node? {
    if case .node(let index) = graph.values[id].source { graph.nodes[index] } else { nil }
  }

  // MARK: Functions for importers

  /// Adds a node; where all inputs are constants and small, adds the computed result instead.
  mutating func emit(_ operation: Operator, _ inputs: [ValueID]) throws(Das3Error) -> ValueID {
    var info = try operation.rules.infer(inputs.map { graph.values[$0].info })
    info.shape = try info.shape.validated()
    let constants = inputs.compactMap { graph.constant($0) }
    if constants.count == inputs.count,
      info.shape.elementCount <= Operator.largestFoldedCount(info.type),
      let folded = try folded(operation, constants, info)
    {
      return constant(folded)
    }
    let id = add("", info, .node(graph.nodes.count))
    graph.nodes.append(Graph.Node(name: place, operation: operation, inputs: inputs, output: id))
    return id
  }

  /// Counts the elements of constants and tables before they are made.
  ///
  /// Real networks have thousands; a hostile file could ask for more than the memory of the
  /// machine.
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

  mutating func scalar(_ value: Float) -> ValueID { constant(ConstantTensor(scalar: value)) }

  mutating func unary(_ kind: Unary.Kind, _ x: ValueID, a: Float = 0, b: Float = 0)
    throws(Das3Error) -> ValueID
  {
    try emit(.unary(Unary(kind: kind, a: a, b: b)), [x])
  }

  mutating func binary(_ kind: Binary.Kind, _ a: ValueID, _ b: ValueID) throws(Das3Error)
    -> ValueID
  {
    try emit(.binary(Binary(kind: kind)), [a, b])
  }

  /// Sets the value of the node's output `index`.
  mutating func bind(_ node: Node, _ id: ValueID, output index: Int = 0)
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

  /// Transposes a value.
  ///
  /// Two transpositions in a row become one, or none.
  mutating func transpose(_ id: ValueID, _ order: [Int]) throws(Das3Error) -> ValueID {
    if order == Array(order.indices) { return id }
    if case .node(let index) = graph.values[id].source,
      case .transpose(let inner) = graph.nodes[index].operation,
      order.sorted() == Array(inner.order.indices)
    {
      return try transpose(graph.nodes[index].inputs[0], order.map { inner.order[$0] })
    }
    return try emit(.transpose(Transpose(order: order)), [id])
  }

  private mutating func add(_ name: String, _ info: ValueInfo, _ source: Graph.Source) -> ValueID {
    graph.values.append(Graph.Value(name: name, info: info, source: source))
    return graph.values.count - 1
  }
}

extension OnnxModel {
  /// Whether a node or an output of the graph takes the value.
  func isUsed(_ name: String) -> Bool {
    outputs.contains { $0.name == name } || nodes.contains { $0.dependencies.contains(name) }
  }

  /// Which nodes the named values depend on.
  fileprivate func nodesNeeded(for outputs: [String]) -> [Bool] {
    var names = Set(outputs)
    var needed = [Bool](repeating: false, count: nodes.count)
    for index in nodes.indices.reversed() where nodes[index].outputs.contains(where: names.contains)
    {
      needed[index] = true
      names.formUnion(nodes[index].dependencies)
    }
    return needed
  }
}
