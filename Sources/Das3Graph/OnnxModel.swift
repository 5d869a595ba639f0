/// An ONNX file as Swift values: nodes, constants, and parameters with their weights.
///
/// It does not depend on the input size. Copies share their memory.
package struct OnnxModel: Sendable {
  package enum Attribute: Equatable, Sendable {
    case float(Float)
    case int(Int)
    case string(String)
    case tensor(ConstantTensor)
    case floats([Float])
    case ints([Int])
    case strings([String])
    case block(Block)
    /// In a function: the value of the attribute with this name of the calling node.
    case reference(String)
    /// A kind that no supported operator has.
    case other
  }

  /// A list of nodes with inputs and outputs: a branch of an `If`, or a function of the model.
  package struct Block: Equatable, Sendable {
    package let inputs: [String]
    package let outputs: [String]
    /// Initialisers of the block are Constant nodes here.
    package let nodes: [Node]
  }

  package struct Node: Equatable, Sendable {
    package let name: String
    package let opType: String
    package let domain: String
    /// The name is "" where an optional input is left out.
    package let inputs: [String]
    package let outputs: [String]
    package let attributes: [String: Attribute]

    /// The name of the node in messages: the operator, and the name or else the first output.
    package var place: String {
      "\(opType) '\(name.isEmpty ? outputs.first ?? "" : name)'"
    }
  }

  /// A graph input or output as the file declares it; nil sizes are open, nil `dims` is an open rank.
  package struct Port: Sendable {
    package let name: String
    package let isFloat: Bool
    package let dims: [Int?]?
  }

  /// One tensor of the flat weight vector.
  package struct Parameter: Sendable {
    package let name: String
    package let shape: Shape
    /// First element in the flat vector.
    package let offset: Int
    /// It is a running mean or variance of a BatchNormalization, which no gradient trains.
    package let isStatistic: Bool
    /// Its encoding in the file.
    ///
    /// 16 bits do not hold small changes.
    package var storage = Storage.wide

    package enum Storage: Sendable {
      case wide, float16, bfloat16

      /// The value that is read back after `value` has been written.
      func rounded(_ value: Float) -> Float {
        switch self {
        case .wide: return value
        case .float16: return Float(Float16(value))
        case .bfloat16:
          let bits = value.bitPattern
          guard value.isFinite else { return value }
          return Float(bitPattern: (bits &+ 0x7fff &+ (bits >> 16 & 1)) & 0xffff_0000)
        }
      }
    }
  }

  package let nodes: [Node]
  package let inputs: [Port]
  package let outputs: [Port]
  package let opset: Int
  package let irVersion: Int
  package let producer: String
  package let metadata: [String: String]
  /// The number of nodes in the file, including Constant nodes.
  package let nodeCount: Int
  /// Initialisers that are not parameters: configuration and shape arithmetic.
  package let constants: [String: ConstantTensor]
  package private(set) var parameters: [Parameter]
  package let parameterIndex: [String: Int]
  /// The values of all parameters, one after the other, each row-major.
  package private(set) var weights: [Float]
  /// The number of parameters that the file stores as integers with scales.
  package let quantizedCount: Int
  /// The file without its weights.
  let source: OnnxSource
  /// The SHA-256 of the file.
  let sourceHash: String
  /// Where the weights come from; nil where they are those of the file.
  package private(set) var provenance: Provenance? = nil
  /// The weights of the file, where the present ones differ and some are stored in 16 bits.
  private(set) var fileWeights: [Float]? = nil

  /// The same graph with other weights; everything but the weights is shared.
  ///
  /// - Throws: `.argument` where the number of weights is not that of the model.
  package func with(weights: [Float], provenance: Provenance) throws(Das3Error) -> OnnxModel {
    guard weights.count == self.weights.count else {
      throw .argument(
        "\(weights.count) parameter values are given; the model has \(self.weights.count)")
    }
    var result = self
    result.weights = weights
    result.provenance = provenance
    let isNarrow = parameters.contains { $0.storage != .wide }
    result.fileWeights = isNarrow ? fileWeights ?? self.weights : nil
    return result
  }

  /// The same model with copies of some of its parameters after all others.
  ///
  /// No file holds them: such a model can be trained, and is never saved.
  func appendingCopies(of indices: [Int]) -> OnnxModel {
    var result = self
    for index in indices {
      let original = parameters[index]
      result.parameters.append(
        Parameter(
          name: original.name, shape: original.shape, offset: result.weights.count,
          isStatistic: original.isStatistic))
      result.weights += value(of: original).floats
    }
    return result
  }

  /// The share of the changed weights that saving sets back to the value in the file, because 16
  /// bits do not hold so small a change.
  package var shareLostInSaving: Double {
    guard let fileWeights else { return 0 }
    var (changed, lost) = (0, 0)
    for parameter in parameters {
      for index in parameter.offset..<parameter.offset + parameter.shape.elementCount
      where weights[index] != fileWeights[index] {
        changed += 1
        if parameter.storage.rounded(weights[index]) == fileWeights[index] { lost += 1 }
      }
    }
    return changed == 0 ? 0 : Double(lost) / Double(changed)
  }

  /// The value of a parameter, for operators that need it while the graph is made.
  func value(of parameter: Parameter) -> ConstantTensor {
    let range = parameter.offset..<parameter.offset + parameter.shape.elementCount
    return ConstantTensor(shape: parameter.shape, floats: Array(weights[range]))
  }
}

extension OnnxModel.Node {
  package func int(_ name: String, default fallback: Int) throws(Das3Error) -> Int {
    try read(name, "an integer") { if case .int(let value) = $0 { value } else { nil } } ?? fallback
  }

  package func ints(_ name: String) throws(Das3Error) -> [Int]? {
    try read(name, "integers") { if case .ints(let value) = $0 { value } else { nil } }
  }

  package func float(_ name: String, default fallback: Float) throws(Das3Error) -> Float {
    try read(name, "a float") { if case .float(let value) = $0 { value } else { nil } } ?? fallback
  }

  package func floats(_ name: String) throws(Das3Error) -> [Float]? {
    try read(name, "floats") { if case .floats(let value) = $0 { value } else { nil } }
  }

  package func string(_ name: String, default fallback: String) throws(Das3Error) -> String {
    try read(name, "a string") { if case .string(let value) = $0 { value } else { nil } }
      ?? fallback
  }

  private func read<T>(
    _ name: String, _ expected: String, _ value: (OnnxModel.Attribute) -> T?
  ) throws(Das3Error) -> T? {
    guard let attribute = attributes[name] else { return nil }
    guard let value = value(attribute) else {
      throw .format("attribute '\(name)' is not \(expected)")
    }
    return value
  }
}
