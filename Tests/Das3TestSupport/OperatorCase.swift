import Testing

/// One small graph and its inputs: what forward tests, gradient checks and benchmarks run.
///
/// Values are made from the name, so they are the same everywhere.
package struct OperatorCase: Sendable, CustomTestStringConvertible {
  /// How an input comes to the graph.
  package enum Role: Sendable {
    /// At run time.
    case frame
    /// As an initialiser: part of the weight vector.
    case weight
    /// As an initialiser that the graph must know: shapes, axes, scales.
    case configuration
  }

  package enum Values: Sendable {
    case uniform(ClosedRange<Float>)
    case floats([Float])
    case ints([Int])
    /// Of an ONNX type of integers.
    case typed([Int], type: Int)
  }

  package struct Input: Sendable {
    package var name = ""
    package var dims: [Int]
    package var role: Role
    package var values: Values

    package static func frame(_ dims: [Int], _ range: ClosedRange<Float> = -1...1) -> Self {
      Self(dims: dims, role: .frame, values: .uniform(range))
    }
    package static func frame(_ dims: [Int], floats: [Float]) -> Self {
      Self(dims: dims, role: .frame, values: .floats(floats))
    }
    package static func weight(_ dims: [Int], _ range: ClosedRange<Float> = -1...1) -> Self {
      Self(dims: dims, role: .weight, values: .uniform(range))
    }
    package static func weight(_ dims: [Int], floats: [Float]) -> Self {
      Self(dims: dims, role: .weight, values: .floats(floats))
    }
    package static func ints(_ values: [Int]) -> Self {
      Self(dims: [values.count], role: .configuration, values: .ints(values))
    }
    package static func ints(_ dims: [Int], _ values: [Int]) -> Self {
      Self(dims: dims, role: .configuration, values: .ints(values))
    }
    package static func typed(_ dims: [Int], _ values: [Int], type: Int) -> Self {
      Self(dims: dims, role: .configuration, values: .typed(values, type: type))
    }
    package static func floats(_ values: [Float]) -> Self {
      Self(dims: [values.count], role: .configuration, values: .floats(values))
    }
    package static func scalar(_ value: Float) -> Self {
      Self(dims: [], role: .configuration, values: .floats([value]))
    }
    /// An optional input that is left out.
    package static let none = Self(dims: [], role: .configuration, values: .ints([]))

    var isLeftOut: Bool {
      if case .ints(let values) = values { dims.isEmpty && values.isEmpty } else { false }
    }

    package func named(_ name: String) -> Self {
      var input = self
      input.name = name
      return input
    }
  }

  /// |y − reference| ≤ absolute · (largest |reference|) + relative · |reference|.
  package struct Tolerance: Sendable {
    package var absolute: Double
    package var relative: Double
    package var reason: String

    package init(absolute: Double, relative: Double, _ reason: String) {
      self.absolute = absolute
      self.relative = relative
      self.reason = reason
    }

    package static let moved = Self(
      absolute: .leastNonzeroMagnitude, relative: .leastNonzeroMagnitude,
      "elements are moved or compared, not computed")
    package static let rounded = Self(
      absolute: .leastNormalMagnitude, relative: 2.5e-7, "a few roundings of float32, 6e-8 each")
    package static let function = Self(
      absolute: 3e-7, relative: 1e-6, "polynomials of some units in the last place")
    package static let sum = Self(
      absolute: 1e-6, relative: 1e-6, "hundreds of float32 terms of both signs, in any order")
    package static let filtered = Self(
      absolute: 3e-6, relative: 1e-6, "sums of values that Winograd's filtering rounds beforehand")
    package static let chain = Self(
      absolute: 5e-6, relative: 2e-6, "several sums and functions after each other")
  }

  package var name: String
  package var opset: Int
  package var inputs: [Input]
  package var nodes: [OnnxWriter.Node]
  package var outputs: [String]
  package var tolerance: Tolerance

  package var testDescription: String { name }

  /// A graph of several nodes; inputs must have names.
  package init(
    _ name: String, opset: Int = 17, inputs: [Input], nodes: [OnnxWriter.Node],
    outputs: [String] = ["y"], _ tolerance: Tolerance = .sum
  ) {
    self.name = name
    self.opset = opset
    self.inputs = inputs
    self.nodes = nodes
    self.outputs = outputs
    self.tolerance = tolerance
  }

  /// One node; the inputs are called x0, x1, … and the name ends with the first one's shape.
  package init(
    _ title: String, _ opType: String, opset: Int = 17, _ inputs: [Input],
    _ attributes: [String: OnnxWriter.Attribute], outputCount: Int = 1, _ tolerance: Tolerance
  ) {
    let named = inputs.enumerated().map { $1.named("x\($0)") }
    let outputs = outputCount == 1 ? ["y"] : (0..<outputCount).map { "y\($0)" }
    var node = OnnxWriter.Node(opType, named.map { $0.isLeftOut ? "" : $0.name }, outputs)
    node.attributes = attributes.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    let shape = inputs.first.map { $0.dims.map(String.init).joined(separator: "×") } ?? ""
    self.init(
      "\(title) \(shape)", opset: opset, inputs: named.filter { !$0.isLeftOut }, nodes: [node],
      outputs: outputs, tolerance)
  }

  /// One node without attributes.
  package init(
    _ title: String, _ opType: String, opset: Int = 17, _ inputs: [Input], outputCount: Int = 1,
    _ tolerance: Tolerance
  ) {
    self.init(title, opType, opset: opset, inputs, [:], outputCount: outputCount, tolerance)
  }

  // MARK: Values

  /// Values of every input, in the order of `inputs`.
  package var inputValues: [[Double]] {
    inputs.map { input in
      switch input.values {
      case .floats(let values): return values.map { Double($0) }
      case .ints(let values), .typed(let values, _): return values.map(Double.init)
      case .uniform(let range):
        // FNV-1a: a seed that depends on nothing but the names.
        let seed = "\(name)/\(input.name)".utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
          ($0 ^ UInt64($1)) &* 0x100_0000_01b3
        }
        var random = SplitMix64(seed: seed)
        return (0..<input.dims.reduce(1, *)).map { _ in
          Double(Float.random(in: range, using: &random))
        }
      }
    }
  }

  /// The outputs one after the other, computed in double by ONNX's definition.
  package func reference(_ values: [[Double]]) throws -> [Double] {
    try referenceTensors(values).flatMap(\.values)
  }

  package func referenceTensors(_ values: [[Double]]) throws -> [ReferenceTensor] {
    var tensors: [String: ReferenceTensor] = [:]
    for (input, values) in zip(inputs, values) {
      var isInteger = false
      if case .ints = input.values { isInteger = true }
      tensors[input.name] = ReferenceTensor(input.dims, values, isInteger: isInteger)
    }
    return try Reference.run(nodes, opset: opset, tensors, outputs: outputs)
  }
}
