/// Largest value under the window; x N×C×H×W.
///
/// Padding never wins.
package struct MaxPool: ShapeRule {
  package var window: Window
  package var roundsUp: Bool

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    try window.pooled(inputs[0].shape, roundsUp: roundsUp)
  }
}

/// Mean under the window; x N×C×H×W.
package struct AveragePool: ShapeRule {
  package var window: Window
  package var roundsUp: Bool
  package var countsPadding: Bool

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    try window.pooled(inputs[0].shape, roundsUp: roundsUp)
  }
}

extension Window {
  fileprivate func pooled(_ x: Shape, roundsUp: Bool) throws(Das3Error) -> ValueInfo {
    let size = try outputSize(height: x[2], width: x[3], roundsUp: roundsUp)
    return ValueInfo([x[0], x[1], size.height, size.width])
  }
}

extension GraphBuilder {
  static let poolingImporters: [String: Importer] = [
    "MaxPool": { (builder, node) throws(Das3Error) in
      if node.outputs.count > 1, !node.outputs[1].isEmpty {
        throw .unsupported("output of indices; expected only the pooled value")
      }
      let (x, window, roundsUp) = try builder.pooling(node)
      let operation = MaxPool(window: window, roundsUp: roundsUp)
      try builder.bind(node, builder.emit(.maxPool(operation), [x]))
    },
    "AveragePool": { (builder, node) throws(Das3Error) in
      let (x, window, roundsUp) = try builder.pooling(node)
      let operation = AveragePool(
        window: window, roundsUp: roundsUp,
        countsPadding: try node.int("count_include_pad", default: 0) != 0)
      try builder.bind(node, builder.emit(.averagePool(operation), [x]))
    },
    "GlobalAveragePool": { (builder, node) throws(Das3Error) in
      try builder.importGlobalPool(node, .mean)
    },
    "GlobalMaxPool": { (builder, node) throws(Das3Error) in
      try builder.importGlobalPool(node, .max)
    },
  ]

  private mutating func pooling(_ node: OnnxModel.Node) throws(Das3Error) -> (ValueID, Window, Bool)
  {
    let x = try input(node, 0)
    guard shape(x).rank == 4 else { throw .unsupported("input of \(shape(x)); expected N×C×H×W") }
    guard let kernel = try node.ints("kernel_shape"), kernel.count == 2 else {
      throw .format("kernel_shape is missing or not 2 values")
    }
    let window = try Window(
      node, kernel: (kernel[0], kernel[1]), height: shape(x)[2], width: shape(x)[3])
    return (x, window, try node.int("ceil_mode", default: 0) != 0)
  }

  private mutating func importGlobalPool(_ node: OnnxModel.Node, _ kind: Reduce.Kind)
    throws(Das3Error)
  {
    let x = try input(node, 0)
    guard shape(x).rank > 2 else { throw .shape("input is \(shape(x)); expected N×C×…") }
    let operation = Reduce(kind: kind, axes: Array(2..<shape(x).rank), keepsDims: true)
    try bind(node, emit(.reduce(operation), [x]))
  }
}
