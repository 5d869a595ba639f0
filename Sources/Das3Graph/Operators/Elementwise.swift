/// y = f(x), element by element.
package struct Unary: OperatorRules, Equatable {
  package enum Kind: Sendable {
    case relu, leakyRelu, elu, selu, clip, hardSigmoid, hardSwish, sigmoid, tanh, softplus, softsign
    case mish, erf, gelu, geluTanh, exp, log, sqrt, abs, negate, reciprocal, floor, ceil, round,
      sign, sin, cos
    case not, truncate, toBool
    /// Rounds half to even; its derivative is 1 (straight-through, Bengio et al., 2013).
    case quantize
  }

  package var kind: Kind
  /// Of leakyRelu and elu the slope, of selu α, of clip the lower bound, of hardSigmoid the factor.
  package var a: Float = 0
  /// Of selu γ, of clip the upper bound, of hardSigmoid the offset.
  package var b: Float = 0

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    switch kind {
    case .not, .toBool: ValueInfo(inputs[0].shape, .bool)
    case .truncate: ValueInfo(inputs[0].shape, .int64)
    default: inputs[0]
    }
  }

  var facts: OperatorFacts {
    .stage(
      .unary(self), placement: .always, smoothInputs: isDifferentiable ? .all : .none,
      derivative: .ofOtherSteps)
  }

  func lower(_ node: Graph.Node, by planner: inout Planner) { planner.lowerElementwise(node) }
}

extension Unary {
  var isDifferentiable: Bool {
    switch kind {
    case .floor, .ceil, .round, .sign, .not, .truncate, .toBool: false
    case .relu, .leakyRelu, .elu, .selu, .clip, .hardSigmoid, .hardSwish, .sigmoid, .tanh,
      .softplus, .softsign, .mish, .erf, .gelu, .geluTanh, .exp, .log, .sqrt, .abs, .negate,
      .reciprocal, .sin, .cos, .quantize:
      true
    }
  }

  /// Whether f′(x) follows from f(x).
  var isDerivedFromOutput: Bool {
    switch kind {
    case .relu, .clip, .sigmoid, .tanh, .exp, .sqrt: true
    case .leakyRelu, .elu: a > 0
    default: false
    }
  }
}

/// y = f(a, b), element by element, with multidirectional broadcasting.
package struct Binary: OperatorRules, Equatable {
  package enum Kind: Sendable {
    case add, subtract, multiply, divide, minimum, maximum, power, prelu
    /// `modulo` has the sign of the divisor (as in Python), `remainder` that of the dividend (as in
    /// C).
    case modulo, remainder
    case integerDivide
    case equal, less, greater, lessOrEqual, greaterOrEqual, and, or, xor
  }

  package var kind: Kind

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    guard let shape = inputs[0].shape.broadcast(with: inputs[1].shape) else {
      throw .shape("\(inputs[0].shape) and \(inputs[1].shape) do not broadcast")
    }
    switch kind {
    case .equal, .less, .greater, .lessOrEqual, .greaterOrEqual, .and, .or, .xor:
      return ValueInfo(shape, .bool)
    case .prelu where shape != inputs[0].shape:
      throw .shape("slope \(inputs[1].shape) does not broadcast to \(inputs[0].shape)")
    default: return ValueInfo(shape, inputs[0].type)
    }
  }

  var facts: OperatorFacts {
    .stage(
      .binary(kind), placement: .besideWholeInput,
      smoothInputs: kind.isDifferentiable ? .all : .none, derivative: .broadcast(reads: .all))
  }

  func lower(_ node: Graph.Node, by planner: inout Planner) { planner.lowerElementwise(node) }
}

extension Binary.Kind {
  var isDifferentiable: Bool {
    switch self {
    case .add, .subtract, .multiply, .divide, .minimum, .maximum, .power, .prelu, .modulo,
      .remainder:
      true
    case .integerDivide, .equal, .less, .greater, .lessOrEqual, .greaterOrEqual, .and, .or, .xor:
      false
    }
  }
}

