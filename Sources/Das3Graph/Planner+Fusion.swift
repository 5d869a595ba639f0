/// Decides which element-wise nodes join the step before them, and which results are written
/// directly into the buffer of a concatenation.
extension Planner {
  /// Collects the consumers of `id` into a chain, as long as each is the only consumer and
  /// element-wise on rows of `layout`.
  ///
  /// - Parameters:
  ///   - id: the value that the chain starts from.
  ///   - layout: the view that the stages work on.
  ///   - channelAxis: the axis that the kernel takes as its channels, whatever its size; nil = any.
  ///   - stages: the stages that the chain begins with.
  ///   - operands: the inputs of the operation that the chain follows; nil where it follows none.
  ///     The result of the operation itself is not kept. For training, a stage whose derivative
  ///     needs it does not join.
  /// - Returns: the stages, and the value that the last of them makes.
  mutating func absorb(
    _ id: ValueID, layout: View, channelAxis: Int? = nil, after stages: [Plan.Stage] = [],
    operands: [View]? = nil
  ) -> (chain: [Plan.Stage], value: ValueID) {
    // With one channel the rows of the kernel are not those of the layout; only scalars fit both.
    let takesScalarsOnly = channelAxis.map { layout.shape[$0] == 1 } ?? false
    var chain = stages
    var value = id
    while chain.count < Self.maximumStageCount, let users = consumers[value], users.count == 1,
      let user = users.first, user >= 0, placements[value] == nil,
      operands.map({ canJoin(graph.nodes[user], value, after: chain, $0) }) ?? true,
      let stage = stage(
        for: graph.nodes[user], running: value, layout: layout, takesScalarsOnly: takesScalarsOnly)
    {
      chain.append(stage)
      absorbed.insert(user)
      value = graph.nodes[user].output
    }
    return (chain, value)
  }

  /// Whether the derivative of a stage after an operation can be computed without the result of the
  /// operation itself.
  private func canJoin(
    _ node: Graph.Node, _ value: ValueID, after chain: [Plan.Stage], _ operands: [View]
  ) -> Bool {
    guard training != nil else { return true }
    func wanted(_ stage: Plan.Stage) -> [Bool] { stage.operands.map { isTracked([$0]) } }
    let others = node.inputs.filter { $0 != value }.map { isTracked($0) }
    guard others.contains(true) || isTracked(operands + chain.flatMap(\.operands)) else {
      return true
    }
    guard !chain.contains(where: { $0.needsInput(wanted: wanted($0)) }) else { return false }
    switch node.operation.rules.facts.fusion {
    case .unary(let unary): return unary.isDerivedFromOutput
    case .binary(let kind): return kind == .add || kind == .subtract
    case .normalization, .never: return false
    }
  }

  /// The node as a stage on the running value; nil where it cannot be one, or where an operand is
  /// not computed yet.
  mutating func stage(
    for node: Graph.Node, running value: ValueID, layout: View, takesScalarsOnly: Bool = false
  ) -> Plan.Stage? {
    guard graph.values[node.output].shape == layout.shape, let rows = layout.rows else {
      return nil
    }
    switch node.operation.rules.facts.fusion {
    case .never: return nil
    case .unary(let unary):
      return Plan.Stage(function: .unary(unary), extent: .none, operands: [])
    case .normalization(let epsilon):
      guard !usesOwnStatistics(node), node.inputs[0] == value,
        isAvailable(node.inputs.dropFirst()),
        layout.shape[1] == 1 || rows.channelAxis == 1 && !takesScalarsOnly
      else { return nil }
      let operands = node.inputs.dropFirst().map { rowMajor(view(of: $0)) }
      return Plan.Stage(
        function: .normalize(epsilon: epsilon),
        extent: layout.shape[1] == 1 ? .scalar : .channel, operands: operands)
    case .binary(let kind):
      guard node.inputs[0] != node.inputs[1] else { return nil }
      let isReversed = node.inputs[1] == value
      let other = node.inputs[isReversed ? 0 : 1]
      guard isAvailable([other]) else { return nil }
      let function = Plan.Stage.Function.binary(kind, isReversed: isReversed)
      if takesScalarsOnly, graph.values[other].shape.elementCount > 1 { return nil }
      return operandStage(function, view(of: other), layout: layout, rows: rows)
    }
  }

  private func isAvailable(_ ids: some Sequence<ValueID>) -> Bool {
    ids.allSatisfy { id in
      if views[id] != nil { return true }
      switch graph.values[id].source {
      case .parameter, .constant: return true
      case .input, .node: return false
      }
    }
  }

  private mutating func operandStage(
    _ function: Plan.Stage.Function, _ operand: View, layout: View, rows: View.Rows
  ) -> Plan.Stage? {
    func made(_ extent: Plan.Stage.Extent, _ view: View) -> Plan.Stage {
      Plan.Stage(function: function, extent: extent, operands: [view])
    }
    if operand.shape.elementCount == 1 { return made(.scalar, operand) }
    let wide = operand.expanded(to: layout.shape)
    let moving = rows.order.filter { wide.strides[$0] != 0 }
    if moving == [rows.channelAxis].compactMap({ $0 }), let axis = rows.channelAxis,
      wide.strides[axis] == 1
    {
      return made(.channel, wide)
    }
    guard moving == rows.order else { return nil }
    if let other = wide.rows, other.order == rows.order { return made(.full, wide) }
    return made(.full, copy(wide, order: Self.completed(rows.order, rank: layout.shape.rank)))
  }

  // MARK: Concatenation in place

  /// Networks nest far fewer concatenations, and the stack holds far more calls.
  private static let maximumNesting = 64

  /// Decides which values are written directly into the buffer of the concatenation that reads
  /// them.
  mutating func placeConcatenations() {
    // The number of concatenations around a value. `destination` recurses as often.
    var depths: [ValueID: Int] = [:]
    for node in graph.nodes.reversed() {
      guard case .concat(let concat) = node.operation, concat.axis == 1,
        graph.values[node.output].shape.rank == 4
      else { continue }
      let depth = depths[node.output, default: 0] + 1
      var start = 0
      for input in node.inputs {
        let channels = graph.values[input].shape[1]
        if placements[input] == nil, depth <= Self.maximumNesting, canBePlaced(input) {
          placements[input] = (node.output, start)
          depths[input] = depth
        }
        start += channels
      }
    }
  }

  private func canBePlaced(_ id: ValueID) -> Bool {
    // A single channel has no run of neighbouring elements, so kernels would be slow.
    guard case .node(let index) = graph.values[id].source, graph.values[id].shape[1] > 1 else {
      return false
    }
    let node = graph.nodes[index]
    switch node.operation.rules.facts.placement {
    case .never: return false
    case .always: return true
    case .whereKernelCan: return traits.convolutionWritesStrided(node, graph)
    case .besideWholeInput:
      return node.inputs.contains { graph.values[$0].shape == graph.values[id].shape }
    }
  }

  /// The view for a 4-D NHWC result: its place in a concatenation, or a buffer of its own.
  mutating func destination(_ id: ValueID, isStatic: Bool) -> View {
    let shape = graph.values[id].shape
    guard !isStatic, let placement = placements[id] else {
      return allocate(shape, order: Self.channelsLastOrder(shape.rank), isStatic: isStatic)
    }
    let whole: View
    if let made = views[placement.whole] {
      whole = made
    } else {
      whole = destination(placement.whole, isStatic: false)
      views[placement.whole] = whole
    }
    return whole.sliced(
      Slice(of: whole.shape, along: 1, from: placement.start, count: shape[1]))
  }
}
