/// The ways in which operators become steps: the layout they need, the layout they leave.
extension Planner {
  mutating func lower(_ node: Graph.Node) { node.operation.rules.lower(node, by: &self) }

  /// A result that is only another view of what is there.
  mutating func place(_ output: ValueID, _ view: View) { views[output] = view }

  /// One dense input, whose `axis` is gone along.
  mutating func lowerAlong(_ axis: Int, _ node: Graph.Node) {
    let x = reducible(view(of: node.inputs[0]), [axis])
    finish(node, [x], order: Self.completed(x.memoryOrder, rank: x.shape.rank))
  }

  /// Emits a step with a dense result in `order`, and fuses what follows where it `absorbs`.
  mutating func finish(
    _ node: Graph.Node, _ inputs: [View], order: [Int], absorbs: Bool = false
  ) {
    let shape = graph.values[node.output].shape
    // The layout decides what can be fused; fusion decides whether the step is static.
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

  /// Convolutions, pooling and resizing: NHWC in, NHWC out, chain at the end.
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
    // What changes per frame sets the layout; weights come in as operands of the chain.
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

  /// Whether a BatchNormalization takes the statistics of the frame itself.
  ///
  /// One value a channel, as after global pooling, has none: its variance is 0, and all that the
  /// network knows of it would be normalised away. Such a layer keeps the running ones.
  func usesOwnStatistics(_ node: Graph.Node) -> Bool {
    let shape = graph.values[node.inputs[0]].shape
    return training?.batchNorm == .batch && shape.elementCount > shape[1]
  }

  /// Broadcasting that is no chain on rows: strides of 0 repeat.
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

  /// Dense with `axes` side by side in memory.
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

  /// How kernels read weights and parameters.
  mutating func rowMajor(_ view: View) -> View {
    dense(view, order: Array(0..<view.shape.rank))
  }
}
