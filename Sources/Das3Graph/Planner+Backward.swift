/// Reverse-mode differentiation (Griewank and Walther, 2008, chapter 3).
///
/// It takes the steps of the forward pass in reverse order and makes for each the steps that add
/// its contribution to the derivatives by its inputs.
///
/// Only steps between a trained parameter and the outputs take part.
extension Planner {
  mutating func appendBackward() {
    var apart: [(gradient: View, output: View)] = []
    for output in plan.outputs {
      let view = isTracked([output]) ? gradientView(of: output) : nil
      if let view, plan.buffers[view.buffer].region == .frame, gradients.isFresh(view) {
        // The caller writes it between the passes, before any step of the backward pass.
        record(.fresh, view)
        plan.outputGradients.append(view)
      } else {
        let own = allocate(like: output)
        plan.outputGradients.append(own)
        if view != nil { apart.append((own, output)) }
      }
    }
    for (gradient, output) in apart { deposit(gradient, to: output, "output") }
    for step in plan.steps.prefix(plan.forwardCount).reversed() { differentiate(step) }
    plan.initialiseGradients(gradients)
  }

  private mutating func differentiate(_ step: Plan.Step) {
    guard step.isTracked(plan), let buffer = gradients.buffers[step.output.buffer],
      gradients.isWritten(buffer)
    else { return }
    var dy = step.output
    dy.buffer = buffer
    switch step.work {
    case .copy: deposit(dy, to: step.inputs[0], step.name)
    case .elementwise: differentiateChain(step, dy, isFused: false)
    case .operation(let operation):
      var step = step
      if !step.chain.isEmpty {
        differentiateChain(step, dy, isFused: true)
        step.chain = []
      }
      guard isTracked(step.inputs) else { return }
      let facts = operation.rules.facts
      switch facts.derivative {
      case .ofOtherSteps: break
      case .step(let reads, let readsResult):
        emitGradient(
          of: step, dy, by: facts.smoothInputs, reads: reads, readsResult: readsResult)
      case .broadcast(let reads): differentiateBroadcast(step, dy, facts, reads: reads)
      case .steps(let emit): emit(step, dy, &self)
      }
    case .statistics, .gradient, .accumulate, .clear: break
    }
  }

  // MARK: Element-wise

  /// The derivative of an element-wise chain.
  ///
  /// The chain at the end of an operation (`isFused`) has no input of its own to read: its
  /// derivative overwrites `dy`, which is then the derivative by the operation's result.
  private mutating func differentiateChain(_ step: Plan.Step, _ dy: View, isFused: Bool) {
    let wanted = step.chain.map { $0.operands.map { isTracked([$0]) } }
    let needs = step.chainNeeds(wanted: wanted)
    let readsInput = needs == .input && !isFused
    var gradient = Plan.Gradient(
      step: step, outputGradient: dy, inputs: [nil], operands: [], readsInput: [readsInput])
    gradient.readsOutput = needs == .output
    gradient.readsOperands = readsInput || step.chain.contains(where: \.usesOperands)
    if isFused {
      gradient.step.work = .elementwise
      gradient.step.inputs = [step.output]
      gradient.inputs[0] = Plan.Gradient.Target(view: dy, accumulates: false)
    } else if isTracked([step.inputs[0]]) {
      gradient.inputs[0] = target(step.inputs[0], .input(0))
    }
    emitWithOperands(gradient, wanted)
  }

  /// Emits the derivative of a chain after adding the targets for its operands.
  ///
  /// The kernel writes all targets in one pass. A target that would share its buffer with another
  /// gets a buffer of its own, which is added afterwards.
  private mutating func emitWithOperands(_ gradient: Plan.Gradient, _ wanted: [[Bool]]) {
    var gradient = gradient
    var taken = Set([gradient.step.inputs[0].buffer])
    var parts: [(part: View, operand: View)] = []
    for (number, stage) in gradient.step.chain.enumerated() {
      var row: [Plan.Gradient.Target?] = []
      for (position, operand) in stage.operands.enumerated() {
        guard wanted[number][position] else {
          row.append(nil)
          continue
        }
        if stage.extent == .full, !taken.insert(operand.buffer).inserted {
          let part = allocate(like: operand)
          parts.append((part, operand))
          row.append(Plan.Gradient.Target(view: part, accumulates: false))
        } else {
          // Sums over pixels can only add. A whole image can also overwrite.
          row.append(
            target(
              operand, .operand(stage: number, index: position),
              alwaysAdds: stage.extent != .full))
        }
      }
      gradient.operands.append(row)
    }
    emit(gradient, gradient.outputGradient)
    for (part, operand) in parts { deposit(part, to: operand, gradient.step.name) }
  }

