extension OperatorCase {
  // MARK: One operand

  private static let smoothFunctions: [(String, Attributes, Int)] = [
    ("Relu", [:], 17), ("LeakyRelu", ["alpha": .float(0.3)], 17), ("LeakyRelu", [:], 17),
    ("Elu", ["alpha": .float(1.7)], 17), ("Selu", [:], 17),
    ("Selu", ["alpha": .float(2), "gamma": .float(0.5)], 17), ("HardSigmoid", [:], 17),
    ("HardSigmoid", ["alpha": .float(0.5), "beta": .float(0.25)], 17), ("HardSwish", [:], 17),
    ("Sigmoid", [:], 17), ("Tanh", [:], 17), ("Softplus", [:], 17), ("Softsign", [:], 17),
    ("Mish", [:], 18), ("Erf", [:], 17), ("Gelu", [:], 20),
    ("Gelu", ["approximate": .string("tanh")], 20), ("Exp", [:], 17), ("Abs", [:], 17),
    ("Neg", [:], 17), ("Floor", [:], 17), ("Ceil", [:], 17), ("Round", [:], 17), ("Sign", [:], 17),
    ("Sin", [:], 17), ("Cos", [:], 17),
    ("Cast", ["to": .int(7)], 17), ("Cast", ["to": .int(9)], 17), ("Cast", ["to": .int(1)], 17),
  ]
  /// Where polynomials, overflow and rounding change their ways.
  private static let edges: [Float] = [
    0, -0.0, 1e-30, -1e-30, 1e-6, -1e-6, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 0.49999997, 3, -3, 6, -6,
    9, -9, 17, -17, 20.1, -20.1, 30, -30, 87, -87, 88.5, -88.5, 100, -100, 8_388_609, -8_388_609,
    1e10, -1e10, 1e18,
  ]
  private static let infinities: [Float] = [.infinity, -.infinity, 1e38, -1e38]
  /// Those whose limits are numbers, and those that go to ±∞.
  private static let limitFunctions: Set<String> = [
    "Relu", "LeakyRelu", "Elu", "Selu", "HardSigmoid", "Sigmoid", "Tanh", "Softplus", "Erf",
    "Exp", "Abs", "Neg", "Floor", "Ceil", "Sign",
  ]

  static let unaryCases: [OperatorCase] = [
    functions, positive, clips, viewed.inContexts(Context.allCases), [inverted],
  ].flatMap(\.self)

  private static let functions: [OperatorCase] = smoothFunctions.flatMap {
    (opType, attributes, opset) -> [OperatorCase] in
    var title = opType.lowercased()
    for (name, value) in attributes.sorted(by: { $0.key < $1.key }) {
      title += " \(name) \(text(value))"
    }
    var inputs: [(String, Input)] = [
      ("", .frame([2, 5, 7, 9], -5...5)), ("", .frame([3, 37], -1...1)),
      (" at edges", .frame([edges.count], floats: edges)),
    ]
    if limitFunctions.contains(opType) {
      inputs.append((" at infinity", .frame([4], floats: infinities)))
    }
    return inputs.map {
      OperatorCase(title + $0.0, opType, opset: opset, [$0.1], attributes, .function)
    }
  }

  private static let positive: [OperatorCase] = ["Log", "Sqrt", "Reciprocal"].flatMap {
    (opType) -> [OperatorCase] in
    let edges: [Float] = [1, 1e-30, 1e30, 0.99999994, 1.0000001, .infinity, 2, 1e-38]
    return [
      OperatorCase(opType.lowercased(), opType, [.frame([2, 5, 7, 9], 0.01...5)], .function),
      OperatorCase(
        opType.lowercased() + " at edges", opType, [.frame([8], floats: edges)], .function),
    ]
  }

  private static let viewed: [OperatorCase] = [
    OperatorCase("erf again", "Erf", [.frame([2, 5, 7, 9], -5...5)], .function),
    OperatorCase("log again", "Log", [.frame([2, 5, 7, 9], 0.1...5)], .function),
  ]

  private static let inverted = OperatorCase(
    "not of a comparison 2×3×5×4",
    inputs: [.frame([2, 3, 5, 4]).named("x"), .scalar(0).named("zero")],
    nodes: [
      node("Greater", ["x", "zero"], "a"), node("Not", ["a"], "b"),
      node("Cast", ["b"], "y", ["to": .int(1)]),
    ], .moved)

  private static let clips: [OperatorCase] = [
    OperatorCase(
      "clip -0.5..0.25", "Clip", [.frame([2, 5, 3, 7]), .scalar(-0.5), .scalar(0.25)], .moved),
    OperatorCase("clip ..0.25", "Clip", [.frame([2, 5, 3, 7]), .none, .scalar(0.25)], .moved),
    OperatorCase("clip 0..", "Clip", [.frame([2, 5, 3, 7]), .scalar(0)], .moved),
    OperatorCase("clip", "Clip", [.frame([2, 5, 3, 7])], .moved),
    OperatorCase(
      "clip opset 6 0..6", "Clip", opset: 9, [.frame([2, 5, 3, 7], -8...8)],
      ["min": .float(0), "max": .float(6)], .moved),
    OperatorCase(
      "clip of infinity", "Clip", [.frame([4], floats: [.infinity, -.infinity, 1, -1])], .moved),
  ]

