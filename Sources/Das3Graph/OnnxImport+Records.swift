internal import COnnx

/// Turns records of the ONNX reader into Swift values.
extension OnnxImport {
  /// The index of the tensor in the attribute `value` of a Constant node.
  func valueTensor(of record: d3o_node) -> Int? {
    for index in unsafe 0..<Int(record.attribute_count) {
      let attribute = unsafe record.attributes[index]
      guard unsafe String(cString: attribute.name) == "value" else { continue }
      return unsafe attribute.tensor < 0 ? nil : Int(attribute.tensor)
    }
    return nil
  }

  func metadata(_ graph: d3o_graph) -> [String: String] {
    var result: [String: String] = [:]
    for index in unsafe 0..<Int(graph.metadata_count) {
      let pair = unsafe graph.metadata[index]
      result[unsafe String(cString: pair.key)] = unsafe String(cString: pair.value)
    }
    return result
  }

  func port(_ value: d3o_value) -> OnnxModel.Port {
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

  func node(_ record: d3o_node) throws(Das3Error) -> OnnxModel.Node {
    var attributes: [String: OnnxModel.Attribute] = [:]
    for index in unsafe 0..<Int(record.attribute_count) {
      let attribute = unsafe record.attributes[index]
      attributes[unsafe String(cString: attribute.name)] = try unsafe value(of: attribute)
    }
    return unsafe OnnxModel.Node(
      name: String(cString: record.name), opType: String(cString: record.op_type),
      domain: String(cString: record.domain), inputs: strings(record.inputs, record.input_count),
      outputs: strings(record.outputs, record.output_count), attributes: attributes)
  }

  func strings(_ list: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int32) -> [String] {
    (0..<Int(count)).map { unsafe list?[$0].map { unsafe String(cString: $0) } ?? "" }
  }

  func block(_ record: d3o_block) throws(Das3Error) -> OnnxModel.Block {
    var nodes: [OnnxModel.Node] = []
    for index in unsafe 0..<Int(record.initializer_count) {
      let place = unsafe Int(record.first_initializer) + index
      let name = unsafe String(cString: d3o_get_graph(model).pointee.tensors[place].name)
      nodes.append(
        OnnxModel.Node(
          name: "", opType: "Constant", domain: "", inputs: [], outputs: [name],
          attributes: ["value": .tensor(try tensor(place))]))
    }
    for index in unsafe 0..<Int(record.node_count) {
      nodes.append(try unsafe node(record.nodes[index]))
    }
    return unsafe OnnxModel.Block(
      inputs: strings(record.inputs, record.input_count),
      outputs: strings(record.outputs, record.output_count), nodes: nodes)
  }

  func value(of record: d3o_attribute) throws(Das3Error) -> OnnxModel.Attribute {
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
      // Only operators that are not supported have attributes that are tensors of strings.
      return unsafe (try? tensor(Int(record.tensor))).map { .tensor($0) } ?? .other
    case D3O_FLOATS: return .floats((0..<count).map { unsafe record.floats[$0] })
    case D3O_INTS: return .ints((0..<count).map { unsafe Int(record.ints[$0]) })
    case D3O_STRINGS:
      return .strings(
        (0..<count).map { unsafe record.strings[$0].map { unsafe String(cString: $0) } ?? "" })
    default: return .other
    }
  }
}
