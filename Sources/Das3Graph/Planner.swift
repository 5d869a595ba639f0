/// Makes a `Plan` from a `Graph`: chooses layouts and views, fuses element-wise chains, places
/// concatenations, adds the backward pass, and assigns memory.
package struct Planner {
  /// Properties of the kernels that the memory layout depends on.
  package struct Traits: Sendable {
    /// Whether a convolution can leave gaps between the pixels that it writes without becoming
    /// slower.
    package var convolutionWritesStrided: @Sendable (Graph.Node, Graph) -> Bool

    package init(convolutionWritesStrided: @escaping @Sendable (Graph.Node, Graph) -> Bool) {
      self.convolutionWritesStrided = convolutionWritesStrided
    }
  }

  /// The purpose of the backward pass.
  package struct Training: Sendable {
    /// What BatchNormalization does while training.
    package enum BatchNormMode: Sendable {
      /// It uses the running statistics and does not change them; scale and shift can be trained.
      case frozen
      /// It uses the statistics of the frame, and moves the running ones towards them.
      case batch
    }

    /// For each parameter of the model, whether its derivative is wanted.
    package var isTrained: [Bool]
    package var batchNorm = BatchNormMode.frozen
    /// The share by which running statistics move towards those of the frame (PyTorch's
    /// `momentum`).
    package var statisticsMomentum: Float = 0.1
    /// The number of elements that activations and their derivatives may take; nil = no limit, and
    /// recomputation only where it costs almost no time.
    package var frameElementLimit: Int?

    package init(isTrained: [Bool]) { self.isTrained = isTrained }
  }

  typealias View = Plan.View
  typealias ValueID = Graph.ValueID

  /// The most stages of a chain: kernels have arrays of this size.
  static let maximumStageCount = 8

  let graph: Graph
  let traits: Traits
  let model: OnnxModel
  let training: Training?
  let consumers: [ValueID: [Int]]
  var plan = Plan()
  var views: [ValueID: View] = [:]
  var absorbed: Set<Int> = []
  /// The values that are written directly into the buffer of a concatenation: which one, and the
  /// first channel.
  var placements: [ValueID: (whole: ValueID, start: Int)] = [:]
  var gradients = GradientBuffers()

  /// Makes the plan.
  ///
  /// The same arguments always give the same plan.
  ///
  /// - Parameters:
  ///   - graph: what to compute.
  ///   - model: the model that owns the parameters of the graph.
  ///   - traits: properties of the kernels.
  ///   - putsChannelsLast: whether 4-D outputs are stored as NHWC in any case.
  ///   - training: what to train; nil = a forward pass alone.
  /// - Returns: the steps, and buffers with their offsets. Where no recomputation keeps the limit
  ///   of `training`, it is the smallest plan that was found.
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
    // The caller reads outputs too. The consumer −1 keeps an output from being fused into a chain.
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

  /// The view of a value; parameters and constants get a buffer on first use.
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

  /// Completes a `memoryOrder` to all axes: those of size 1, which it leaves out, come first.
  package static func completed(_ order: [Int], rank: Int) -> [Int] {
    (0..<rank).filter { !order.contains($0) } + order
  }

  /// The view itself where it is NHWC, else a copy that is.
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

  /// Whether any of the views depends on trained parameters.
  func isTracked(_ views: [View]) -> Bool { views.contains { plan.buffers[$0.buffer].isTracked } }

  /// Whether the value depends on trained parameters; false where it is not planned yet.
  func isTracked(_ id: ValueID) -> Bool {
    if let view = views[id] { return isTracked([view]) }
    if case .parameter(let index) = graph.values[id].source {
      return training?.isTrained[index] ?? false
    }
    return false
  }

  /// Whether all that a step reads depends on weights and constants alone.
  func isStatic(_ inputs: [View], _ chain: [Plan.Stage] = []) -> Bool {
    inputs.allSatisfy(plan.isStatic) && chain.allSatisfy { $0.operands.allSatisfy(plan.isStatic) }
  }
}
