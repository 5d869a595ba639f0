/// Repeats dimensions of size 1 so that the result has `shape`.
package struct Expand: OperatorRules {
  package var shape: Shape

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    guard inputs[0].shape.broadcast(with: shape) == shape else {
      throw .shape("\(inputs[0].shape) does not expand to \(shape)")
    }
    return ValueInfo(shape, inputs[0].type)
  }

  var facts: OperatorFacts { .view(spacing: .kept, placement: .never) }

  func folded(_ inputs: [ConstantTensor], _ result: ValueInfo) -> ConstantTensor? {
    inputs[0].broadcast(to: shape)
  }

  func lower(_ node: Graph.Node, by planner: inout Planner) {
    planner.place(node.output, planner.view(of: node.inputs[0]).expanded(to: shape))
  }
}

extension GraphBuilder {
  static let expandImporters: [String: Importer] = [
    "Expand": .ofInput(configuration: [1]) { (builder, node, x) throws(Das3Error) in
      let target = Shape(try builder.configuration(node, 1, "shape")?.ints.map { Int($0) } ?? [])
      guard let shape = builder.shape(x).broadcast(with: try target.validated()) else {
        throw .shape("\(builder.shape(x)) and \(target) do not broadcast")
      }
      return try shape == builder.shape(x) ? x : builder.emit(.expand(Expand(shape: shape)), [x])
    }
  ]
}
