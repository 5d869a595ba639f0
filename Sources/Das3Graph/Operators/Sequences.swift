/// ONNX sequences; they are lists of values that exist only while the graph is made.
extension GraphBuilder {
  static let sequenceImporters: [String: Importer] = [
    "SequenceConstruct": Importer { (builder, node) throws(Das3Error) in
      try builder.bindSequence(node, builder.inputs(node, node.inputs.indices))
      return nil
    },
    "SplitToSequence": Importer(configuration: [1]) { (builder, node) throws(Das3Error) in
      try builder.importSplitToSequence(node)
      return nil
    },
    "SequenceAt": Importer(configuration: [1]) { (builder, node) throws(Das3Error) in
      let list = try builder.sequence(node, 0)
      guard let position = try builder.configuration(node, 1, "position")?.ints.first else {
        throw .format("position is missing")
      }
      let index = position < 0 ? position &+ Int64(list.count) : position
      guard list.indices.contains(Int(clamping: index)) else {
        throw .shape("position \(position) in a sequence of \(list.count)")
      }
      return list[Int(index)]
    },
    "SequenceLength": Importer { (builder, node) throws(Das3Error) in
      let count = try builder.sequence(node, 0).count
      return builder.constant(ConstantTensor(shape: [], ints: [Int64(count)]))
    },
    "ConcatFromSequence": Importer { (builder, node) throws(Das3Error) in
      var parts = try builder.sequence(node, 0)
      guard let first = parts.first else { throw .shape("the sequence is empty") }
      let isStacking = try node.int("new_axis", default: 0) != 0
      let rank = builder.shape(first).rank + (isStacking ? 1 : 0)
      guard rank <= Shape.maximumRank else { throw .unsupported("\(rank) dimensions") }
      let axis = try Shape([Int](repeating: 1, count: rank)).axis(node.int("axis", default: 0))
      if isStacking {
        for index in parts.indices {
          var dims = builder.shape(parts[index]).dims
          guard dims.count + 1 == rank else { throw .shape("the parts have unlike ranks") }
          dims.insert(1, at: axis)
          parts[index] = try builder.reshape(parts[index], dims)
        }
      }
      return try builder.emit(.concat(Concat(axis: axis)), parts)
    },
  ]

  private func sequence(_ node: Node, _ index: Int) throws(Das3Error) -> [ValueID] {
    guard index < node.inputs.count, let list = sequences[node.inputs[index]] else {
      throw .unsupported("input \(index) is no sequence that is known at load")
    }
    return list
  }

  private mutating func bindSequence(_ node: Node, _ list: [ValueID])
    throws(Das3Error)
  {
    guard let name = node.outputs.first, sequences.updateValue(list, forKey: name) == nil else {
      throw .format("the sequence has no name, or one that is taken")
    }
  }

  private mutating func importSplitToSequence(_ node: Node) throws(Das3Error) {
    let x = try input(node, 0)
    let shape = shape(x)
    let axis = try shape.axis(node.int("axis", default: 0))
    let size = shape[axis]
    var counts = [Int](repeating: 1, count: size)
    let split = try configuration(node, 1, "split")
    if let split, split.shape.rank > 0 {
      counts = split.ints.map { Int($0) }
    } else if let length = split?.ints.first {
      guard length > 0 else { throw .shape("split is \(length); expected at least 1") }
      counts = stride(from: 0, to: size, by: Int(length)).map { min(Int(length), size - $0) }
    }
    guard counts.allSatisfy({ (0...size).contains($0) }), counts.reduce(0, +) == size else {
      throw .shape("split \(counts) of axis \(axis) of \(shape)")
    }
    // Without sizes each part has one position, and the axis can be removed.
    let isKept = try node.int("keepdims", default: 1) != 0
    var list = try parts(of: x, counts, along: axis)
    if split == nil, !isKept {
      var dims = shape.dims
      dims.remove(at: axis)
      for index in list.indices { list[index] = try reshape(list[index], dims) }
    }
    try bindSequence(node, list)
  }
}