/// y = condition ? a : b, element by element, with multidirectional broadcasting.
package struct Select: OperatorRules {
  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    guard let values = inputs[1].shape.broadcast(with: inputs[2].shape),
      let shape = values.broadcast(with: inputs[0].shape)
    else {
      throw .shape(
        "\(inputs[0].shape), \(inputs[1].shape) and \(inputs[2].shape) do not broadcast")
    }
    return ValueInfo(shape, inputs[1].type)
  }

  var facts: OperatorFacts {
    .kernel(
      spacing: .kept, placement: .never, smoothInputs: .only([1, 2]),
      derivative: .broadcast(reads: .only([0])))
  }

  func folded(_ inputs: [ConstantTensor], _ result: ValueInfo) -> ConstantTensor? {
    let condition = inputs[0].broadcast(to: result.shape).ints
    let (a, b) = (inputs[1].broadcast(to: result.shape), inputs[2].broadcast(to: result.shape))
    func chosen<T>(_ x: [T], _ y: [T]) -> [T] {
      condition.indices.map { condition[$0] != 0 ? x[$0] : y[$0] }
    }
    if case .ints(let x) = a.storage, case .ints(let y) = b.storage {
      return ConstantTensor(shape: result.shape, type: result.type, ints: chosen(x, y))
    }
    return ConstantTensor(shape: result.shape, floats: chosen(a.floats, b.floats))
  }

  func lower(_ node: Graph.Node, by planner: inout Planner) { planner.lowerBroadcast(node) }
}

extension GraphBuilder {
  static let elementwiseImporters: [String: Importer] = [
    "Relu": unary(.relu), "HardSwish": unary(.hardSwish), "Sigmoid": unary(.sigmoid),
    "Tanh": unary(.tanh), "Softplus": unary(.softplus), "Softsign": unary(.softsign),
    "Mish": unary(.mish), "Erf": unary(.erf), "Exp": unary(.exp), "Log": unary(.log),
    "Sqrt": unary(.sqrt), "Abs": unary(.abs), "Neg": unary(.negate),
    "Reciprocal": unary(.reciprocal), "Floor": unary(.floor), "Ceil": unary(.ceil),
    "Round": unary(.round), "Sign": unary(.sign), "Not": unary(.not), "Sin": unary(.sin),
    "Cos": unary(.cos),
    "LeakyRelu": unary(.leakyRelu, a: ("alpha", 0.01)), "Elu": unary(.elu, a: ("alpha", 1)),
    "Selu": unary(.selu, a: ("alpha", 1.6732632), b: ("gamma", 1.0507010)),
    "HardSigmoid": unary(.hardSigmoid, a: ("alpha", 0.2), b: ("beta", 0.5)),
    "Gelu": .ofInput { (builder, node, x) throws(Das3Error) in
      let kind: Unary.Kind
      switch try node.string("approximate", default: "none") {
      case "none": kind = .gelu
      case "tanh": kind = .geluTanh
      case let other: throw .format("approximate is '\(other)'; expected none or tanh")
      }
      return try builder.unary(kind, x)
    },
    "Clip": .ofInput(configuration: [1, 2]) { (builder, node, x) throws(Das3Error) in
      try builder.importClip(node, x)
    },
    "Cast": Importer { (builder, node) throws(Das3Error) in
      try builder.importCast(node, to: node.int("to", default: 0))
    },
    "CastLike": Importer { (builder, node) throws(Das3Error) in
      let example = try builder.input(node, 1)
      let type = builder.info(example).type
      return try builder.importCast(node, to: type == .float32 ? 1 : type == .bool ? 9 : 7)
    },
    "Add": binary(.add), "Sub": binary(.subtract), "Mul": binary(.multiply),
    "Pow": binary(.power), "PRelu": binary(.prelu, weights: [1]), "Equal": binary(.equal),
    "Less": binary(.less), "Greater": binary(.greater), "LessOrEqual": binary(.lessOrEqual),
    "GreaterOrEqual": binary(.greaterOrEqual), "And": binary(.and), "Or": binary(.or),
    "Xor": binary(.xor),
    "Div": Importer { (builder, node) throws(Das3Error) in
      let inputs = try builder.binaryInputs(node, .divide)
      let isFloat = inputs.contains { builder.info($0).type == .float32 }
      return try builder.emit(.binary(Binary(kind: isFloat ? .divide : .integerDivide)), inputs)
    },
    "Mod": Importer { (builder, node) throws(Das3Error) in
      let kind: Binary.Kind = try node.int("fmod", default: 0) != 0 ? .remainder : .modulo
      let inputs = try builder.inputs(node, 0..<2)
      return try builder.emit(.binary(Binary(kind: kind)), inputs)
    },
    "Min": variadic(.minimum), "Max": variadic(.maximum), "Sum": variadic(.add),
    "Mean": Importer { (builder, node) throws(Das3Error) in
      let sum = try builder.accumulate(node, .add)
      let count = builder.scalar(Float(node.inputs.count))
      return try builder.binary(.divide, sum, count)
    },
    "Where": Importer { (builder, node) throws(Das3Error) in
      try builder.emit(.select(Select()), builder.inputs(node, 0..<3))
    },
  ]