  /// An attribute as names of cases show it.
  static func text(_ attribute: OnnxWriter.Attribute?) -> String {
    switch attribute {
    case .ints(let values)?: values.map(String.init).joined(separator: ",")
    case .int(let value)?: "\(value)"
    case .float(let value)?: "\(value)"
    case .string(let value)?: value
    default: ""
    }
  }

  // MARK: Two operands and more

  /// Shapes that broadcast in every way an exporter writes.
  private static let pairs: [([Int], [Int])] = [
    ([2, 6, 5, 7], [2, 6, 5, 7]), ([2, 6, 5, 7], []), ([2, 6, 5, 7], [1]),
    ([2, 6, 5, 7], [6, 1, 1]),
    ([2, 6, 5, 7], [1, 6, 1, 1]), ([2, 6, 5, 7], [7]), ([2, 6, 5, 7], [5, 1]),
    ([2, 6, 5, 7], [2, 1, 1, 1]), ([2, 6, 5, 7], [2, 6, 1, 1]), ([2, 6, 5, 7], [2, 1, 5, 7]),
    ([2, 6, 5, 7], [1, 6, 5, 7]), ([2, 6, 5, 7], [6, 5, 7]), ([2, 6, 1, 7], [1, 1, 5, 7]),
    ([2, 1, 5, 1], [6, 1, 7]), ([1, 6, 1, 1], [2, 1, 5, 7]), ([6, 1], [2, 1, 7]), ([9, 11], [11]),
    ([9, 11], [9, 1]), ([2, 3, 11], [1, 1, 11]), ([1, 1, 5, 7], [1, 1, 5, 7]), ([7], [7]),
    ([2, 3, 2, 3, 2], [3, 1, 3, 1]), ([1, 16, 9, 1], [1, 16, 1, 9]), ([], []),
  ]

  static let binaryCases: [OperatorCase] = [
    broadcasts, operations, slopes, variadic, choices, integers, remainders, logic,
    casts,
    Array(
      [binary("Mul", [2, 6, 5, 7], [6, 1, 1], secondIs: .frame, .rounded)]
        .inContexts(Context.allCases).dropFirst()),
  ].flatMap(\.self)

  private static let broadcasts: [OperatorCase] = pairs.flatMap { (a, b) -> [OperatorCase] in
    (a == b ? [(a, b)] : [(a, b), (b, a)]).flatMap { left, right in
      [Role.frame, .weight].map { binary("Sub", left, right, secondIs: $0, .rounded) }
    }
  }

  private static let operations: [OperatorCase] = arithmetic.flatMap {
    (opType, range, tolerance) -> [OperatorCase] in
    let image = [2, 6, 5, 7]
    let shapes: [([Int], [Int])] = [
      (image, image), (image, [6, 1, 1]), ([6, 1, 1], image), (image, [7]), ([5, 1], image),
      ([2, 1, 5, 1], [6, 1, 7]),
    ]
    return shapes.map { binary(opType, $0.0, $0.1, range, secondIs: .frame, tolerance) }
  }

  private static let arithmetic: [(String, ClosedRange<Float>, Tolerance)] = [
    ("Add", -1...1, .rounded), ("Mul", -1...1, .rounded), ("Div", 0.5...2, .rounded),
    ("Pow", 0.2...3, .function), ("Min", -1...1, .moved), ("Max", -1...1, .moved),
    ("Equal", -1...1, .moved), ("Less", -1...1, .moved), ("Greater", -1...1, .moved),
    ("LessOrEqual", -1...1, .moved), ("GreaterOrEqual", -1...1, .moved),
  ]

  private static func binary(
    _ opType: String, _ a: [Int], _ b: [Int], _ range: ClosedRange<Float> = -1...1,
    secondIs role: Role, _ tolerance: Tolerance
  ) -> OperatorCase {
    let shape = b.isEmpty ? "scalar" : b.map(String.init).joined(separator: "×")
    return OperatorCase(
      "\(opType.lowercased()) with \(role == .weight ? "weight " : "")\(shape) of", opType,
      [.frame(a, range), Input(dims: b, role: role, values: .uniform(range))], tolerance)
  }

  private static let slopes: [OperatorCase] = {
    let shapes = [[1], [6, 1, 1], [1, 6, 1, 1], [6, 5, 7], [7]]
    var cases = shapes.flatMap { (slope) -> [OperatorCase] in
      let shape = slope.map(String.init).joined(separator: "×")
      let x = Input.frame([2, 6, 5, 7])
      return [
        OperatorCase("prelu slope \(shape)", "PRelu", [x, .weight(slope)], .rounded),
        OperatorCase("prelu slope at run time \(shape)", "PRelu", [x, .frame(slope)], .rounded),
      ]
    }
    cases.append(OperatorCase("prelu slope 4", "PRelu", [.frame([3, 4]), .weight([4])], .rounded))
    let limits: [Float] = [.infinity, -.infinity, 0, -1]
    cases.append(
      OperatorCase(
        "prelu at infinity", "PRelu", [.frame([4], floats: limits), .weight([1], 0.1...0.2)],
        .rounded))
    return cases
  }()

