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

  /// What the backward pass is for.
  package struct Training: Sendable {
    /// What BatchNormalization does while training.
    package enum BatchNormMode: Sendable {
      /// Running statistics are used and kept; scale and shift can be trained.
      case frozen
      /// The frame's own statistics are used, and the running ones move towards them.
      case batch
    }

    /// One per parameter of the model: whether its derivative is wanted.
    package var isTrained: [Bool]
    package var batchNorm = BatchNormMode.frozen
    /// How far running statistics move towards the frame's (PyTorch's momentum).
    package var statisticsMomentum: Float = 0.1
    /// Elements that activations and their derivatives may take; nil = as many as they need when
    /// recomputation is to cost next to nothing.
    package var frameElementLimit: Int?

    package init(isTrained: [Bool]) { self.isTrained = isTrained }
  }

  typealias View = Plan.View
  typealias ValueID = Graph.ValueID

  /// Longer chains are cut: kernels carry stages in fixed arrays.
  static let maximumStageCount = 8

  let graph: Graph
  let traits: Traits
  let model: OnnxModel
  let training: Training?
  let consumers: [ValueID: [Int]]
  var plan = Plan()
  var views: [ValueID: View] = [:]
  var absorbed: Set<Int> = []
  /// Where in a concatenation's buffer a value is written directly.
  var placements: [ValueID: (whole: ValueID, start: Int)] = [:]
  var gradients = GradientBuffers()

  /// Makes the plan; a pure function of its arguments.
  ///
  /// - Parameters:
  ///   - graph: what to compute.
  ///   - model: the owner of the graph's parameters.
  ///   - traits: what kernels do well.
  ///   - putsChannelsLast: 4-D outputs end as NHWC whatever the graph left them as.
  ///   - training: what to train; nil = a forward pass alone.
  /// - Returns: steps over buffers, with the memory of each laid out. Where `training` sets a limit
  ///   that no recomputation reaches, the smallest plan that was found.
  package static func plan(
    _ graph: Graph, of model: OnnxModel, traits: Traits, putsChannelsLast: Bool,
    training: Training? = nil
  ) -> Plan {
    var planner = Planner(graph: graph, model: model, traits: traits, training: training)
    planner.placeConcatenations()
    for input in graph.inputs { planner.addInput(input) }
    for (index, node) in graph.nodes.enumerated() where !planner.absorbed.contains(index) {
      planner.lower(node)
    }
    for output in graph.outputs {
      var view = planner.view(of: output)
      if putsChannelsLast, view.shape.rank == 4 { view = planner.channelsLast(view) }
      planner.plan.outputs.append(view)
    }
    planner.plan.forwardCount = planner.plan.steps.count
    if training != nil { planner.appendBackward() }
    planner.plan.assignMemory()
    if let training { planner.plan.recompute(within: training.frameElementLimit) }
    return planner.plan
  }

  private init(graph: Graph, model: OnnxModel, traits: Traits, training: Training?) {
    self.graph = graph
    self.model = model
    self.traits = traits
    self.training = training
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
      buffer.isTracked = training?.isTrained[index] ?? false
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
    plan.buffers.append(
      Plan.Buffer(region: isStatic ? .model : .frame, elementCount: shape.elementCount))
    return View(buffer: plan.buffers.count - 1, shape: shape, strides: shape.strides(order: order))
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
    let step = Plan.Step(
      name: name, work: work, inputs: inputs, output: output, chain: chain,
      isStatic: plan.isStatic(output))
    if step.isTracked(plan) { plan.buffers[output.buffer].isTracked = true }
    plan.steps.append(step)
  }

  /// Whether trained parameters reach any of the views.
  func isTracked(_ views: [View]) -> Bool { views.contains { plan.buffers[$0.buffer].isTracked } }

  /// Whether trained parameters reach the value, as far as it is planned.
  func isTracked(_ id: ValueID) -> Bool {
    if let view = views[id] { return isTracked([view]) }
    if case .parameter(let index) = graph.values[id].source {
      return training?.isTrained[index] ?? false
    }
    return false
  }

  /// Whether everything a step reads is known per set of weights.
  func isStatic(_ inputs: [View], _ chain: [Plan.Stage] = []) -> Bool {
    inputs.allSatisfy(plan.isStatic) && chain.allSatisfy { $0.operands.allSatisfy(plan.isStatic) }
  }
}
