/// Makes a `Plan` from a `Graph`: layouts, views, fusion of element-wise chains, concatenation in
/// place, and last the memory.
package struct Planner {
  /// What the planner must know about kernels to lay out memory well.
  package struct Traits: Sendable {
    /// Whether a convolution can leave gaps between the pixels it writes at no cost.
    package var convolutionWritesStrided: @Sendable (Graph.Node, Graph) -> Bool

    package init(convolutionWritesStrided: @escaping @Sendable (Graph.Node, Graph) -> Bool) {
      self.convolutionWritesStrided = convolutionWritesStrided
    }
  }

  typealias View = Plan.View
  typealias ValueID = Graph.ValueID

  /// Longer chains are cut: kernels carry stages in fixed arrays.
  static let maximumStageCount = 8

  let graph: Graph
  let traits: Traits
  let model: OnnxModel
  let consumers: [ValueID: [Int]]
  var plan = Plan()
  var views: [ValueID: View] = [:]
  var absorbed: Set<Int> = []
  /// Where in a concatenation's buffer a value is written directly.
  var placements: [ValueID: (whole: ValueID, start: Int)] = [:]

  /// Makes the plan; a pure function of graph and traits.
  ///
  /// - Parameters:
  ///   - graph: what to compute.
  ///   - model: the owner of the graph's parameters.
  ///   - traits: what kernels do well.
  ///   - putsChannelsLast: 4-D outputs end as NHWC whatever the graph left them as.
  /// - Returns: steps over buffers, with the memory of each laid out.
  package static func plan(
    _ graph: Graph, of model: OnnxModel, traits: Traits, putsChannelsLast: Bool
  ) -> Plan {
    var planner = Planner(graph: graph, model: model, traits: traits)
    planner.placeConcatenations()
    for input in graph.inputs { planner.addInput(input) }
    for (index, node) in graph.nodes.enumerated() where !planner.absorbed.contains(index) {
      planner.lower(node)
    }
    for output in graph.outputs {
      var view = planner.view(of: output)
      if putsChannelsLast, view.shape.rank == 4 { view = planner.channelsLast(view) }
      if planner.plan.buffers[view.buffer].region == .frame {
        planner.plan.buffers[view.buffer].lastStep = .max
      }
      planner.plan.outputs.append(view)
    }
    planner.plan.assignMemory()
    return planner.plan
  }

  private init(graph: Graph, model: OnnxModel, traits: Traits) {
    self.graph = graph
    self.model = model
    self.traits = traits
    var consumers: [ValueID: [Int]] = [:]
    for (index, node) in graph.nodes.enumerated() {
      for input in node.inputs { consumers[input, default: []].append(index) }
    }
    // An output is read from outside too: −1 keeps it from being fused away.
    for output in graph.outputs { consumers[output, default: []].append(-1) }
    self.consumers = consumers
  }

  private mutating func addInput(_ id: ValueID) {
    let shape = graph.values[id].shape
    let order = shape.rank == 4 ? [0, 2, 3, 1] : Array(0..<shape.rank)
    let view = allocate(shape, order: order, isStatic: false)
    plan.buffers[view.buffer].firstStep = 0
    plan.buffers[view.buffer].lastStep = 0
    plan.inputs.append(view)
    views[id] = view
  }

  // MARK: Views and buffers

  /// The view of a value; parameters and constants get theirs on first use.
  mutating func view(of id: ValueID) -> View {
    if let view = views[id] { return view }
    let value = graph.values[id]
    var buffer = Plan.Buffer(region: .model, elementCount: value.shape.elementCount)
    switch value.source {
    case .parameter(let index):
      buffer.region = .parameter
      buffer.offset = model.parameters[index].offset
    case .constant(let tensor): buffer.constant = tensor
    case .input, .node: break
    }
    plan.buffers.append(buffer)
    let view = View(
      buffer: plan.buffers.count - 1, shape: value.shape,
      strides: value.shape.contiguousStrides)
    views[id] = view
    return view
  }

  /// A new dense buffer whose axes lie in `order`, outermost first.
  mutating func allocate(_ shape: Shape, order: [Int], isStatic: Bool) -> View {
    var strides = [Int](repeating: 1, count: shape.rank)
    var stride = 1
    for axis in order.reversed() {
      strides[axis] = stride
      stride *= shape[axis]
    }
    plan.buffers.append(
      Plan.Buffer(region: isStatic ? .model : .frame, elementCount: shape.elementCount))
    return View(buffer: plan.buffers.count - 1, shape: shape, strides: strides)
  }

  /// All axes of a shape: those of `memoryOrder` at their places, sizes of 1 outermost.
  package static func completed(_ order: [Int], rank: Int) -> [Int] {
    (0..<rank).filter { !order.contains($0) } + order
  }

  /// The view itself where it is NHWC already, else a copy that is.
  mutating func channelsLast(_ view: View, dense: Bool = false) -> View {
    if let pixel = view.pixelStride, !dense || pixel == view.shape[1] { return view }
    return copy(view, order: Self.channelsLastOrder(view.shape.rank))
  }

  static func channelsLastOrder(_ rank: Int) -> [Int] {
    rank < 2 ? Array(0..<rank) : [0] + Array(2..<rank) + [1]
  }

  mutating func copy(_ view: View, order: [Int]) -> View {
    let result = allocate(view.shape, order: order, isStatic: plan.isStatic(view))
    emit(.copy, "layout", [view], result)
    return result
  }

  mutating func emit(
    _ work: Plan.Step.Work, _ name: String, _ inputs: [View], _ output: View,
    chain: [Plan.Stage] = []
  ) {
    let index = plan.steps.count
    for view in inputs + chain.flatMap(\.operands) + [output] {
      guard plan.buffers[view.buffer].region == .frame else { continue }
      plan.buffers[view.buffer].firstStep = min(plan.buffers[view.buffer].firstStep, index)
      plan.buffers[view.buffer].lastStep = max(plan.buffers[view.buffer].lastStep, index)
    }
    plan.steps.append(
      Plan.Step(
        name: name, work: work, inputs: inputs, output: output, chain: chain,
        isStatic: plan.isStatic(output)))
  }

  /// Whether everything a step reads is known per model.
  func isStatic(_ inputs: [View], _ chain: [Plan.Stage] = []) -> Bool {
    inputs.allSatisfy(plan.isStatic) && chain.allSatisfy { $0.operands.allSatisfy(plan.isStatic) }
  }
}
