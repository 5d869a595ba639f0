internal import COnnx
import Das3Files

/// Reads an ONNX file, with its external data, into an `OnnxModel`.
///
/// The checker of libonnx checks models that it knows (opset ≤ 17, IR version ≤ 8). `GraphBuilder`
/// checks everything else when it makes a graph.
@safe package struct OnnxImport {
  package struct Limits: Sendable {
    package var maximumBytes: UInt64 = 2 << 30
    package var maximumNodes: UInt64 = 100_000
    package var deadline = Deadline(milliseconds: 0)
    package init() {}
  }

  /// From opset 9 on every meaning of the operators is covered.
  ///
  /// Models of opset 6 to 8 load where they state the attributes that later versions have as
  /// defaults.
  package static let supportedOpsets = 6...25

  /// The place of a parameter in the file, and its first element in the flat weights.
  struct Place {
    var tensor: Int
    var offset: Int
    /// The index of the DequantizeLinear that makes it from the integers of the tensor, if one
    /// does.
    var node: Int?
  }

  private let limits: Limits
  private let message: OnnxMessage
  /// The folder of external data; nil = external data is refused.
  let folder: FileFolder?
  var model: OpaquePointer { unsafe message.model }

  /// Reads the file at `path`; its external data must be in the same folder.
  package static func load(path: String, allowsExternalData: Bool, limits: Limits)
    throws(Das3Error) -> OnnxModel
  {
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) }
    // The bytes of the file are freed at the end of the closure.
    let message = try { () throws(Das3Error) in
      let file = try FileBytes(path, maximumBytes: limits.maximumBytes)
      return try unsafe OnnxMessage(file.bytes, limits)
    }()
    return try load(message, allowsExternalData ? folder ?? "." : nil, limits)
  }

  /// Reads the bytes of a file.
  ///
  /// External data must be in `directory`; nil = it is refused.
  package static func load(bytes: UnsafeRawBufferPointer, directory: String?, limits: Limits)
    throws(Das3Error) -> OnnxModel
  {
    try unsafe load(OnnxMessage(bytes, limits), directory, limits)
  }

  private static func load(_ message: OnnxMessage, _ directory: String?, _ limits: Limits)
    throws(Das3Error) -> OnnxModel
  {
    let model = unsafe message.model
    let opset = Int(unsafe d3o_get_graph(model).pointee.opset)
    guard supportedOpsets.contains(opset) else {
      throw .unsupported(
        "the model has opset \(opset); expected \(supportedOpsets.lowerBound) to \(supportedOpsets.upperBound)"
      )
    }
    do throws(Das3Error) {
      try unsafe call { unsafe d3o_check(model, $0, $1) }
    } catch {
      // The checker reports an unknown operator as damage. This message says which one it is.
      if let unsupported = unsafe unsupportedOperator(model) { throw unsupported }
      throw error
    }
    try limits.deadline.check()
    var folder: FileFolder?
    if let directory, unsafe hasExternalData(model) { folder = try FileFolder(directory) }
    return try OnnxImport(limits: limits, message: message, folder: folder).convert()
  }

  private static func unsupportedOperator(_ model: OpaquePointer) -> Das3Error? {
    let graph = unsafe d3o_get_graph(model).pointee
    for index in unsafe 0..<Int(graph.node_count) {
      let node = unsafe graph.nodes[index]
      let opType = unsafe String(cString: node.op_type)
      guard !GraphBuilder.isKnown(opType) else { continue }
      var name = unsafe String(cString: node.name)
      if name.isEmpty, unsafe node.output_count > 0, let output = unsafe node.outputs[0] {
        name = unsafe String(cString: output)
      }
      let domain = unsafe String(cString: node.domain)
      return UnsupportedOperator(opType: opType, domain: domain).error.at("\(opType) '\(name)'")
    }
    return nil
  }

  private static func hasExternalData(_ model: OpaquePointer) -> Bool {
    let graph = unsafe d3o_get_graph(model).pointee
    return unsafe (0..<Int(graph.tensor_count)).contains {
      unsafe graph.tensors[$0].is_external != 0
    }
  }

  private func convert() throws(Das3Error) -> OnnxModel {
    let graph = unsafe d3o_get_graph(model).pointee
    // Constant nodes outside functions and branches may hold weights.
    var tensors: [String: Int] = [:]
    var nodes: [OnnxModel.Node] = []
    nodes.reserveCapacity(unsafe Int(graph.node_count))
    for index in unsafe 0..<Int(graph.node_count) {
      let node = try unsafe node(graph.nodes[index])
      nodes.append(node)
      if node.opType == "Constant", node.domain.isEmpty, let output = node.outputs.first {
        tensors[output] = unsafe valueTensor(of: graph.nodes[index])
      }
    }
    let quantized = try quantizedWeights(nodes)
    let made = Set(quantized.map(\.name))
    nodes.removeAll { $0.outputs.first.map(made.contains) ?? false }
    nodes = try inlined(nodes).inComputingOrder()
    let roles = ParameterRoles(nodes: nodes)

    var constants: [String: ConstantTensor] = [:]
    var parameters: [OnnxModel.Parameter] = []
    var places: [Place] = []
    var weights: [Float] = []
    func adopt(
      _ name: String, _ index: Int, shape: Shape, floats: [Float], node: Int? = nil
    ) throws(Das3Error) {
      let count = weights.count + floats.count
      // The array may double its capacity when it grows.
      if weights.capacity < count { try AddressSpace.check(8 * count + AddressSpace.margin) }
      places.append(Place(tensor: index, offset: weights.count, node: node))
      var parameter = OnnxModel.Parameter(
        name: name, shape: shape, offset: weights.count,
        isStatistic: roles.statistics.contains(name))
      switch unsafe graph.tensors[index].data_type {
      case 10: parameter.storage = .float16
      case 16: parameter.storage = .bfloat16
      default: break
      }
      parameters.append(parameter)
      weights.append(contentsOf: floats)
    }
    for index in unsafe 0..<Int(graph.initializer_count) {
      let name = unsafe String(cString: graph.tensors[index].name)
      guard roles.uses.contains(name) else { continue }
      let tensor = try self.tensor(index)
      if tensor.type == .float32, tensor.shape.rank > 0, roles.operands.contains(name) {
        try adopt(name, index, shape: tensor.shape, floats: tensor.floats)
      } else {
        constants[name] = tensor
      }
      try limits.deadline.check()
    }
    for weight in quantized {
      let values: ConstantTensor
      do throws(Das3Error) {
        values = try weight.values(tensor(weight.tensor))
      } catch {
        throw error.at(weight.place)
      }
      try adopt(
        weight.name, weight.tensor, shape: values.shape, floats: values.floats, node: weight.node)
      try limits.deadline.check()
    }
    // A Constant node that holds a weight becomes a parameter. A matrix that pools is none.
    var others: [OnnxModel.Node] = []
    others.reserveCapacity(nodes.count)
    for node in nodes {
      guard node.opType == "Constant", node.domain.isEmpty, let output = node.outputs.first,
        roles.weights.contains(output), case .tensor(let tensor)? = node.attributes["value"],
        tensor.type == .float32, tensor.shape.rank > 0, !tensor.isMeanOfNeighbours,
        constants[output] == nil, let place = tensors.removeValue(forKey: output)
      else {
        others.append(node)
        continue
      }
      try adopt(output, place, shape: tensor.shape, floats: tensor.floats)
    }
    let inputs = unsafe (0..<Int(graph.input_count)).map { unsafe port(graph.inputs[$0]) }
    let outputs = unsafe (0..<Int(graph.output_count)).map { unsafe port(graph.outputs[$0]) }
    let producer = unsafe [
      String(cString: graph.producer_name), String(cString: graph.producer_version),
    ].filter { !$0.isEmpty }.joined(separator: " ")
    let metadata = unsafe metadata(graph)
    let source = source(places, weightCount: weights.count)
    try limits.deadline.check()
    return unsafe OnnxModel(
      nodes: others, inputs: inputs, outputs: outputs, opset: Int(graph.opset),
      irVersion: Int(graph.ir_version), producer: producer, metadata: metadata,
      nodeCount: Int(graph.node_count), constants: constants, parameters: parameters,
      parameterIndex: Dictionary(
        parameters.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { $1 }),
      weights: weights, quantizedCount: quantized.count, source: source, sourceHash: message.hash)
  }

  /// The source that the model is saved from; the records of the reader are invalid afterwards.
  private func source(_ places: [Place], weightCount: Int) -> OnnxSource {
    do throws(Das3Error) {
      try readExternalData(but: Set(places.filter { $0.node == nil }.map(\.tensor)))
      return try unsafe OnnxSource(model, parameters: places, weightCount: weightCount)
    } catch {
      return OnnxSource(problem: error)
    }
  }

  /// The weights that a DequantizeLinear makes from an initialiser of integers.
  private func quantizedWeights(_ nodes: [OnnxModel.Node]) throws(Das3Error) -> [QuantizedWeight] {
    guard nodes.contains(where: { $0.opType == "DequantizeLinear" }) else { return [] }
    let graph = unsafe d3o_get_graph(model).pointee
    var places: [String: Int] = [:]
    for index in unsafe 0..<Int(graph.initializer_count) {
      places[unsafe String(cString: graph.tensors[index].name)] = index
    }
    // Names of values that exist already; a weight must have another name.
    var outputs = unsafe Set(
      (0..<Int(graph.output_count)).map { unsafe String(cString: graph.outputs[$0].name) })
    var made: [String: ConstantTensor] = [:]
    for node in nodes where node.opType == "Constant" {
      guard case .tensor(let tensor)? = node.attributes["value"] else { continue }
      for output in node.outputs { made[output] = tensor }
    }
    var result: [QuantizedWeight] = []
    for (index, node) in nodes.enumerated() {
      guard node.opType == "DequantizeLinear", let name = node.outputs.first, places[name] == nil,
        outputs.insert(name).inserted, let place = node.inputs.first.flatMap({ places[$0] }),
        unsafe graph.tensors[place].dim_count > 0
      else { continue }
      func constant(_ input: Int) throws(Das3Error) -> ConstantTensor? {
        guard input < node.inputs.count else { return nil }
        let name = node.inputs[input]
        if let place = places[name] { return try tensor(place) }
        return made[name]
      }
      if let scale = try constant(1), try node.int("block_size", default: 0) == 0 {
        result.append(
          QuantizedWeight(
            name: name, place: node.place, node: index, tensor: place,
            axis: try node.int("axis", default: 1), scale: scale, zeroPoint: try constant(2)))
      }
    }
    return result
  }

  /// The nodes, with each call of a function of the model replaced by the nodes of the function.
  private func inlined(_ nodes: [OnnxModel.Node]) throws(Das3Error) -> [OnnxModel.Node] {
    let graph = unsafe d3o_get_graph(model).pointee
    var functions = OnnxFunctions(maximumNodes: limits.maximumNodes)
    for index in unsafe 0..<Int(graph.function_count) {
      let record = unsafe graph.blocks[index]
      var defaults: [String: OnnxModel.Attribute] = [:]
      for position in unsafe 0..<Int(record.default_count) {
        let attribute = unsafe record.defaults[position]
        defaults[unsafe String(cString: attribute.name)] = try unsafe value(of: attribute)
      }
      try unsafe functions.add(
        name: String(cString: record.name), domain: String(cString: record.domain),
        opset: Int(record.opset), modelOpset: Int(graph.opset), block: block(record),
        defaults: defaults)
    }
    return try functions.inlined(nodes)
  }
}
