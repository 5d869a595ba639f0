/// `counts[k]` elements of each axis k, from `starts[k]` in steps of `steps[k]`, which may be
/// negative.
package struct Slice: OperatorRules {
  package var starts: [Int]
  package var steps: [Int]
  package var counts: [Int]

  /// All of a tensor of `shape`.
  init(whole shape: Shape) {
    starts = [Int](repeating: 0, count: shape.rank)
    steps = [Int](repeating: 1, count: shape.rank)
    counts = shape.dims
  }

  /// `count` positions from `start` along `axis`, and all positions along the other axes.
  init(of shape: Shape, along axis: Int, from start: Int, count: Int) {
    self.init(whole: shape)
    starts[axis] = start
    counts[axis] = count
  }

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    ValueInfo(Shape(counts), inputs[0].type)
  }

  var facts: OperatorFacts { .view(spacing: .enlarged, placement: .never) }

  func folded(_ inputs: [ConstantTensor], _ result: ValueInfo) -> ConstantTensor? {
    inputs[0].viewed { $0.sliced(self) }
  }

  func lower(_ node: Graph.Node, by planner: inout Planner) {
    planner.place(node.output, planner.view(of: node.inputs[0]).sliced(self))
  }
}

extension GraphBuilder {
  static let sliceImporters: [String: Importer] = [
    "Slice": .ofInput(configuration: [1, 2, 3, 4]) { (builder, node, x) throws(Das3Error) in
      try builder.importSlice(node, x)
    },
    "Split": Importer(configuration: [1]) { (builder, node) throws(Das3Error) in
      try builder.importSplit(node)
      return nil
    },
  ]

  private mutating func importSlice(_ node: Node, _ x: ValueID) throws(Das3Error) -> ValueID {
    let shape = shape(x)
    let starts = try intsFromAttributeOrInput(node, "starts", 1) ?? []
    let ends = try intsFromAttributeOrInput(node, "ends", 2) ?? []
    let axes = try intsFromAttributeOrInput(node, "axes", 3) ?? Array(starts.indices)
    let steps =
      try configuration(node, 4, "steps")?.ints.map { Int($0) }
      ?? [Int](repeating: 1, count: starts.count)
    guard starts.count == ends.count, axes.count == starts.count, steps.count == starts.count else {
      throw .shape(
        "\(starts.count) starts, \(ends.count) ends, \(axes.count) axes, \(steps.count) steps")
    }
    var slice = Slice(whole: shape)
    for position in starts.indices {
      let axis = try shape.axis(axes[position], called: "axes entry")
      let size = shape[axis]
      let step = steps[position]
      guard step != 0, step > -(1 << 31), step < 1 << 31 else { throw .shape("step is \(step)") }
      func clamped(_ value: Int, _ range: ClosedRange<Int>) -> Int {
        let index = value < 0 ? max(value, -(1 << 40)) + size : value
        return min(max(index, range.lowerBound), range.upperBound)
      }
      let start: Int
      let count: Int
      if step > 0 {
        start = clamped(starts[position], 0...size)
        let end = clamped(ends[position], 0...size)
        count = max(0, (end - start + step - 1) / step)
      } else {
        let last = max(-1, size - 1)
        start = clamped(starts[position], min(0, last)...last)
        let end = clamped(ends[position], -1...last)
        count = max(0, (end - start + step + 1) / step)
      }
      slice.starts[axis] = count == 0 ? 0 : start
      // With a single element the step does not matter, and a large one could overflow strides.
      slice.steps[axis] = count > 1 ? step : 1
      slice.counts[axis] = count
    }
    return try emit(.slice(slice), [x])
  }

  private mutating func importSplit(_ node: Node) throws(Das3Error) {
    let x = try input(node, 0)
    let shape = shape(x)
    let axis = try shape.axis(node.int("axis", default: 0))
    var sizes = try intsFromAttributeOrInput(node, "split", 1) ?? []
    if sizes.isEmpty {
      let parts = try node.int("num_outputs", default: node.outputs.count)
      guard parts > 0, parts <= max(1, shape[axis]) else {
        throw .shape("\(shape) cannot be split into \(parts) along axis \(axis)")
      }
      try reserve(parts)
      let size = (shape[axis] + parts - 1) / parts
      sizes = (0..<parts).map { max(0, min(size, shape[axis] - $0 * size)) }
    }
    guard sizes.allSatisfy({ $0 >= 0 && $0 <= shape[axis] }), sizes.reduce(0, +) == shape[axis],
      sizes.count >= node.outputs.count
    else { throw .shape("split \(sizes) of \(shape) along axis \(axis)") }
    let parts = try parts(of: x, sizes.prefix(node.outputs.count), along: axis)
    for (index, part) in parts.enumerated() { try bind(node, part, output: index) }
  }

  /// Divides a value along `axis` into slices with these numbers of positions.
  mutating func parts(of x: ValueID, _ counts: some Sequence<Int>, along axis: Int)
    throws(Das3Error) -> [ValueID]
  {
    var parts: [ValueID] = []
    var start = 0
    for count in counts {
      let first = count == 0 ? 0 : start
      let slice = Slice(of: shape(x), along: axis, from: first, count: count)
      parts.append(try emit(.slice(slice), [x]))
      start += count
    }
    return parts
  }
}
