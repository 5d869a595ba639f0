/// Replaces each call of a function that the model defines by the nodes of this function.
struct OnnxFunctions {
  private struct Function {
    let block: OnnxModel.Block
    let defaults: [String: OnnxModel.Attribute]
  }

  private struct Key: Hashable {
    let domain, name: String
  }

  /// Functions can call functions; the limit ends a circle of calls.
  private static let maximumDepth = 32

  private var functions: [Key: Function] = [:]
  private let maximumNodes: UInt64

  init(maximumNodes: UInt64) { self.maximumNodes = maximumNodes }

  /// - Throws: `.unsupported` where the operators of the function could have another meaning in the
  ///   opset of the model.
  mutating func add(
    name: String, domain: String, opset: Int, modelOpset: Int, block: OnnxModel.Block,
    defaults: [String: OnnxModel.Attribute]
  ) throws(Das3Error) {
    // From opset 13 on, attributes and inputs alone decide the meaning of an operator.
    guard opset == 0 || opset == modelOpset || (opset >= 13 && modelOpset >= 13) else {
      throw .unsupported(
        "function '\(name)' of domain '\(domain)' has opset \(opset), the model \(modelOpset); expected the same"
      )
    }
    functions[Key(domain: domain, name: name)] = Function(block: block, defaults: defaults)
  }

  func inlined(_ nodes: [OnnxModel.Node]) throws(Das3Error) -> [OnnxModel.Node] {
    var result: [OnnxModel.Node] = []
    var callCount = 0
    for node in nodes { try append(node, to: &result, depth: 0, &callCount) }
    return result
  }

  private func append(
    _ node: OnnxModel.Node, to result: inout [OnnxModel.Node], depth: Int, _ callCount: inout Int
  ) throws(Das3Error) {
    guard let function = functions[Key(domain: node.domain, name: node.opType)] else {
      for (name, attribute) in node.attributes {
        guard case .reference(let other) = attribute else { continue }
        throw .format("\(node.place): attribute '\(name)' refers to '\(other)' outside a function")
      }
      guard result.count < maximumNodes else {
        throw .limit("the functions of the model make more than \(maximumNodes) nodes")
      }
      return result.append(node)
    }
    guard depth < Self.maximumDepth else {
      throw .format("\(node.place): functions call each other more than \(Self.maximumDepth) deep")
    }
    callCount += 1
    let block = function.block.called(
      by: node, prefix: "\(node.opType)#\(callCount)/", defaults: function.defaults)
    for inner in block.nodes { try append(inner, to: &result, depth: depth + 1, &callCount) }
  }
}

extension OnnxModel.Block {
  /// The nodes of the block for one call: with the names and attributes of the calling node, and
  /// with a prefix before all other names.
  func called(
    by node: OnnxModel.Node, prefix: String, defaults: [String: OnnxModel.Attribute] = [:]
  ) -> OnnxModel.Block {
    var names: [String: String] = ["": ""]
    for (position, name) in inputs.enumerated() {
      names[name] = position < node.inputs.count ? node.inputs[position] : ""
    }
    for inner in nodes {
      for name in inner.outputs where names[name] == nil { names[name] = prefix + name }
    }
    var copies: [OnnxModel.Node] = []
    for (position, name) in outputs.enumerated() where position < node.outputs.count {
      guard !node.outputs[position].isEmpty else { continue }
      // An output that is also an input, or that is listed twice, needs an Identity node.
      if inputs.contains(name) || outputs[..<position].contains(name) || !makes(name) {
        copies.append(
          OnnxModel.Node(
            name: "", opType: "Identity", domain: "", inputs: [names[name] ?? name],
            outputs: [node.outputs[position]], attributes: [:]))
      } else {
        names[name] = node.outputs[position]
      }
    }
    let attributes = defaults.merging(node.attributes) { _, own in own }
    let renamed = nodes.map { $0.renamed(names, prefix: prefix, attributes) }
    return OnnxModel.Block(inputs: [], outputs: node.outputs, nodes: renamed + copies)
  }

  private func makes(_ name: String) -> Bool { nodes.contains { $0.outputs.contains(name) } }
}

extension OnnxModel.Node {
  /// The branches of an `If`.
  var blocks: [OnnxModel.Block] {
    attributes.values.compactMap { if case .block(let block) = $0 { block } else { nil } }
  }

  /// The names that the node needs: its inputs, and the values from outside that its branches use.
  var dependencies: Set<String> {
    var result = Set(inputs.filter { !$0.isEmpty })
    for block in blocks {
      var own = Set(block.inputs)
      for node in block.nodes {
        result.formUnion(node.dependencies.subtracting(own))
        own.formUnion(node.outputs)
      }
      result.formUnion(Set(block.outputs).subtracting(own))
    }
    return result
  }

  fileprivate func renamed(
    _ names: [String: String], prefix: String, _ callers: [String: OnnxModel.Attribute]
  ) -> OnnxModel.Node {
    var attributes: [String: OnnxModel.Attribute] = [:]
    for (key, attribute) in self.attributes {
      switch attribute {
      case .reference(let name): attributes[key] = callers[name]
      case .block(let block):
        attributes[key] = .block(
          OnnxModel.Block(
            inputs: block.inputs, outputs: block.outputs.map { names[$0] ?? $0 },
            nodes: block.nodes.map { $0.renamed(names, prefix: prefix, callers) }))
      default: attributes[key] = attribute
      }
    }
    return OnnxModel.Node(
      name: name.isEmpty ? "" : prefix + name, opType: opType, domain: domain,
      inputs: inputs.map { names[$0] ?? $0 }, outputs: outputs.map { names[$0] ?? $0 },
      attributes: attributes)
  }
}

extension [OnnxModel.Node] {
  /// The nodes in an order in which each stands after the nodes that it needs.
  ///
  /// Nodes that are in such an order already keep it.
  ///
  /// - Throws: `.format` naming a node of a circle, if there is one.
  func inComputingOrder() throws(Das3Error) -> [OnnxModel.Node] {
    var makers: [String: Int] = [:]
    for (index, node) in enumerated() {
      for name in node.outputs where makers[name] == nil { makers[name] = index }
    }
    let needs = map { node in node.dependencies.compactMap { makers[$0] }.sorted() }
    if needs.indices.allSatisfy({ index in needs[index].allSatisfy { $0 < index } }) { return self }
    var order: [Int] = []
    var states = [UInt8](repeating: 0, count: count)  // 1 = on the path, 2 = in the order
    for start in indices where states[start] == 0 {
      var path = [(node: start, next: 0)]
      states[start] = 1
      while let top = path.last {
        guard top.next < needs[top.node].count else {
          states[top.node] = 2
          order.append(top.node)
          path.removeLast()
          continue
        }
        path[path.count - 1].next += 1
        let need = needs[top.node][top.next]
        guard states[need] != 1 else {
          throw .format("\(self[need].place) depends on its own result: the nodes form a circle")
        }
        if states[need] == 0 {
          states[need] = 1
          path.append((node: need, next: 0))
        }
      }
    }
    return order.map { self[$0] }
  }
}
