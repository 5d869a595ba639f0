/// What a chain's derivative needs of the forward pass.
enum ChainNeeds { case nothing, output, input }

extension Plan.Stage {
  /// Whether the derivative depends on the running value before the stage, where `wanted` operands
  /// want theirs too.
  func needsInput(wanted: [Bool]) -> Bool {
    switch function {
    case .unary(let unary):
      unary.isDifferentiable && unary.kind != .negate && unary.kind != .quantize
    case .binary(let kind, let isReversed):
      switch kind {
      case .add, .subtract, .integerDivide, .equal, .less, .greater, .lessOrEqual, .greaterOrEqual,
        .and, .or, .xor:
        false
      case .multiply: wanted[0]
      case .divide, .modulo, .remainder: isReversed || wanted[0]
      case .minimum, .maximum, .power, .prelu: true
      }
    case .normalize: wanted[0]
    }
  }

  /// The derivative follows from the result of the stage.
  var isDerivedFromOutput: Bool {
    if case .unary(let unary) = function { unary.isDerivedFromOutput } else { false }
  }

  /// The operands must be there to compute derivatives.
  var usesOperands: Bool {
    if case .binary(let kind, _) = function, kind == .add || kind == .subtract { return false }
    return !operands.isEmpty
  }
}

extension Plan.Step {
  /// Whether trained parameters reach the result.
  func isTracked(_ plan: Plan) -> Bool {
    func isTracked(_ view: Plan.View) -> Bool { plan.buffers[view.buffer].isTracked }
    switch work {
    case .operation(let operation):
      let smooth = operation.rules.facts.smoothInputs
      for (index, input) in inputs.enumerated()
      where isTracked(input) && smooth.contains(index) {
        return true
      }
    case .copy, .elementwise: if isTracked(inputs[0]) { return true }
    case .statistics, .gradient, .accumulate, .clear: return false
    }
    return chain.contains { $0.operands.contains(where: isTracked) }
  }

  /// What the chain's derivative needs where `wanted` operands want theirs.
  func chainNeeds(wanted: [[Bool]]) -> ChainNeeds {
    for (index, stage) in chain.enumerated() where stage.needsInput(wanted: wanted[index]) {
      return index == chain.count - 1 && stage.isDerivedFromOutput ? .output : .input
    }
    return .nothing
  }
}