  /// y = f(a, b) with broadcasting: computes each derivative at the size of the result, then sums
  /// it over the dimensions that were repeated.
  private mutating func differentiateBroadcast(
    _ step: Plan.Step, _ dy: View, _ facts: OperatorFacts, reads: OperatorFacts.Inputs
  ) {
    for (index, input) in step.inputs.enumerated()
    where isTracked([input]) && facts.smoothInputs.contains(index) {
      if case .binary(let kind) = facts.fusion, kind == .add || kind == .subtract && index == 0 {
        deposit(dy, to: input, step.name)
        continue
      }
      let full = allocate(like: step.output)
      let targets = step.inputs.indices.map {
        $0 == index ? Plan.Gradient.Target(view: full, accumulates: false) : nil
      }
      let gradient = Plan.Gradient(
        step: step, outputGradient: dy, inputs: targets, operands: [],
        readsInput: step.inputs.indices.map(reads.contains))
      emit(gradient, full)
      deposit(full, to: input, step.name)
    }
  }

  // MARK: Products

  mutating func differentiateConv(_ step: Plan.Step, _ dy: View, adjoint: Operator) {
    let wanted = step.inputs.map { isTracked([$0]) }
    if wanted.dropFirst().contains(true) {
      var gradient = Plan.Gradient(
        step: step, outputGradient: dy, inputs: step.inputs.map { _ in nil }, operands: [],
        readsInput: step.inputs.indices.map { $0 == 0 && wanted[1] })
      for position in step.inputs.indices.dropFirst() where wanted[position] {
        gradient.inputs[position] = target(
          step.inputs[position], .input(position), alwaysAdds: true)
      }
      emit(gradient, dy)
    }
    if wanted[0] { emitAdjoint(adjoint, step.name, [dy, step.inputs[1]], to: step.inputs[0]) }
  }

  /// dx = adjoint(dy, weights); where dx has a value already, the addition is fused into the step.
  private mutating func emitAdjoint(
    _ operation: Operator, _ name: String, _ inputs: [View], to x: View
  ) {
    let target = gradientView(of: x)
    let covers = Footprint(x).elementCount == plan.buffers[x.buffer].elementCount
    if gradients.isFresh(target) {
      emitFresh(operation, name, inputs, target)
    } else if covers, gradients.isWritten(target.buffer), x.shape[1] > 1 {
      // The sum gets a buffer of its own, because kernels must not read the buffer that they write.
      let sum = allocate(like: x)
      gradients.setBuffer(sum.buffer, of: x.buffer)
      let stage = Plan.Stage(
        function: .binary(.add, isReversed: false), extent: .full, operands: [target])
      emitFresh(operation, name, inputs, sum, chain: [stage])
    } else {
      let part = allocate(image: x.shape)
      emit(.operation(operation), name, inputs, part)
      deposit(part, to: x, name)
    }
  }

