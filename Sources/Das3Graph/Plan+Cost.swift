/// What a plan costs: arithmetic per step.
extension Plan {
  /// Of all convolutions and matrix products that run for each frame.
  package var multiplyAdds: Double {
    steps.lazy.filter { !$0.isStatic }.reduce(0) { $0 + $1.multiplyAdds }
  }

  /// Of all steps that run for each frame.
  var effort: Double { steps.lazy.filter { !$0.isStatic }.reduce(0) { $0 + $1.effort } }
}

extension Plan.Step {
  /// A measure of the time: multiply-adds, and elements moved in their terms.
  var effort: Double {
    let moved = output.shape.elementCount * (1 + chain.count)
    return multiplyAdds + Self.multiplyAddsPerElement * Double(moved)
  }

  /// What a core multiplies while it fetches and stores one element.
  private static let multiplyAddsPerElement = 16.0

  /// Of a convolution, a matrix product or the derivative of one by its weights; else 0.
  var multiplyAdds: Double {
    let operation: Operator
    var (inputs, output) = (inputs, output)
    switch work {
    case .operation(let own): operation = own
    case .gradient(let gradient):
      guard case .operation(let earlier) = gradient.step.work else { return 0 }
      operation = earlier
      // By the bias alone there is nothing to multiply.
      guard gradient.inputs.count > 1, gradient.inputs[1] != nil else { return 0 }
      (inputs, output) = (gradient.step.inputs, gradient.step.output)
    case .copy, .elementwise, .statistics, .accumulate, .clear: return 0
    }
    return operation.rules.facts.multiplyAdds?(inputs.map(\.shape), output.shape) ?? 0
  }
}
