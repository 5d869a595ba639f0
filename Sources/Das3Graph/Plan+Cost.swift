/// What a plan costs: arithmetic and traffic per step, and what a step is called.
extension Plan {
  /// Of all convolutions and matrix products that run for each frame.
  package var multiplyAdds: Double {
    steps.lazy.filter { !$0.isStatic }.reduce(0) { $0 + $1.multiplyAdds }
  }

  /// The effort of all steps that run for each frame.
  var effort: Double { steps.lazy.filter { !$0.isStatic }.reduce(0) { $0 + $1.effort } }
}

extension Plan.Step {
  /// An estimate of the time in multiply-adds.
  ///
  /// Moved elements count as several of them.
  var effort: Double {
    let moved = output.shape.elementCount * (1 + chain.count)
    return multiplyAdds + Self.multiplyAddsPerElement * Double(moved)
  }

  /// The multiply-adds that a core does in the time in which it loads and stores one element.
  private static let multiplyAddsPerElement = 16.0

  /// The operator, or what else it does.
  package var operation: String {
    switch work {
    case .operation(let operation): "\(type(of: operation.rules))"
    case .copy: "Copy"
    case .elementwise: "Elementwise"
    case .statistics: "Statistics"
    case .gradient(let gradient): gradient.step.operation + " gradient"
    case .accumulate: "Sum"
    case .clear: "Clear"
    }
  }

  /// Bytes that it reads and writes, each element once.
  package var byteCount: Int {
    (reads + writes).reduce(0) { $0 + MemoryLayout<Float>.stride * $1.distinctCount }
  }

  /// The multiply-adds of a convolution, of a matrix product, or of its derivative by the weights;
  /// 0 for other steps.
  package var multiplyAdds: Double {
    let operation: Operator
    var (inputs, output) = (inputs, output)
    switch work {
    case .operation(let own): operation = own
    case .gradient(let gradient):
      guard case .operation(let earlier) = gradient.step.work else { return 0 }
      operation = earlier
      // The derivative by the bias alone takes no multiplications.
      guard gradient.inputs.count > 1, gradient.inputs[1] != nil else { return 0 }
      (inputs, output) = (gradient.step.inputs, gradient.step.output)
    case .copy, .elementwise, .statistics, .accumulate, .clear: return 0
    }
    return operation.rules.facts.multiplyAdds?(inputs.map(\.shape), output.shape) ?? 0
  }
}

extension Plan.View {
  /// Its elements, repeated ones once.
  fileprivate var distinctCount: Int {
    zip(shape.dims, strides).reduce(1) { $1.1 == 0 ? $0 : $0 * $1.0 }
  }
}
