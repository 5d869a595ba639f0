/// Samples an image at the positions that a grid gives: y[n,c,i,j] = x[n,c] at grid[n,i,j].
///
/// x N×C×H×W, grid N×H'×W'×2 → N×C×H'×W'. A position is (column, row), from −1 to 1 between the
/// edges.
package struct GridSample: OperatorRules {
  package enum Mode: Sendable { case nearest, linear, cubic }
  /// The value at positions outside the image.
  package enum Padding: String, Sendable { case zeros, border, reflection }

  package var mode: Mode
  package var padding: Padding
  /// Whether −1 and 1 are the centres of the outermost pixels, and not their outer edges.
  package var alignsCorners: Bool

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    let (x, grid) = (inputs[0].shape, inputs[1].shape)
    guard x.rank == 4, grid.rank == 4 else {
      throw .unsupported("image \(x) with grid \(grid); expected N×C×H×W and N×H×W×2")
    }
    guard grid[0] == x[0], grid[3] == 2, x[2] > 0, x[3] > 0 else {
      throw .shape("grid \(grid) does not fit image \(x); expected \(x[0])×H×W×2")
    }
    return ValueInfo([x[0], x[1], grid[1], grid[2]])
  }

  var facts: OperatorFacts {
    .kernel(
      spacing: .enlarged, placement: .never,
      derivative: .steps { (step, dy, planner) in
        // Only the derivative by the grid needs the image.
        let readsImage = planner.isTracked([step.inputs[1]])
        planner.emitGradient(of: step, dy, by: .all, reads: readsImage ? .all : .only([1]))
      })
  }

  func folded(_: [ConstantTensor], _: ValueInfo) -> ConstantTensor? { nil }

  func lower(_ node: Graph.Node, by planner: inout Planner) {
    let (x, grid) = (planner.view(of: node.inputs[0]), planner.view(of: node.inputs[1]))
    let order = Planner.channelsLastOrder(4)
    planner.finish(node, [planner.dense(x, order: order), planner.rowMajor(grid)], order: order)
  }
}

extension GraphBuilder {
  static let gridSampleImporters: [String: Importer] = [
    "GridSample": Importer { (builder, node) throws(Das3Error) in try builder.importGridSample(node)
    }
  ]

  private mutating func importGridSample(_ node: Node) throws(Das3Error) -> ValueID {
    let mode: GridSample.Mode
    switch try node.string("mode", default: "linear") {
    case "linear", "bilinear": mode = .linear
    case "nearest": mode = .nearest
    case "cubic", "bicubic": mode = .cubic
    case let other: throw .format("mode is '\(other)'; expected nearest, linear or cubic")
    }
    let name = try node.string("padding_mode", default: "zeros")
    guard let padding = GridSample.Padding(rawValue: name) else {
      throw .format("padding_mode is '\(name)'; expected zeros, border or reflection")
    }
    let operation = GridSample(
      mode: mode, padding: padding,
      alignsCorners: try node.int("align_corners", default: 0) != 0)
    return try emit(.gridSample(operation), inputs(node, 0..<2))
  }
}