  private static func unary(
    _ kind: Unary.Kind, a: (name: String, fallback: Float)? = nil,
    b: (name: String, fallback: Float)? = nil
  ) -> Importer {
    .ofInput { (builder, node, x) throws(Das3Error) in
      var operation = Unary(kind: kind)
      if let a { operation.a = try node.float(a.name, default: a.fallback) }
      if let b { operation.b = try node.float(b.name, default: b.fallback) }
      return try builder.emit(.unary(operation), [x])
    }
  }

  private static func binary(_ kind: Binary.Kind, weights: Set<Int> = []) -> Importer {
    Importer(weights: weights) { (builder, node) throws(Das3Error) in
      let inputs = try builder.binaryInputs(node, kind)
      return try builder.emit(.binary(Binary(kind: kind)), inputs)
    }
  }

  /// The two inputs.
  ///
  /// Before opset 7 an attribute aligned the second one, and a slope belonged to channels; it is
  /// reshaped here.
  private mutating func binaryInputs(_ node: Node, _ kind: Binary.Kind)
    throws(Das3Error) -> [ValueID]
  {
    var inputs = try inputs(node, 0..<2)
    guard model.opset < 7 else { return inputs }
    let (a, b) = (shape(inputs[0]), shape(inputs[1]))
    let isSlope = kind == .prelu && b.rank == 1
    let stated = try node.int("axis", default: isSlope ? 1 : a.rank - b.rank)
    let axis = b.rank == 0 || a == b ? a.rank - b.rank : try a.axis(stated)
    guard axis + b.rank <= a.rank else { throw .shape("\(b) at axis \(axis) of \(a)") }
    let missing = a.rank - axis - b.rank
    inputs[1] = try reshape(inputs[1], b.dims + [Int](repeating: 1, count: missing))
    return inputs
  }

  private static func variadic(_ kind: Binary.Kind) -> Importer {
    Importer { (builder, node) throws(Das3Error) in try builder.accumulate(node, kind) }
  }

  private mutating func accumulate(_ node: Node, _ kind: Binary.Kind) throws(Das3Error) -> ValueID {
    var result = try input(node, 0)
    for index in 1..<max(1, node.inputs.count) {
      result = try binary(kind, result, input(node, index))
    }
    return result
  }

  private mutating func importClip(_ node: Node, _ x: ValueID) throws(Das3Error) -> ValueID {
    func bound(_ name: String, _ index: Int, _ fallback: Float) throws(Das3Error) -> Float {
      if node.attributes[name] != nil { return try node.float(name, default: fallback) }
      guard let tensor = try configuration(node, index, name) else { return fallback }
      guard let value = tensor.floats.first, tensor.floats.count == 1 else {
        throw .shape("\(name) is \(tensor.shape); expected a scalar")
      }
      return value
    }
    let low = try bound("min", 1, -.greatestFiniteMagnitude)
    let high = try bound("max", 2, .greatestFiniteMagnitude)
    return try unary(.clip, x, a: low, b: high)
  }

  private mutating func importCast(_ node: Node, to type: Int) throws(Das3Error) -> ValueID {
    let x = try input(node, 0)
    // Everything is computed in float32, so only the meaning of the elements changes.
    func reading(as type: ElementType) throws(Das3Error) -> ValueID {
      let same = info(x).type == type
      return try same ? x : emit(.reshape(Reshape(shape: shape(x), type: type)), [x])
    }
    switch (type, info(x).type) {
    case (1, _), (10, _), (11, _), (16, _): return try reading(as: .float32)
    case (6, .float32), (7, .float32): return try unary(.truncate, x)
    case (6, _), (7, _): return try reading(as: .int64)
    case (9, .bool): return x
    case (9, _): return try unary(.toBool, x)
    default:
      throw .unsupported("cast to element type \(type); expected a float, int32, int64 or bool")
    }
  }
}
