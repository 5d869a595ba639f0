/// What the parameters of a network are for; the place of a parameter in the graph shows it.
extension Graph {
  /// The parameters of the last layers.
  ///
  /// No other layer with weights lies between them and output 0.
  ///
  /// There are several last layers where their results are added or concatenated. A parameter that
  /// only scales or shifts the result of a layer belongs to the layer.
  var classifierParameters: Set<Int> {
    let isStatic = staticValues
    var found: Set<Int> = []
    var seen: Set<ValueID> = []
    var open = outputs
    while let value = open.popLast() {
      guard seen.insert(value).inserted, case .node(let index) = values[value].source else {
        continue
      }
      let node = nodes[index]
      switch node.operation.rules.facts.role {
      case .layer: found.formUnion(parameters(behind: node.inputs.dropFirst()))
      case .product:
        // A product of two activations has no weights, so it is not a layer.
        let weights = node.inputs.filter { isStatic[$0] }
        found.formUnion(parameters(behind: weights))
        if weights.isEmpty { open += node.inputs }
      case .modifier:
        found.formUnion(parameters(behind: node.inputs.filter { isStatic[$0] }))
        open += node.inputs.filter { !isStatic[$0] }
      }
    }
    return found
  }

  /// The scale and shift of every BatchNormalization.
  var batchNormParameters: Set<Int> {
    parameters(
      behind: nodes.flatMap { node -> ArraySlice<ValueID> in
        guard case .batchNorm = node.operation else { return [] }
        return node.inputs[1...2]
      })
  }

  /// For each value, whether it depends on parameters and constants alone.
  var staticValues: [Bool] {
    var result = values.map { value in
      switch value.source {
      case .parameter, .constant: true
      case .input, .node: false
      }
    }
    for node in nodes { result[node.output] = node.inputs.allSatisfy { result[$0] } }
    return result
  }

  /// The parameters that these values depend on; the values depend on no input of the graph.
  private func parameters(behind values: some Sequence<ValueID>) -> Set<Int> {
    var found: Set<Int> = []
    var seen: Set<ValueID> = []
    var open = Array(values)
    while let value = open.popLast() {
      guard seen.insert(value).inserted else { continue }
      switch self.values[value].source {
      case .parameter(let index): found.insert(index)
      case .node(let index): open += nodes[index].inputs
      case .constant, .input: break
      }
    }
    return found
  }
}
