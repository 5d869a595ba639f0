/// The operators a graph is made of.
///
/// ONNX's larger vocabulary is lowered to these at import.
///
/// Switches over `Operator` have no `default`: a new case is an error at each place to fill in.
package enum Operator: Sendable {
  case conv(Conv)
  case convTranspose(ConvTranspose)
  case batchNorm(BatchNorm)
  case layerNorm(LayerNorm)
  case groupNorm(GroupNorm)
  case unary(Unary)
  case binary(Binary)
  case select(Select)
  case maxPool(MaxPool)
  case averagePool(AveragePool)
  case reduce(Reduce)
  case argMax(ArgMax)
  case softmax(Softmax)
  case resize(Resize)
  case resample(Resample)
  case gridSample(GridSample)
  case concat(Concat)
  case slice(Slice)
  case index(Index)
  case transpose(Transpose)
  case reshape(Reshape)
  case expand(Expand)
  case matMul(MatMul)

  /// The shape and element type of the result; throws where the inputs do not fit.
  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    switch self {
    case .conv(let op): try op.infer(inputs)
    case .convTranspose(let op): try op.infer(inputs)
    case .batchNorm(let op): try op.infer(inputs)
    case .layerNorm(let op): try op.infer(inputs)
    case .groupNorm(let op): try op.infer(inputs)
    case .unary(let op): try op.infer(inputs)
    case .binary(let op): try op.infer(inputs)
    case .select(let op): try op.infer(inputs)
    case .maxPool(let op): try op.infer(inputs)
    case .averagePool(let op): try op.infer(inputs)
    case .reduce(let op): try op.infer(inputs)
    case .argMax(let op): try op.infer(inputs)
    case .softmax(let op): try op.infer(inputs)
    case .resize(let op): try op.infer(inputs)
    case .resample(let op): try op.infer(inputs)
    case .gridSample(let op): try op.infer(inputs)
    case .concat(let op): try op.infer(inputs)
    case .slice(let op): try op.infer(inputs)
    case .index(let op): try op.infer(inputs)
    case .transpose(let op): try op.infer(inputs)
    case .reshape(let op): try op.infer(inputs)
    case .expand(let op): try op.infer(inputs)
    case .matMul(let op): try op.infer(inputs)
    }
  }
}

/// What is known of a value before anything runs.
package struct ValueInfo: Equatable, Sendable {
  package var shape: Shape
  package var type: ElementType

  package init(_ shape: Shape, _ type: ElementType = .float32) {
    self.shape = shape
    self.type = type
  }
}

/// One operator's share: its parameters and the rule for its result's shape.
protocol ShapeRule: Sendable {
  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo
}
