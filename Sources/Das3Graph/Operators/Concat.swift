/// Tensors one after the other along `axis`.
package struct Concat: OperatorRules {
  package var axis: Int

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    var result = inputs[0]
    for input in inputs.dropFirst() {
      var expected = input.shape.dims
      guard expected.count == result.shape.rank else {
        throw .shape("\(input.shape) beside \(result.shape)")
      }
      expected[axis] = result.shape[axis]
      guard expected == result.shape.dims else {
        throw .shape("\(input.shape) does not fit beside \(result.shape) along axis \(axis)")
      }
      result.shape.dims[axis] += input.shape[axis]
    }
    return result
  }

  var facts: OperatorFacts { .view(spacing: .kept, placement: .always) }

  func folded(_ inputs: [ConstantTensor], _ result: ValueInfo) -> ConstantTensor? {
    let outer = result.shape.dims[..<axis].reduce(1, *)
    func joined<T>(_ parts: [[T]]) -> [T] {
      var result: [T] = []
      result.reserveCapacity(parts.reduce(0) { $0 + $1.count })
      for row in 0..<outer {
        for part in parts {
          let length = part.count / max(1, outer)
          result.append(contentsOf: part[row * length..<(row + 1) * length])
        }
      }
      return result
    }
    if inputs.allSatisfy({ $0.type != .float32 }) {
      return ConstantTensor(
        shape: result.shape, type: result.type, ints: joined(inputs.map(\.ints)))
    }
    return ConstantTensor(shape: result.shape, floats: joined(inputs.map(\.floats)))
  }

  func lower(_ node: Graph.Node, by planner: inout Planner) { planner.lowerConcat(node, self) }
}

extension GraphBuilder {
  static let concatImporters: [String: Importer] = [
    "Concat": Importer { (builder, node) throws(Das3Error) in
      guard !node.inputs.isEmpty else { throw .format("no inputs") }
      let inputs = try builder.inputs(node, 0..<node.inputs.count)
      let axis = try builder.shape(inputs[0]).axis(node.int("axis", default: 0))
      return try inputs.count == 1 ? inputs[0] : builder.emit(.concat(Concat(axis: axis)), inputs)
    }
  ]
}