  private static let variadic: [OperatorCase] = ["Min", "Max", "Sum", "Mean"].flatMap {
    (opType) -> [OperatorCase] in
    let inputs: [Input] = [.frame([2, 6, 5, 7]), .frame([6, 1, 1]), .weight([2, 1, 5, 7])]
    let tolerance = Tolerance(absolute: 2e-7, relative: 2e-7, "two additions")
    return [
      OperatorCase("\(opType.lowercased()) of 3", opType, inputs, tolerance),
      OperatorCase("\(opType.lowercased()) of 1", opType, [.frame([2, 3, 5])], .rounded),
    ]
  }

  private static let conditions: [([Int], [Int], [Int])] = [
    ([2, 6, 5, 7], [2, 6, 5, 7], [2, 6, 5, 7]), ([2, 6, 5, 7], [1], [2, 6, 5, 7]),
    ([1, 1, 5, 7], [2, 6, 5, 7], [6, 1, 1]), ([6, 1, 1], [2, 1, 5, 7], [7]), ([], [3, 4], [4]),
  ]

  private static let choices: [OperatorCase] = conditions.map { condition, a, b in
    OperatorCase(
      "where \(condition) \(a) \(b)",
      inputs: [
        .frame(condition).named("c"), .frame(a).named("a"), .frame(b).named("b"),
        .scalar(0.1).named("limit"),
      ],
      nodes: [node("Less", ["c", "limit"], "m"), node("Where", ["m", "a", "b"], "y")], .moved)
  }

  private static let integerOperations: [(String, Attributes)] = [
    ("Mod", [:]), ("Mod", ["fmod": .int(1)]), ("Div", [:]), ("Mul", [:]),
  ]

  private static let integers: [OperatorCase] =
    integerOperations.map { opType, attributes in
      OperatorCase(
        "\(opType.lowercased()) of integers\(attributes.isEmpty ? "" : " fmod") 2×3×5×4",
        inputs: [
          .frame([2, 3, 5, 4], -20...20).named("x"), .ints([3, 1, 1], [7, -3, 2]).named("k"),
        ],
        nodes: [
          node("Cast", ["x"], "i", ["to": .int(7)]), node(opType, ["i", "k"], "j", attributes),
          node("Cast", ["j"], "y", ["to": .int(1)]),
        ], .moved)
    }

  private static let remainders: [OperatorCase] = [
    [3, 1, 1], [5, 1], [4], [1], [2, 3, 5, 4], [2, 1, 5, 1],
  ].map { divisor in
    OperatorCase(
      "mod fmod of floats by \(divisor)", "Mod",
      [.frame([2, 3, 5, 4], -9...9), .frame(divisor, 1...2)], ["fmod": .int(1)], .function)
  }

  private static let logic: [OperatorCase] = ["And", "Or", "Xor"].map { opType in
    OperatorCase(
      "\(opType.lowercased()) 2×3×5×4",
      inputs: [
        .frame([2, 3, 5, 4]).named("x"), .frame([3, 1, 4]).named("k"), .scalar(0).named("zero"),
      ],
      nodes: [
        node("Greater", ["x", "zero"], "a"), node("Less", ["k", "zero"], "b"),
        node(opType, ["a", "b"], "c"), node("Cast", ["c"], "y", ["to": .int(1)]),
      ], .moved)
  }

  /// What follows depends on the type that a cast gives.
  private static let casts: [OperatorCase] = [
    (
      "quotient of counts",
      [
        node("Cast", ["b"], "f", ["to": .int(1)]), node("ReduceSum", ["f", "axes"], "s"),
        node("Div", ["f", "s"], "y"),
      ]
    ),
    (
      "quotient of positions",
      [
        node("ArgMax", ["x"], "i", ["axis": .int(1)]), node("Cast", ["i"], "f", ["to": .int(1)]),
        node("ReduceMax", ["f"], "most"), node("Div", ["f", "most"], "y"),
      ]
    ),
    (
      "float of a bool to integer",
      [
        node("Cast", ["b"], "f", ["to": .int(1)]), node("Mul", ["f", "factor"], "g"),
        node("Cast", ["g"], "y", ["to": .int(7)]),
      ]
    ),
    (
      "sum of integers to bool",
      [
        node("Cast", ["b"], "i", ["to": .int(7)]), node("Add", ["i", "i"], "s"),
        node("Cast", ["s"], "y", ["to": .int(9)]),
      ]
    ),
    ("like integers", [node("CastLike", ["x", "axes"], "y")]),
  ].map { (title: String, nodes: [Node]) in
    OperatorCase(
      "cast \(title) 2×3×5×4",
      inputs: [
        .frame([2, 3, 5, 4], -9...9).named("x"), .scalar(0).named("zero"),
        .scalar(1.5).named("factor"), .ints([2, 3]).named("axes"),
      ],
      nodes: [node("Greater", ["x", "zero"], "b")] + nodes, .rounded)
  }
}
