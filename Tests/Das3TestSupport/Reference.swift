/// A tensor of doubles, row-major: what the reference computes with.
package struct ReferenceTensor: Sendable {
  package var dims: [Int]
  package var values: [Double]
  /// Integers and booleans divide and convert differently.
  package var isInteger = false

  package init(_ dims: [Int], _ values: [Double], isInteger: Bool = false) {
    precondition(values.count == dims.reduce(1, *), "\(values.count) values for \(dims)")
    self.dims = dims
    self.values = values
    self.isInteger = isInteger
  }

  /// Asks `body` for every element, in row-major order.
  init(_ dims: [Int], isInteger: Bool = false, _ body: ([Int]) -> Double) {
    self.dims = dims
    self.isInteger = isInteger
    let count = dims.reduce(1, *)
    var index = [Int](repeating: 0, count: dims.count)
    values = []
    values.reserveCapacity(count)
    for _ in 0..<count {
      values.append(body(index))
      for axis in dims.indices.reversed() {
        index[axis] += 1
        if index[axis] < dims[axis] { break }
        index[axis] = 0
      }
    }
  }

  /// Exporters write the largest integer for "to the end".
  var ints: [Int] { values.map { Int(min(max($0, -1e18), 1e18)) } }

  func position(_ index: [Int]) -> Int {
    zip(index, dims).reduce(0) { $0 * $1.1 + $1.0 }
  }

  subscript(index: [Int]) -> Double {
    get { values[position(index)] }
    set { values[position(index)] = newValue }
  }

  /// The element that broadcasting puts at `index` of a larger tensor.
  func broadcast(at index: [Int]) -> Double {
    let own = index.suffix(dims.count)
    return self[zip(own, dims).map { $1 == 1 ? 0 : $0 }]
  }

  /// All elements of a larger tensor.
  func broadcast(to dims: [Int]) -> [Double] {
    if dims == self.dims { return values }
    return ReferenceTensor(dims) { broadcast(at: $0) }.values
  }

  func map(isInteger: Bool? = nil, _ body: (Double) -> Double) -> ReferenceTensor {
    ReferenceTensor(dims, values.map(body), isInteger: isInteger ?? self.isInteger)
  }

  func reshaped(_ dims: [Int]) -> ReferenceTensor {
    ReferenceTensor(dims, values, isInteger: isInteger)
  }

  /// The shape that all broadcast to.
  static func broadcastDims(_ all: [[Int]]) -> [Int] {
    let rank = all.map(\.count).max() ?? 0
    return (0..<rank).map { axis in
      let sizes = all.compactMap { dims in
        axis + dims.count < rank ? nil : dims[axis + dims.count - rank]
      }
      return sizes.first { $0 != 1 } ?? 1
    }
  }
}

/// One ONNX node with the values of its inputs.
struct ReferenceNode {
  let node: OnnxWriter.Node
  let opset: Int
  let inputs: [ReferenceTensor?]

  var outputCount: Int { node.outputs.count }
  var x: ReferenceTensor { self[0] }

  /// A required input.
  subscript(index: Int) -> ReferenceTensor {
    guard let tensor = optional(index) else {
      preconditionFailure("\(node.opType) has no input \(index)")
    }
    return tensor
  }

  func optional(_ index: Int) -> ReferenceTensor? {
    index < inputs.count ? inputs[index] : nil
  }

  func attribute(_ name: String) -> OnnxWriter.Attribute? {
    node.attributes.first { $0.name == name }?.value
  }

  func int(_ name: String, _ fallback: Int) -> Int {
    if case .int(let value)? = attribute(name) { value } else { fallback }
  }

  func ints(_ name: String) -> [Int]? {
    if case .ints(let values)? = attribute(name) { values } else { nil }
  }

  /// Ints from an attribute (older opsets) or an input.
  func ints(_ name: String, orInput index: Int) -> [Int]? {
    ints(name) ?? optional(index)?.ints
  }

  func float(_ name: String, _ fallback: Float) -> Double {
    if case .float(let value)? = attribute(name) { Double(value) } else { Double(fallback) }
  }

  func floats(_ name: String) -> [Double]? {
    if case .floats(let values)? = attribute(name) { values.map { Double($0) } } else { nil }
  }

  func string(_ name: String, _ fallback: String) -> String {
    if case .string(let value)? = attribute(name) { value } else { fallback }
  }

  /// An axis attribute with negative ones counted from the end.
  func axis(_ fallback: Int, rank: Int) -> Int {
    let axis = int("axis", fallback)
    return axis < 0 ? axis + rank : axis
  }
}

/// ONNX operators by their definition: plain loops in double, nothing shared with the library.
package enum Reference {
  typealias Body = @Sendable (ReferenceNode) -> [ReferenceTensor]

  package enum Failure: Error { case unknownOperator(String), unknownValue(String) }

  static let operators: [String: Body] = [
    windows, normalizations, unaries, binaries, reductions, movements, resizes, samplings, products,
    shapes,
  ].reduce(into: [:]) { $0.merge($1) { first, _ in first } }

  /// Runs the nodes in order; `values` holds the inputs by name.
  package static func run(
    _ nodes: [OnnxWriter.Node], opset: Int, _ values: [String: ReferenceTensor],
    outputs: [String]
  ) throws -> [ReferenceTensor] {
    var values = values
    func value(_ name: String) throws -> ReferenceTensor {
      guard let tensor = values[name] else { throw Failure.unknownValue(name) }
      return tensor
    }
    for node in nodes {
      guard let body = operators[node.opType] else { throw Failure.unknownOperator(node.opType) }
      let inputs = try node.inputs.map { $0.isEmpty ? nil : try value($0) }
      let results = body(ReferenceNode(node: node, opset: opset, inputs: inputs))
      for (name, result) in zip(node.outputs, results) { values[name] = result }
    }
    return try outputs.map(value)
  }
}
