/// All that the graph knows of one operator, beside its import.
///
/// Each stands in `Operators/`, with its attributes. Nothing here has a default, so that the compiler
/// lists what a new operator must say.
protocol OperatorRules: Sendable {
  /// What follows from the operator and its attributes alone.
  var facts: OperatorFacts { get }

  /// The shape and element type of the result; throws where the inputs do not fit.
  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo

  /// The result for constant inputs, as shape arithmetic has them; nil where that is left to the
  /// runtime.
  func folded(_ inputs: [ConstantTensor], _ result: ValueInfo) throws(Das3Error) -> ConstantTensor?

  /// Makes the steps that compute a node, and says where its result is.
  func lower(_ node: Graph.Node, by planner: inout Planner)
}

/// What follows from an operator and its attributes alone.
struct OperatorFacts {
  /// What the parameters among its inputs are to the network.
  enum Role {
    /// Weights of a layer.
    case layer
    /// A factor: weights of a layer where the other factor has none.
    case product
    /// Scale and shift of what comes before.
    case modifier
  }

  /// How far apart, in pixels of the image, neighbouring results lie.
  enum Spacing: Equatable {
    /// As the input's.
    case kept
    /// As those of the first input, whatever the others are.
    case ofFirstInput
    case times(Int)
    case dividedBy(Int)
    /// As the sizes of input and result say, where the result is larger.
    case enlarged
  }

  /// Whether the result can be written straight into a concatenation.
  enum Placement { case never, always, whereKernelCan, besideWholeInput }

  /// How it becomes a stage of a chain on one running value.
  enum Fusion {
    case never
    case unary(Unary)
    case binary(Binary.Kind)
    case normalization(epsilon: Float)
  }

  /// Which pass may write its result over what it reads first.
  enum InPlace { case never, forward, backward }

  /// How the steps that add to the derivatives by its inputs come about.
  enum Derivative {
    /// It becomes a view, a copy or a chain, which have theirs.
    case ofOtherSteps
    /// One step for all inputs, which reads these and perhaps the result again.
    case step(reads: Inputs, readsResult: Bool = false)
    /// A step for each input at the size of the result, then sums where the input repeats.
    case broadcast(reads: Inputs)
    /// Its own, from the step and the derivative by its result.
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

/// The kinds of operators that there are; each says what its operators must say of themselves.
extension OperatorFacts {
  /// Shows its input in another way, without a step where memory allows.
  static func view(spacing: Spacing, placement: Placement) -> Self {
    kernel(spacing: spacing, placement: placement, derivative: .ofOtherSteps)
  }

  /// Computed by a step of its own, without weights that make it a layer.
  static func kernel(
    spacing: Spacing, placement: Placement, inPlace: InPlace = .never, smoothInputs: Inputs = .all,
    derivative: Derivative
  ) -> Self {
    Self(
      spacing: spacing, placement: placement, inPlace: inPlace, smoothInputs: smoothInputs,
      derivative: derivative)
  }

  /// Element by element: a stage of a chain where it can be, else a step.
  static func stage(
    _ fusion: Fusion, placement: Placement, inPlace: InPlace = .never, smoothInputs: Inputs,
    derivative: Derivative
  ) -> Self {
    Self(
      spacing: .kept, placement: placement, fusion: fusion, inPlace: inPlace,
      smoothInputs: smoothInputs, derivative: derivative)
  }

  /// Multiplies its input by weights.
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
