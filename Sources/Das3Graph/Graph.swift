// All modules that import this one use the errors and files of Das3Files.
@_exported import Das3Files

/// A network at one input size: typed values, and nodes in an order in which they can run.
package struct Graph: Sendable {
  package typealias ValueID = Int

  /// Where a value comes from.
  package enum Source: Sendable {
    case input
    /// Index into `OnnxModel.parameters`.
    case parameter(Int)
    case constant(ConstantTensor)
    case node(Int)
  }

  package struct Value: Sendable {
    package var name: String
    package var info: ValueInfo
    package var source: Source
    package var shape: Shape { info.shape }
  }

  package struct Node: Sendable {
    /// The ONNX operator and node that it was made from, such as "Conv 'layer1.conv'".
    package var name: String
    package var operation: Operator
    package var inputs: [ValueID]
    package var output: ValueID
  }

  package var values: [Value] = []
  package var nodes: [Node] = []
  package var inputs: [ValueID] = []
  package var outputs: [ValueID] = []

  package init() {}

  /// The constant behind a value, if it is one.
  package func constant(_ id: ValueID) -> ConstantTensor? {
    if case .constant(let tensor) = values[id].source { tensor } else { nil }
  }

  /// Replaces output 0 by f(output 0).
  mutating func appendToOutput(_ unary: Unary) {
    let info = values[outputs[0]].info
    values.append(Value(name: "", info: info, source: .node(nodes.count)))
    nodes.append(
      Node(
        name: "output", operation: .unary(unary), inputs: [outputs[0]], output: values.count - 1))
    outputs[0] = values.count - 1
  }

  /// Removes the nodes that `outputs` do not depend on.
  package mutating func prune() {
    var needed = Set(outputs)
    var kept: [Node] = []
    for node in nodes.reversed() where needed.contains(node.output) {
      needed.formUnion(node.inputs)
      kept.append(node)
    }
    nodes = kept.reversed()
    for (index, node) in nodes.enumerated() { values[node.output].source = .node(index) }
  }
}
