/// The ways in which operators become steps: the layout that they require, and that of their
/// result.
extension Planner {
  mutating func lower(_ node: Graph.Node) { node.operation.rules.lower(node, by: &self) }

  /// Sets the view of a result that needs no step.
  mutating func place(_ output: ValueID, _ view: View) { views[output] = view }

  /// An operator that works along `axis` of one dense input.
  mutating func lowerAlong(_ axis: Int, _ node: Graph.Node) {
    let x = reducible(view(of: node.inputs[0]), [axis])
    finish(node, [x], order: Self.completed(x.memoryOrder, rank: x.shape.rank))
  }

  /// Emits a step whose result is dense in `order`.
  ///
  /// If `absorbs`, element-wise nodes that follow are fused into it.
  mutating func finish(
    _ node: Graph.Node, _ inputs: [View], order: [Int], absorbs: Bool = false
  ) {
    let shape = graph.values[node.output].shape
    // Fusion depends on the layout, and whether the step is static depends on what was fused.
    let draft = allocate(shape, order: order, isStatic: isStatic(inputs))
    var (chain, value) = ([Plan.Stage](), node.output)
    if absorbs {
      (chain, value) = absorb(
        node.output, layout: draft, channelAxis: shape.rank - 1, operands: inputs)
    }
    if !isStatic(inputs, chain), plan.isStatic(draft) { plan.buffers[draft.buffer].region = .frame }
    emit(.operation(node.operation), node.name, inputs, draft, chain: chain)
    views[value] = draft
  }

  /// Convolutions, pooling and resizing: input and result are NHWC, and a chain may follow.
  mutating func lowerImage(_ node: Graph.Node) {
    var inputs = node.inputs.map { view(of: $0) }
    inputs[0] = channelsLast(inputs[0])
    for index in inputs.indices.dropFirst() { inputs[index] = rowMajor(inputs[index]) }
    let layout = View(image: graph.values[node.output].shape, buffer: -1)
    let (chain, value) = absorb(
      node.output, layout: layout, channelAxis: 1, operands: inputs)
    let output = destination(value, isStatic: isStatic(inputs, chain))
    emit(.operation(node.operation), node.name, inputs, output, chain: chain)
    views[value] = output
  }

  mutating func lowerElementwise(_ node: Graph.Node) {
    let shape = graph.values[node.output].shape
    // A value that changes with the frame decides the layout. Weights become operands of the chain.
    let whole = node.inputs.filter { graph.values[$0].shape == shape }
    let inputs = whole.map { view(of: $0) }
    guard let base = zip(whole, inputs).first(where: { !plan.isStatic($0.1) })?.0 ?? whole.first
    else { return lowerBroadcast(node) }
    var x = view(of: base)
    if case .normalization = node.operation.rules.facts.fusion, x.rows?.channelAxis != 1,
      shape[1] > 1 || x.rows == nil
    {
      x = copy(x, order: Self.channelsLastOrder(shape.rank))
    } else if x.rows == nil {
      x = copy(
        x,
        order: Self.completed(x.strides.contains { $0 <= 0 } ? [] : x.memoryOrder, rank: shape.rank)
      )
    }
    guard let first = stage(for: node, running: base, layout: x) else {
      return lowerBroadcast(node)
    }
    let (chain, value) = absorb(node.output, layout: x, after: [first])
    let isStatic = self.isStatic([x], chain)
    let output: View
    if x.pixelStride != nil, placements[value] != nil {
      output = destination(value, isStatic: isStatic)
    } else {
      output = allocate(
        shape, order: Self.completed(x.memoryOrder, rank: shape.rank), isStatic: isStatic)
    }
    emit(.elementwise, node.name, [x], output, chain: chain)
    views[value] = output
  }

  /// Whether a BatchNormalization uses the statistics of the frame itself.
  ///
  /// With one value for each channel, as after global pooling, the variance is 0 and normalisation
  /// would remove all information. Such a layer uses the running statistics.
  func usesOwnStatistics(_ node: Graph.Node) -> Bool {
    let shape = graph.values[node.inputs[0]].shape
    return training?.batchNorm == .batch && shape.elementCount > shape[1]
  }

  /// Broadcasting that is not possible in a chain: inputs are repeated by strides of 0.
  mutating func lowerBroadcast(_ node: Graph.Node) {
    let shape = graph.values[node.output].shape
    let inputs = node.inputs.map { view(of: $0) }
    let whole = inputs.first { $0.shape == shape && $0.rows != nil }
    let order = Self.completed(
      whole?.memoryOrder ?? Array(0..<shape.rank), rank: shape.rank)
    finish(node, inputs.map { $0.expanded(to: shape) }, order: order)
  }

  mutating func lowerReduction(_ node: Graph.Node, _ axes: [Int], keepsDims: Bool) {
    let x = reducible(view(of: node.inputs[0]), axes)
    var order: [Int] = []
    for axis in Self.completed(x.memoryOrder, rank: x.shape.rank) {
      if keepsDims {
        order.append(axis)
      } else if !axes.contains(axis) {
        order.append(axis - axes.filter { $0 < axis }.count)
      }
    }
    finish(node, [x], order: order)
  }

  /// The view, or a copy, that is dense with `axes` next to each other in memory.
  private mutating func reducible(_ view: View, _ axes: [Int]) -> View {
    let rank = view.shape.rank
    if let rows = view.rows, rows.isDense {
      let places = rows.order.indices.filter { axes.contains(rows.order[$0]) }
      if places.isEmpty || places.count == places[places.count - 1] - places[0] + 1 { return view }
    }
    return copy(view, order: (0..<rank).filter { !axes.contains($0) } + axes)
  }

  mutating func dense(_ view: View, order: [Int]) -> View {
    if let rows = view.rows, rows.isDense, rows.order == order.filter({ view.shape[$0] > 1 }) {
      return view
    }
    return copy(view, order: order)
  }

  /// The view, or a copy, that is dense in row-major order, as kernels expect weights.
  mutating func rowMajor(_ view: View) -> View {
    dense(view, order: Array(0..<view.shape.rank))
  }
}
