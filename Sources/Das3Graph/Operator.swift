/// The operators of a graph: the one closed list of this module.
///
/// The import lowers the larger set of ONNX operators to these.
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

  /// The rules of the operator.
  var rules: any OperatorRules {
    switch self {
    case .conv(let op): op
    case .convTranspose(let op): op
    case .batchNorm(let op): op
    case .layerNorm(let op): op
    case .groupNorm(let op): op
    case .unary(let op): op
    case .binary(let op): op
    case .select(let op): op
    case .maxPool(let op): op
    case .averagePool(let op): op
    case .reduce(let op): op
    case .argMax(let op): op
    case .softmax(let op): op
    case .resize(let op): op
    case .resample(let op): op
    case .gridSample(let op): op
    case .concat(let op): op
    case .slice(let op): op
    case .index(let op): op
    case .transpose(let op): op
    case .reshape(let op): op
    case .expand(let op): op
    case .matMul(let op): op
    }
  }
}

/// The shape and element type of a value, which are known before anything runs.
package struct ValueInfo: Equatable, Sendable {
  package var shape: Shape
  package var type: ElementType

  package init(_ shape: Shape, _ type: ElementType = .float32) {
    self.shape = shape
    self.type = type
  }
}
