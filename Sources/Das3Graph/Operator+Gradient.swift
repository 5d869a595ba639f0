/// What the derivative of a chain needs from the forward pass.
enum ChainNeeds { case nothing, output, input }

extension Plan.Stage {
  /// Whether the derivative depends on the running value before the stage.
  ///
  /// `wanted` says for which operands a derivative is wanted too.
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

  /// Whether the derivative follows from the result of the stage.
  var isDerivedFromOutput: Bool {
    if case .unary(let unary) = function { unary.isDerivedFromOutput } else { false }
  }

  /// Whether the derivative depends on the values of the operands.
  var usesOperands: Bool {
    if case .binary(let kind, _) = function, kind == .add || kind == .subtract { return false }
    return !operands.isEmpty
  }
}

extension Plan.Step {
  /// Whether the result depends on trained parameters.
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

  /// What the derivative of the chain needs; `wanted` says for which operands a derivative is
  /// wanted.
  func chainNeeds(wanted: [[Bool]]) -> ChainNeeds {
    for (index, stage) in chain.enumerated() where stage.needsInput(wanted: wanted[index]) {
      return index == chain.count - 1 && stage.isDerivedFromOutput ? .output : .input
    }
    return .nothing
  }
}
