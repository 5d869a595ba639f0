/// All that the graph knows about an operator, except its import from ONNX.
///
/// The operators stand in `Operators/`, each with its attributes. No requirement has a default
/// implementation, so that the compiler lists what a new operator must define.
protocol OperatorRules: Sendable {
  /// The properties that follow from the operator and its attributes alone.
  var facts: OperatorFacts { get }

  /// The shape and element type of the result; throws `.shape` where the inputs do not fit.
  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo

  /// The result for constant inputs, as in shape arithmetic; nil where the runtime computes it.
  func folded(_ inputs: [ConstantTensor], _ result: ValueInfo) throws(Das3Error) -> ConstantTensor?

  /// Adds the steps that compute a node to the plan, and sets the view of its result.
  func lower(_ node: Graph.Node, by planner: inout Planner)
}

/// The properties that follow from an operator and its attributes alone.
struct OperatorFacts {
  /// The role in the network of the parameters among its inputs.
  enum Role {
    /// They are the weights of a layer.
    case layer
    /// They are a factor of a matrix product, and weights of a layer if the other factor depends on
    /// the image.
    case product
    /// They scale or shift the result of the layer before.
    case modifier
  }

  /// The distance of neighbouring results in pixels of the image.
  enum Spacing: Equatable {
    /// It is that of the inputs.
    case kept
    /// It is that of the first input, whatever the others have.
    case ofFirstInput
    case times(Int)
    case dividedBy(Int)
    /// It follows from the sizes of input and result where the result is larger.
    case enlarged
  }

  /// Whether the step can write its result directly into the buffer of a concatenation.
  enum Placement { case never, always, whereKernelCan, besideWholeInput }

  /// How the operator becomes a stage of a chain of element-wise functions.
  enum Fusion {
    case never
    case unary(Unary)
    case binary(Binary.Kind)
    case normalization(epsilon: Float)
  }

  /// The pass in which the result may overwrite the first view that the step reads.
  enum InPlace { case never, forward, backward }

  /// How the steps that compute the derivatives by its inputs are made.
  enum Derivative {
    /// The operator becomes a view, a copy or a chain, and the planner differentiates those.
    case ofOtherSteps
    /// One step for all inputs.
    ///
    /// It reads some inputs, and perhaps the result, of the forward pass again.
    case step(reads: Inputs, readsResult: Bool = false)
    /// One step for each input, at the size of the result.
    ///
    /// A sum follows where the input was repeated.
    case broadcast(reads: Inputs)
    /// The operator makes the steps itself, from its step and the derivative by its result.
    case steps((Plan.Step, Plan.View, inout Planner) -> Void)
  }

  /// Some of an operator's inputs.
  enum Inputs {
    case none, all
    case only(Set<Int>)

    func contains(_ index: Int) -> Bool {
      switch self {
      case .none: false
      case .all: true
      case .only(let indices): indices.contains(index)
      }
    }
  }

  private(set) var role = Role.modifier
  let spacing: Spacing
  let placement: Placement
  private(set) var fusion = Fusion.never
  private(set) var inPlace = InPlace.never
  /// The inputs by which the result can be differentiated.
  private(set) var smoothInputs = Inputs.all
  let derivative: Derivative
  /// The multiply-adds of the step, from the shapes of its inputs and of its result; nil where the
  /// operator is neither a convolution nor a matrix product.
  private(set) var multiplyAdds: (([Shape], Shape) -> Double)?
}

/// The kinds of operators; each takes the properties that operators of the kind must state.
extension OperatorFacts {
  /// An operator whose result is another view of its input.
  ///
  /// It needs no step unless the memory layout requires a copy.
  static func view(spacing: Spacing, placement: Placement) -> Self {
    kernel(spacing: spacing, placement: placement, derivative: .ofOtherSteps)
  }

  /// An operator that is computed by a step of its own and is not a layer.
  static func kernel(
    spacing: Spacing, placement: Placement, inPlace: InPlace = .never, smoothInputs: Inputs = .all,
    derivative: Derivative
  ) -> Self {
    Self(
      spacing: spacing, placement: placement, inPlace: inPlace, smoothInputs: smoothInputs,
      derivative: derivative)
  }

  /// An element-wise operator: a stage of a chain where possible, else a step.
  static func stage(
    _ fusion: Fusion, placement: Placement, inPlace: InPlace = .never, smoothInputs: Inputs,
    derivative: Derivative
  ) -> Self {
    Self(
      spacing: .kept, placement: placement, fusion: fusion, inPlace: inPlace,
      smoothInputs: smoothInputs, derivative: derivative)
  }

  /// An operator that multiplies its input by weights.
  static func layer(
    _ role: Role, spacing: Spacing, placement: Placement,
    multiplyAdds: @escaping ([Shape], Shape) -> Double,
    derivative: @escaping (Plan.Step, Plan.View, inout Planner) -> Void
  ) -> Self {
    Self(
      role: role, spacing: spacing, placement: placement, derivative: .steps(derivative),
      multiplyAdds: multiplyAdds)
  }
}