  mutating func differentiateProduct(_ step: Plan.Step, _ product: MatMul, _ dy: View) {
    func transposed(_ view: View) -> View {
      let rank = view.shape.rank
      return view.transposed(Array(0..<rank - 2) + [rank - 1, rank - 2])
    }
    let (a, b) = (step.inputs[0], step.inputs[1])
    for (input, factors) in [(a, [dy, transposed(b)]), (b, [transposed(a), dy])]
    where isTracked([input]) {
      // The derivative for all batches; it is summed afterwards where a factor was repeated.
      let shape = Shape(
        Array(step.output.shape.dims.dropLast(2)) + Array(input.shape.dims.suffix(2)))
      let target = gradientView(of: input)
      if shape == input.shape, target.strides == shape.contiguousStrides,
        plan.buffers[target.buffer].region == .frame, gradients.isFresh(target)
      {
        emitFresh(.matMul(product), step.name, factors, target)
        continue
      }
      let full = allocate(shape, order: Array(0..<shape.rank), isStatic: false)
      emit(.operation(.matMul(product)), step.name, factors, full)
      deposit(full, to: input, step.name)
    }
  }

  // MARK: Everything else

  /// Emits one step for the derivatives by all inputs for which one is wanted.
  mutating func emitGradient(
    of step: Plan.Step, _ dy: View, by smooth: OperatorFacts.Inputs, reads: OperatorFacts.Inputs,
    readsResult: Bool = false
  ) {
    let wanted = step.inputs.enumerated().map { isTracked([$1]) && smooth.contains($0) }
    var gradient = Plan.Gradient(
      step: step, outputGradient: dy, inputs: [], operands: [],
      readsInput: step.inputs.indices.map(reads.contains))
    gradient.readsOutput = readsResult
    for (position, input) in step.inputs.enumerated() {
      gradient.inputs.append(
        wanted[position]
          ? target(input, .input(position), alwaysAdds: position > 0) : nil)
    }
    emit(gradient, dy)
  }

  private mutating func emit(_ gradient: Plan.Gradient, _ output: View) {
    emit(
      .gradient(gradient), gradient.step.name, [], gradient.targets.first?.view ?? output)
  }

  private mutating func emitFresh(
    _ operation: Operator, _ name: String, _ inputs: [View], _ target: View,
    chain: [Plan.Stage] = []
  ) {
    record(.fresh, target)
    emit(.operation(operation), name, inputs, target, chain: chain)
  }

  /// Adds `gradient` to the derivative by `view`; sums it where `view` has to be repeated to its
  /// shape.
  private mutating func deposit(_ gradient: View, to view: View, _ name: String) {
    let target = gradientView(of: view.expanded(to: gradient.shape))
    record(.output, target, alwaysAdds: !Footprint(target).isInjective)
    emit(.accumulate, name, [gradient], target)
  }

  private mutating func target(
    _ view: View, _ slot: GradientBuffers.Write.Slot, alwaysAdds: Bool = false
  ) -> Plan.Gradient.Target {
    let target = gradientView(of: view)
    record(slot, target, alwaysAdds: alwaysAdds)
    return Plan.Gradient.Target(view: target, accumulates: true)
  }

  /// Records that the step that is emitted next writes this derivative.
  private mutating func record(
    _ slot: GradientBuffers.Write.Slot, _ view: View, alwaysAdds: Bool = false
  ) {
    let write = GradientBuffers.Write(
      step: plan.steps.count, slot: slot, footprint: Footprint(view), alwaysAdds: alwaysAdds)
    gradients.record(write, to: view.buffer)
  }

  // MARK: Buffers

  /// The derivative by a view: the same view of the gradient buffer, which is made on first use.
  private mutating func gradientView(of view: View) -> View {
    var result = view
    if let buffer = gradients.buffers[view.buffer] {
      result.buffer = buffer
      return result
    }
    let source = plan.buffers[view.buffer]
    var buffer = Plan.Buffer(
      region: source.region == .parameter ? .gradient : .frame, elementCount: source.elementCount)
    buffer.offset = source.offset
    plan.buffers.append(buffer)
    result.buffer = plan.buffers.count - 1
    gradients.setBuffer(result.buffer, of: view.buffer)
    return result
  }

  /// A new dense buffer with the axes in the same order as those of the view.
  private mutating func allocate(like view: View) -> View {
    allocate(
      view.shape, order: Self.completed(view.memoryOrder, rank: view.shape.rank), isStatic: false)
  }

  private mutating func allocate(image shape: Shape) -> View {
    allocate(shape, order: Self.channelsLastOrder(shape.rank), isStatic: false)
  }
}
