/// The largest value under the window; x N×C×H×W.
///
/// Padding does not count.
package struct MaxPool: OperatorRules {
  package var window: Window
  package var roundsUp: Bool

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    try window.pooled(inputs[0].shape, roundsUp: roundsUp)
  }

  var facts: OperatorFacts {
    .kernel(
      spacing: .times(window.stride), placement: .always, derivative: .step(reads: .only([0])))
  }

  func folded(_: [ConstantTensor], _: ValueInfo) -> ConstantTensor? { nil }
  func lower(_ node: Graph.Node, by planner: inout Planner) { planner.lowerImage(node) }
}

/// The mean of the values under the window; x N×C×H×W.
package struct AveragePool: OperatorRules {
  package var window: Window
  package var roundsUp: Bool
  package var countsPadding: Bool

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    try window.pooled(inputs[0].shape, roundsUp: roundsUp)
  }

  var facts: OperatorFacts {
    .kernel(spacing: .times(window.stride), placement: .always, derivative: .step(reads: .none))
  }

  func folded(_: [ConstantTensor], _: ValueInfo) -> ConstantTensor? { nil }
  func lower(_ node: Graph.Node, by planner: inout Planner) { planner.lowerImage(node) }
}

extension Window {
  fileprivate func pooled(_ x: Shape, roundsUp: Bool) throws(Das3Error) -> ValueInfo {
    let size = try outputSize(height: x[2], width: x[3], roundsUp: roundsUp)
    return ValueInfo([x[0], x[1], size.height, size.width])
  }
}

extension GraphBuilder {
  static let poolingImporters: [String: Importer] = [
    "MaxPool": Importer { (builder, node) throws(Das3Error) in
      if node.outputs.count > 1, !node.outputs[1].isEmpty {
        throw .unsupported("output of indices; expected only the pooled value")
      }
      return try builder.importPool(node) { (window, roundsUp) in
        .maxPool(MaxPool(window: window, roundsUp: roundsUp))
      }
    },
    "AveragePool": Importer { (builder, node) throws(Das3Error) in
      let countsPadding = try node.int("count_include_pad", default: 0) != 0
      return try builder.importPool(node) { (window, roundsUp) in
        .averagePool(
          AveragePool(window: window, roundsUp: roundsUp, countsPadding: countsPadding))
      }
    },
    "GlobalAveragePool": globalPool(.mean), "GlobalMaxPool": globalPool(.max),
  ]

  private mutating func importPool(
    _ node: Node, _ operation: (Window, Bool) -> Operator
  ) throws(Das3Error) -> ValueID {
    var x = try input(node, 0)
    guard (3...4).contains(shape(x).rank) else {
      throw .unsupported("input of \(shape(x)); expected signals N×C×W or images N×C×H×W")
    }
    let axisCount = shape(x).rank - 2
    guard let kernel = try node.ints("kernel_shape"), kernel.count == axisCount else {
      throw .format("kernel_shape is missing or not \(axisCount) values")
    }
    x = try image(x)
    let window = try Window(
      node, kernel: (axisCount == 1 ? 1 : kernel[0], kernel[axisCount - 1]), height: shape(x)[2],
      width: shape(x)[3], axisCount: axisCount)
    let pooled = try emit(
      operation(window, node.int("ceil_mode", default: 0) != 0), [x])
    return try restored(pooled, axisCount: axisCount)
  }

  private static func globalPool(_ kind: Reduce.Kind) -> Importer {
    .ofInput { (builder, _, x) throws(Das3Error) in
      let shape = builder.shape(x)
      guard shape.rank > 2 else { throw .shape("input is \(shape); expected N×C×…") }
      let operation = Reduce(kind: kind, axes: Array(2..<shape.rank), keepsDims: true)
      return try builder.emit(.reduce(operation), [x])
    }
  }
}
