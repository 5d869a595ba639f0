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

  /// Of the step itself, from the shapes of its inputs and result; 0 where it is no product.
  func multiplyAdds(_ inputs: [Shape], _ output: Shape) -> Double

  /// Makes the steps that compute a node, and says where its result is.
  func lower(_ node: Graph.Node, by planner: inout Planner)

  /// Makes the steps that add to the derivatives by the inputs of `step`, from `dy` by its result.
  func differentiate(_ step: Plan.Step, _ dy: Plan.View, by planner: inout Planner)
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

  var role: Role
  var spacing: Spacing
  var placement: Placement
  var fusion: Fusion
  var inPlace: InPlace
  /// Inputs with which the result changes smoothly.
  var smoothInputs: Inputs
  /// What the step of the derivative reads again, where it has one.
  var derivativeReads: Inputs
  var derivativeReadsResult: Bool

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
}
