/// Nodes, initialisers and metadata to the bytes of an ONNX file, so that tests need no Python.
///
/// It writes what it is told: damaged models are made here on purpose.
package struct OnnxWriter: Sendable {
  package struct Node: Sendable {
    package var opType: String
    package var inputs: [String]
    package var outputs: [String]
    package var name = ""
    package var domain = ""
    package var attributes: [(name: String, value: Attribute)]

    package init(
      _ opType: String, _ inputs: [String], _ outputs: [String],
      _ attributes: KeyValuePairs<String, Attribute> = [:]
    ) {
      self.opType = opType
      self.inputs = inputs
      self.outputs = outputs
      self.attributes = attributes.map { (name: $0.key, value: $0.value) }
    }
  }

  package enum Attribute: Sendable {
    case float(Float)
    case int(Int)
    case string(String)
    case floats([Float])
    case ints([Int])
    case tensor(OnnxTensor)
    /// An empty subgraph.
    case graph
    case block([Node], outputs: [String])
    /// In a function: an attribute of its caller, an integer.
    case callersInt(String)
  }

  package enum Dimension: Sendable, ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
    case size(Int)
    case open(String)
    package init(integerLiteral value: Int) { self = .size(value) }
    package init(stringLiteral value: String) { self = .open(value) }
  }

  package struct Port: Sendable {
    package var name: String
    /// nil = rank not stated.
    package var dims: [Dimension]?
    package var elementType = OnnxTensor.float32
  }

  /// A function of the model.
  package struct Function: Sendable {
    package var name: String
    package var domain: String
    package var inputs: [String]
    package var outputs: [String]
    package var nodes: [Node]
    package var defaults: [(name: String, value: Attribute)]
    package var opset: Int

    package init(
      _ name: String, domain: String = "own", _ inputs: [String], _ outputs: [String],
      _ nodes: [Node], defaults: KeyValuePairs<String, Attribute> = [:], opset: Int = 17
    ) {
      self.name = name
      self.domain = domain
      self.inputs = inputs
      self.outputs = outputs
      self.nodes = nodes
      self.defaults = defaults.map { (name: $0.key, value: $0.value) }
      self.opset = opset
    }
  }

  package var irVersion = 8
  package var opset = 17
  package var functions: [Function] = []
  package var producer = "libdas3 tests"
  package var metadata: [(key: String, value: String)] = []
  package var nodes: [Node] = []
  package var initializers: [OnnxTensor] = []
  package var inputs: [Port] = []
  package var outputs: [Port] = []

  package init(opset: Int = 17, irVersion: Int = 8) {
    self.opset = opset
    self.irVersion = irVersion
  }

  package mutating func input(
    _ name: String, _ dims: [Dimension]?, elementType: Int = OnnxTensor.float32
  ) {
    inputs.append(Port(name: name, dims: dims, elementType: elementType))
  }

  package mutating func output(
    _ name: String, _ dims: [Dimension]? = ["n", "c", "h", "w"],
    elementType: Int = OnnxTensor.float32
  ) {
    outputs.append(Port(name: name, dims: dims, elementType: elementType))
  }

  package mutating func node(
    _ opType: String, _ inputs: [String], _ outputs: [String],
    _ attributes: KeyValuePairs<String, Attribute> = [:]
  ) {
    nodes.append(Node(opType, inputs, outputs, attributes))
  }

  package mutating func floats(_ name: String, _ dims: [Int], _ values: [Float]) {
    initializers.append(OnnxTensor(name, dims, floats: values))
  }

  package mutating func ints(_ name: String, _ values: [Int]) {
    initializers.append(OnnxTensor(name, [values.count], ints: values))
  }

  /// The bytes of the ModelProto.
  package func serialized() -> [UInt8] {
    var model = ProtobufWriter()
    model.varint(1, irVersion)
    model.string(2, producer)
    model.message(7, write)
    model.message(8) {
      $0.string(1, "")
      $0.varint(2, opset)
    }
    for pair in metadata {
      model.message(14) {
        $0.string(1, pair.key)
        $0.string(2, pair.value)
      }
    }
    for function in functions { model.message(25) { write(function, &$0) } }
    return model.bytes
  }

  private func write(_ function: Function, _ writer: inout ProtobufWriter) {
    writer.string(1, function.name)
    for name in function.inputs { writer.string(4, name) }
    for name in function.outputs { writer.string(5, name) }
    for node in function.nodes { writer.message(7) { write(node, &$0) } }
    writer.message(9) {
      $0.string(1, "")
      $0.varint(2, function.opset)
    }
    writer.string(10, function.domain)
    for attribute in function.defaults {
      writer.message(11) {
        $0.string(1, attribute.name)
        write(attribute.value, &$0)
      }
    }
  }

  private func write(_ graph: inout ProtobufWriter) {
    for node in nodes { graph.message(1) { write(node, &$0) } }
    graph.string(2, "graph")
    for tensor in initializers { graph.message(5, tensor.write) }
    for port in inputs { graph.message(11) { write(port, &$0) } }
    for port in outputs { graph.message(12) { write(port, &$0) } }
  }

  private func write(_ node: Node, _ writer: inout ProtobufWriter) {
    for name in node.inputs { writer.string(1, name) }
    for name in node.outputs { writer.string(2, name) }
    writer.string(3, node.name)
    writer.string(4, node.opType)
    for attribute in node.attributes {
      writer.message(5) {
        $0.string(1, attribute.name)
        write(attribute.value, &$0)
      }
    }
    if !node.domain.isEmpty { writer.string(7, node.domain) }
  }

  private func write(_ value: Attribute, _ writer: inout ProtobufWriter) {
    switch value {
    case .float(let value):
      writer.float(2, value)
      writer.varint(20, 1)
    case .int(let value):
      writer.varint(3, value)
      writer.varint(20, 2)
    case .string(let value):
      writer.string(4, value)
      writer.varint(20, 3)
    case .tensor(let tensor):
      writer.message(5, tensor.write)
      writer.varint(20, 4)
    case .graph:
      writer.message(6) { $0.string(2, "subgraph") }
      writer.varint(20, 5)
    case .block(let nodes, let outputs):
      writer.message(6) { graph in
        for node in nodes { graph.message(1) { write(node, &$0) } }
        graph.string(2, "branch")
        for name in outputs { graph.message(12) { write(Port(name: name, dims: nil), &$0) } }
      }
      writer.varint(20, 5)
    case .callersInt(let name):
      writer.varint(20, 2)
      writer.string(21, name)
    case .floats(let values):
      for value in values { writer.float(7, value) }
      writer.varint(20, 6)
    case .ints(let values):
      for value in values { writer.varint(8, value) }
      writer.varint(20, 7)
    }
  }

  private func write(_ port: Port, _ writer: inout ProtobufWriter) {
    writer.string(1, port.name)
    writer.message(2) {
      $0.message(1) {
        $0.varint(1, port.elementType)
        guard let dims = port.dims else { return }
        $0.message(2) { shape in
          for dimension in dims {
            shape.message(1) {
              switch dimension {
              case .size(let size): $0.varint(1, size)
              case .open(let name): $0.string(2, name)
              }
            }
          }
        }
      }
    }
  }
}
