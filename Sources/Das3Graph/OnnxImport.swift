internal import COnnx

/// Bytes of an ONNX file, or a file with its external data, to an `OnnxModel`.
///
/// libonnx's own checker has its say where it can judge (opset ≤ 17, IR ≤ 8); `GraphBuilder`
/// judges the rest when a graph is made.
@safe package struct OnnxImport {
  package struct Limits: Sendable {
    package var maximumBytes: UInt64 = 2 << 30
    package var maximumNodes: UInt64 = 100_000
    package var deadline = Deadline(milliseconds: 0)
    package init() {}
  }

  /// From 9 on every meaning is covered; 6 to 8 load where their operators' attributes say what
  /// later versions say by default.
  package static let supportedOpsets = 6...25

  /// Where the file holds a parameter, and its first element in the flat weights.
  struct Place {
    var tensor: Int
    var offset: Int
    /// The DequantizeLinear that makes it of the tensor's integers.
    var node: Int?
  }

  private let limits: Limits
  private let model: OpaquePointer
  private let directory: Int32

  /// Reads the file at `path`; external data is looked for beside it.
  package static func load(path: String, allowsExternalData: Bool, limits: Limits)
    throws(Das3Error) -> OnnxModel
  {
    var bytes: UnsafeMutableRawPointer?
    var size = 0
    try unsafe call { unsafe d3o_read_file(&bytes, &size, path, limits.maximumBytes, $0, $1) }
    defer { unsafe d3o_free_bytes(bytes) }
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) }
    return try unsafe load(
      bytes: UnsafeRawBufferPointer(start: bytes, count: size),
      directory: allowsExternalData ? folder ?? "." : nil, limits: limits)
  }

  /// Reads a file's bytes; external data is looked for in `directory`, nil = refused.
  package static func load(bytes: UnsafeRawBufferPointer, directory: String?, limits: Limits)
    throws(Das3Error) -> OnnxModel
  {
    var model: OpaquePointer?
    var recordLimits = d3o_limits(
      max_bytes: limits.maximumBytes, max_nodes: limits.maximumNodes)
    try unsafe call {
      unsafe d3o_parse(&model, bytes.baseAddress, bytes.count, &recordLimits, $0, $1)
    }
    guard let model = unsafe model else {
      throw Das3Error(.internal, "the ONNX reader gave no model")
    }
    defer { unsafe d3o_free(model) }
    try limits.deadline.check()
    let opset = Int(unsafe d3o_get_graph(model).pointee.opset)
    guard supportedOpsets.contains(opset) else {
      throw .unsupported(
        "the model has opset \(opset); expected \(supportedOpsets.lowerBound) to \(supportedOpsets.upperBound)"
      )
    }
    do throws(Das3Error) {
      try unsafe call { unsafe d3o_check(model, $0, $1) }
    } catch {
      // The checker calls an operator that it does not know damage; we say what it is.
      if let unsupported = unsafe unsupportedOperator(model) { throw unsupported }
      throw error
    }
    try limits.deadline.check()
    var descriptor: Int32 = -1
    if let directory, unsafe hasExternalData(model) {
      try unsafe call { unsafe d3o_open_directory(&descriptor, directory, $0, $1) }
    }
    defer { d3o_close_directory(descriptor) }
    return try unsafe OnnxImport(limits: limits, model: model, directory: descriptor)
      .convert(hash: WholeFile.hexadecimal(WholeFile.digest(bytes)))
  }

  /// What stands in `network.json` beside `network.onnx`.
  package enum Sidecar {
    case none
    case metadata([String: Json])
    /// Another program's file; says why it is not read.
    case foreign(String)

    package var object: [String: Json]? {
      if case .metadata(let object) = self { object } else { nil }
    }
  }

  /// Reads the JSON file beside a model.
  ///
  /// - Throws: `.io` or `.limit` where there is one that cannot be read, `.format` where it is
  ///   damaged and names keys of ours.
  package static func sidecar(ofModel path: String) throws(Das3Error) -> Sidecar {
    let place = (path.hasSuffix(".onnx") ? String(path.dropLast(5)) : path) + ".json"
    var bytes: UnsafeMutableRawPointer?
    var size = 0
    guard unsafe d3o_path_exists(place) != 0 else { return .none }
    try unsafe call { unsafe d3o_read_file(&bytes, &size, place, 1 << 20, $0, $1) }
    defer { unsafe d3o_free_bytes(bytes) }
    let text = unsafe String(
      decoding: UnsafeRawBufferPointer(start: bytes, count: size), as: UTF8.self)
    do {
      let json = try Json(parsing: text)
      if Metadata.isOurs(json), let object = json.object { return .metadata(object) }
      return .foreign("\(place) is ignored: it holds no metadata of a segmentation network")
    } catch {
      let ours = ["\"classes\"", "\"colours\"", "\"input\"", "\"output\""]
      if ours.contains(where: { text.contains($0) }) { throw error.at(place) }
      return .foreign("\(place) is ignored: \(error.message)")
    }
  }

  /// Reads one serialised TensorProto.
  package static func loadTensor(bytes: UnsafeRawBufferPointer) throws(Das3Error) -> ConstantTensor
  {
    let limits = Limits()
    var model: OpaquePointer?
    var recordLimits = d3o_limits(max_bytes: limits.maximumBytes, max_nodes: 1)
    try unsafe call {
      unsafe d3o_parse_tensor(&model, bytes.baseAddress, bytes.count, &recordLimits, $0, $1)
    }
    guard let model = unsafe model else {
      throw Das3Error(.internal, "the ONNX reader gave no tensor")
    }
    defer { unsafe d3o_free(model) }
    return try unsafe OnnxImport(limits: limits, model: model, directory: -1).tensor(0)
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

  /// - Parameter hash: of the file.
  private func convert(hash: String) throws(Das3Error) -> OnnxModel {
    let graph = unsafe d3o_get_graph(model).pointee
    // Constant nodes of the file itself may hold weights.
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
      // The array doubles where it grows.
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
    // A weight may also stand in a Constant node.
    var others: [OnnxModel.Node] = []
    others.reserveCapacity(nodes.count)
    for node in nodes {
      guard node.opType == "Constant", node.domain.isEmpty, let output = node.outputs.first,
        roles.weights.contains(output), case .tensor(let tensor)? = node.attributes["value"]?.value,
        tensor.type == .float32, tensor.shape.rank > 0, constants[output] == nil,
        let place = tensors.removeValue(forKey: output)
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
    // Ends the records.
    let source = try unsafe OnnxSource(
      model, directory: directory, parameters: places, weightCount: weights.count)
    try limits.deadline.check()
    return unsafe OnnxModel(
      nodes: others, inputs: inputs, outputs: outputs, opset: Int(graph.opset),
      irVersion: Int(graph.ir_version), producer: producer, metadata: metadata,
      nodeCount: Int(graph.node_count), constants: constants, parameters: parameters,
      weights: weights, quantizedCount: quantized.count, source: source, sourceHash: hash)
  }

  /// Initialisers of integers that a DequantizeLinear makes weights of.
  private func quantizedWeights(_ nodes: [OnnxModel.Node]) throws(Das3Error) -> [QuantizedWeight] {
    guard nodes.contains(where: { $0.opType == "DequantizeLinear" }) else { return [] }
    let graph = unsafe d3o_get_graph(model).pointee
    var places: [String: Int] = [:]
    for index in unsafe 0..<Int(graph.initializer_count) {
      places[unsafe String(cString: graph.tensors[index].name)] = index
    }
    // Names that must not be a weight's too.
    var outputs = unsafe Set(
      (0..<Int(graph.output_count)).map { unsafe String(cString: graph.outputs[$0].name) })
    var made: [String: ConstantTensor] = [:]
    for node in nodes where node.opType == "Constant" {
      guard case .tensor(let tensor)? = node.attributes["value"]?.value else { continue }
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

  /// The tensor in a Constant node's attribute `value`.
  private func valueTensor(of record: d3o_node) -> Int? {
    for index in unsafe 0..<Int(record.attribute_count) {
      let attribute = unsafe record.attributes[index]
      guard unsafe String(cString: attribute.name) == "value" else { continue }
      return unsafe attribute.tensor < 0 ? nil : Int(attribute.tensor)
    }
    return nil
  }

  private func metadata(_ graph: d3o_graph) -> [String: String] {
    var result: [String: String] = [:]
    for index in unsafe 0..<Int(graph.metadata_count) {
      let pair = unsafe graph.metadata[index]
      result[unsafe String(cString: pair.key)] = unsafe String(cString: pair.value)
    }
    return result
  }

  private func port(_ value: d3o_value) -> OnnxModel.Port {
    let dims: [Int?]? =
      unsafe value.dim_count < 0
      ? nil
      : (0..<Int(value.dim_count)).map { axis in
        let size = unsafe value.dims[axis]
        return size < 0 ? nil : Int(size)
      }
    return unsafe OnnxModel.Port(
      name: unsafe String(cString: value.name), isFloat: [1, 10, 11, 16].contains(value.data_type),
      dims: dims)
  }

  private func node(_ record: d3o_node) throws(Das3Error) -> OnnxModel.Node {
    var attributes: [String: OnnxModel.Attribute] = [:]
    for index in unsafe 0..<Int(record.attribute_count) {
      let attribute = unsafe record.attributes[index]
      attributes[unsafe String(cString: attribute.name)] = OnnxModel.Attribute(
        value: try unsafe value(of: attribute))
    }
    return unsafe OnnxModel.Node(
      name: String(cString: record.name), opType: String(cString: record.op_type),
      domain: String(cString: record.domain), inputs: strings(record.inputs, record.input_count),
      outputs: strings(record.outputs, record.output_count), attributes: attributes)
  }

  private func strings(_ list: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int32) -> [String] {
    (0..<Int(count)).map { unsafe list?[$0].map { unsafe String(cString: $0) } ?? "" }
  }

  private func block(_ record: d3o_block) throws(Das3Error) -> OnnxModel.Block {
    var nodes: [OnnxModel.Node] = []
    for index in unsafe 0..<Int(record.initializer_count) {
      let place = unsafe Int(record.first_initializer) + index
      let name = unsafe String(cString: d3o_get_graph(model).pointee.tensors[place].name)
      nodes.append(
        OnnxModel.Node(
          name: "", opType: "Constant", domain: "", inputs: [], outputs: [name],
          attributes: ["value": OnnxModel.Attribute(value: .tensor(try tensor(place)))]))
    }
    for index in unsafe 0..<Int(record.node_count) {
      nodes.append(try unsafe node(record.nodes[index]))
    }
    return unsafe OnnxModel.Block(
      inputs: strings(record.inputs, record.input_count),
      outputs: strings(record.outputs, record.output_count), nodes: nodes)
  }

  /// The nodes with calls of the model's own functions replaced by what these do.
  private func inlined(_ nodes: [OnnxModel.Node]) throws(Das3Error) -> [OnnxModel.Node] {
    let graph = unsafe d3o_get_graph(model).pointee
    var functions = OnnxFunctions(maximumNodes: limits.maximumNodes)
    for index in unsafe 0..<Int(graph.function_count) {
      let record = unsafe graph.blocks[index]
      var defaults: [String: OnnxModel.Attribute] = [:]
      for position in unsafe 0..<Int(record.default_count) {
        let attribute = unsafe record.defaults[position]
        defaults[unsafe String(cString: attribute.name)] = OnnxModel.Attribute(
          value: try unsafe value(of: attribute))
      }
      try unsafe functions.add(
        name: String(cString: record.name), domain: String(cString: record.domain),
        opset: Int(record.opset), modelOpset: Int(graph.opset), block: block(record),
        defaults: defaults)
    }
    return try functions.inlined(nodes)
  }

  private func value(of record: d3o_attribute) throws(Das3Error) -> OnnxModel.Attribute.Value {
    let count = unsafe Int(record.count)
    let reference = unsafe String(cString: record.reference)
    guard reference.isEmpty else { return .reference(reference) }
    switch unsafe d3o_attribute_kind(UInt32(record.kind)) {
    case D3O_GRAPH where unsafe record.block >= 0:
      return .block(try unsafe block(d3o_get_graph(model).pointee.blocks[Int(record.block)]))
    case D3O_FLOAT: return unsafe .float(record.f)
    case D3O_INT: return unsafe .int(Int(record.i))
    case D3O_STRING: return .string(unsafe record.s.map { unsafe String(cString: $0) } ?? "")
    case D3O_TENSOR where unsafe record.tensor >= 0:
      // Attribute tensors of kinds that are not read (strings) matter only to operators we lack.
      return unsafe (try? tensor(Int(record.tensor))).map { .tensor($0) } ?? .other
    case D3O_FLOATS: return .floats((0..<count).map { unsafe record.floats[$0] })
    case D3O_INTS: return .ints((0..<count).map { unsafe Int(record.ints[$0]) })
    case D3O_STRINGS:
      return .strings(
        (0..<count).map { unsafe record.strings[$0].map { unsafe String(cString: $0) } ?? "" })
    default: return .other
    }
  }

  private func tensor(_ index: Int) throws(Das3Error) -> ConstantTensor {
    let record = unsafe d3o_get_graph(model).pointee.tensors[index]
    let name = unsafe String(cString: record.name)
    let shape: Shape
    do {
      shape = try unsafe Shape((0..<Int(record.dim_count)).map { unsafe Int(record.dims[$0]) })
        .validated()
    } catch {
      throw error.at("tensor '\(name)'")
    }
    let count = shape.elementCount
    let isLarge = count > 1 << 14
    switch unsafe record.data_type {
    case 1, 10, 11, 16:
      if isLarge { try AddressSpace.check(4 * count + AddressSpace.margin) }
      var floats = [Float](repeating: 0, count: count)
      try unsafe Self.call { message, capacity in
        unsafe floats.withUnsafeMutableBufferPointer {
          unsafe d3o_read_floats(
            model, Int64(index), directory, $0.baseAddress, Int64(count), message, capacity)
        }
      }
      return ConstantTensor(shape: shape, floats: floats)
    default:
      // Integers are indices and sizes; eight bytes each here, perhaps one in the file.
      guard count <= Shape.maximumComputedCount else {
        throw .limit(
          "tensor '\(name)' has \(count) integers; the limit is \(Shape.maximumComputedCount)")
      }
      if isLarge { try AddressSpace.check(8 * count + AddressSpace.margin) }
      var ints = [Int64](repeating: 0, count: count)
      try unsafe Self.call { message, capacity in
        unsafe ints.withUnsafeMutableBufferPointer {
          unsafe d3o_read_ints(
            model, Int64(index), directory, $0.baseAddress, Int64(count), message, capacity)
        }
      }
      var result = unsafe ConstantTensor(
        shape: shape, type: record.data_type == 9 ? .bool : .int64, ints: ints)
      result.bounds = unsafe ConstantTensor.bounds(ofType: Int(record.data_type))
      return result
    }
  }

  /// Runs one reader function and turns its status and message into an error.
  static func call(
    _ body: (UnsafeMutablePointer<CChar>?, Int) -> d3o_status
  ) throws(Das3Error) {
    var text = [CChar](repeating: 0, count: 512)
    let status = unsafe text.withUnsafeMutableBufferPointer {
      unsafe body($0.baseAddress, $0.count)
    }
    guard status != D3O_OK else { return }
    let message = String(
      decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    switch status {
    case D3O_E_LIMIT: throw .limit(message)
    case D3O_E_UNSUPPORTED: throw .unsupported(message)
    case D3O_E_IO: throw .io(message)
    case D3O_E_MEMORY: throw .memory(message)
    default: throw .format(message)
    }
  }
}
