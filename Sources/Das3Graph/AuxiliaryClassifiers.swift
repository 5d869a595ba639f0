/// A network in training with further classifiers beside its own: its graph with theirs, and its
/// parameters with theirs at the end.
///
/// Each is a copy of the network's last layers. It reads what they read, channel by channel times a
/// mask, and ends where the scores are not enlarged yet.
package struct AuxiliaryClassifiers: Sendable {
  /// The graph for training.
  ///
  /// Its inputs are the image and then all masks, 1×C×1×1 or alike, one copy's after another's. Its
  /// outputs are the scores, those of each copy, and last what these are copies of, unless that is
  /// output 0.
  package private(set) var graph: Graph
  /// The model, with the parameters of the copies after its own.
  package let onnx: OnnxModel
  /// The output that the copies are copies of.
  package let original: Int
  /// For each copied tensor, where the original's elements are among the weights and where its own.
  package let copies: [(original: Range<Int>, copy: Range<Int>)]
  /// The tensors among them that a gradient trains.
  package let trained: [Range<Int>]

  /// - Parameters:
  ///   - model: the network.
  ///   - height: of its input.
  ///   - width: of its input.
  ///   - count: of the copies.
  /// - Throws: `.unsupported` where no layer with weights is found before the scores.
  package init(of model: SegmentationModel, height: Int, width: Int, count: Int) throws(Das3Error) {
    var copier = ClassifierCopier(
      try model.trainingGraph(height: height, width: width),
      parameterCount: model.onnx.parameters.count)
    let ends = (0..<count).map { _ in copier.copy() }
    graph = copier.graph
    guard graph.inputs.count > 1, !copier.copied.isEmpty else {
      throw .unsupported(
        "before the scores lies no layer with weights, of which auxiliary classifiers could be copies; expected a convolution or a product with a matrix"
      )
    }
    let scores = graph.outputs[0]
    graph.outputs = [scores] + ends + (copier.end == scores ? [] : [copier.end])
    original = copier.end == scores ? 0 : graph.outputs.count - 1
    let onnx = model.onnx.appendingCopies(of: copier.copied)
    self.onnx = onnx
    let tensors = zip(copier.copied, onnx.parameters.suffix(copier.copied.count))
    func elements(_ parameter: OnnxModel.Parameter) -> Range<Int> {
      parameter.offset..<parameter.offset + parameter.shape.elementCount
    }
    copies = tensors.map { (elements(onnx.parameters[$0]), elements($1)) }
    trained = tensors.filter { !$1.isStatistic && $1.shape.elementCount > 0 }.map { elements($1) }
  }

  /// How many channels each mask is for.
  package var maskSizes: [Int] {
    graph.inputs.dropFirst().map { graph.values[$0].shape.elementCount }
  }
}

/// Copies the last layers of a graph.
private struct ClassifierCopier {
  typealias ValueID = Graph.ValueID

  private(set) var graph: Graph
  /// What a copy ends with.
  let end: ValueID
  /// The parameters that were copied, in the order of their copies.
  private(set) var copied: [Int] = []
  private let parameterCount: Int
  private let isStatic: [Bool]
  /// What is copied: the last layers, what makes their weights, and what comes between them and `end`.
  private var nodes: [Int] = []

  init(_ graph: Graph, parameterCount: Int) {
    self.graph = graph
    self.parameterCount = parameterCount
    isStatic = graph.staticValues
    end = graph.scoresBeforeEnlarging
    var seen: Set<ValueID> = []
    var open = [end]
    while let value = open.popLast() {
      guard seen.insert(value).inserted, case .node(let index) = graph.values[value].source else {
        continue
      }
      nodes.append(index)
      let node = graph.nodes[index]
      let data = dataPosition(of: node)
      open += node.inputs.indices.filter { $0 != data }.map { node.inputs[$0] }
    }
    nodes.sort()
  }

  /// Which input of a layer with weights is not a weight; nil for anything else.
  private func dataPosition(of node: Graph.Node) -> Int? {
    guard !isStatic[node.output] else { return nil }
    switch node.operation.rules.facts.role {
    case .layer: return 0
    case .product:
      let data = node.inputs.indices.filter { !isStatic[node.inputs[$0]] }
      // A product of two activations has no weights, so it is not a layer.
      return data.count == 1 ? data[0] : nil
    case .modifier: return nil
    }
  }

  /// Adds a copy, and returns what it ends with.
  mutating func copy() -> ValueID {
    var own: [ValueID: ValueID] = [:]
    for index in nodes {
      var node = graph.nodes[index]
      let data = dataPosition(of: node)
      let inputs = node.inputs
      for (position, input) in inputs.enumerated() {
        if position == data {
          // Channels of an image come second, those of a matrix are what is summed over.
          let rank = graph.values[input].shape.rank
          let axis =
            if case .matMul = node.operation { position == 0 ? rank - 1 : rank - 2 } else { 1 }
          node.inputs[position] = masked(input, axis: axis, &own)
        } else {
          node.inputs[position] = copied(input, &own)
        }
      }
      // What no parameter of a last layer changes is shared.
      guard node.inputs != inputs else { continue }
      let original = node.output
      node.output = append(node, like: original)
      own[original] = node.output
    }
    return own[end] ?? end
  }

  private mutating func copied(_ input: ValueID, _ own: inout [ValueID: ValueID]) -> ValueID {
    if let known = own[input] { return known }
    guard case .parameter(let index) = graph.values[input].source else { return input }
    var value = graph.values[input]
    value.source = .parameter(parameterCount + copied.count)
    graph.values.append(value)
    copied.append(index)
    own[input] = graph.values.count - 1
    return graph.values.count - 1
  }

  /// The value times a mask that becomes an input of the graph.
  private mutating func masked(
    _ value: ValueID, axis: Int, _ own: inout [ValueID: ValueID]
  ) -> ValueID {
    if let known = own[value] { return known }
    let shape = graph.values[value].shape
    var dims = [Int](repeating: 1, count: shape.rank)
    dims[axis] = shape[axis]
    graph.values.append(Graph.Value(name: "mask", info: ValueInfo(Shape(dims)), source: .input))
    graph.inputs.append(graph.values.count - 1)
    let node = Graph.Node(
      name: "mask", operation: .binary(Binary(kind: .multiply)),
      inputs: [value, graph.values.count - 1], output: 0)
    let result = append(node, like: value)
    own[value] = result
    return result
  }

  private mutating func append(_ node: Graph.Node, like value: ValueID) -> ValueID {
    graph.values.append(
      Graph.Value(name: "", info: graph.values[value].info, source: .node(graph.nodes.count)))
    var node = node
    node.output = graph.values.count - 1
    graph.nodes.append(node)
    return node.output
  }
}

extension Graph {
  /// The scores before all that only enlarges output 0, or turns scores into probabilities and back.
  fileprivate var scoresBeforeEnlarging: ValueID {
    var (value, scores) = (outputs[0], outputs[0])
    var isProbability = false
    while case .node(let index) = values[value].source {
      switch nodes[index].operation {
      case .resize, .resample: break
      case .unary(let unary) where unary.kind == .log: isProbability = true
      case .unary(let unary) where unary.kind == .clip && isProbability: break
      case .softmax(let softmax) where isProbability || softmax.isLog: isProbability = false
      default: return scores
      }
      value = nodes[index].inputs[0]
      if !isProbability { scores = value }
    }
    return scores
  }
}
