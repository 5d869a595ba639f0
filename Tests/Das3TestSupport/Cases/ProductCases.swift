extension OperatorCase {
  static let productCases: [OperatorCase] =
    (matMuls + sparse + gemms + einsums).inContexts([.transposed, .cut, .followed])
    + [attention(isPreTransposed: false), attention(isPreTransposed: true), linearLayer, mixed]

  private static let pairs: [([Int], [Int])] = [
    ([5, 7], [7, 9]), ([1, 64], [64, 19]), ([33, 20], [20, 1]), ([2, 5, 7], [2, 7, 9]),
    ([2, 5, 7], [7, 9]), ([5, 7], [2, 7, 9]), ([2, 1, 5, 7], [3, 7, 4]),
    ([2, 3, 5, 8], [2, 3, 8, 5]),
    ([2, 3, 5, 8], [1, 3, 8, 6]), ([2, 3, 5, 8], [2, 1, 8, 6]), ([7], [7, 9]), ([5, 7], [7]),
    ([7], [7]), ([2, 5, 7], [7]), ([7], [2, 7, 3]), ([64, 48], [48, 80]), ([1, 1], [1, 1]),
    ([1, 3, 17, 40], [1, 3, 40, 17]),
  ]

  private static let matMuls: [OperatorCase] =
    pairs.flatMap { a, b in
      [Role.frame, .weight].map { role in
        OperatorCase(
          "matmul with \(role == .weight ? "weight " : "")\(b) of", "MatMul",
          [.frame(a), Input(dims: b, role: role, values: .uniform(-1...1))], .sum)
      }
    } + [
      OperatorCase("matmul of a weight", "MatMul", [.weight([6, 7]), .frame([2, 7, 5])], .sum)
    ]

  /// With a matrix that is known when the graph is made and has few other elements than 0.
  private static let sparse: [OperatorCase] = [
    (true, [2, 9, 5]), (true, [9, 4]), (true, [1, 3, 9, 17]), (false, [2, 5, 6]), (false, [5, 6]),
    (false, [1, 3, 7, 6]),
  ].map { (isLeft: Bool, dims: [Int]) in
    // Two elements a row, in a band.
    let values = (0..<54).map { n -> Float in
      let step = n % 9 - n / 9
      return step == 0 ? 0.75 : step == 1 ? -0.5 : 0
    }
    var band = OnnxWriter.Node("Constant", [], ["band"])
    band.attributes = [
      (name: "value", value: .tensor(OnnxTensor("", type: 1, [6, 9], .floats(values))))
    ]
    let shape = dims.map(String.init).joined(separator: "×")
    return OperatorCase(
      "matmul with a sparse matrix on the \(isLeft ? "left" : "right") of \(shape)",
      inputs: [Input.frame(dims).named("x")],
      nodes: [band, OnnxWriter.Node("MatMul", isLeft ? ["band", "x"] : ["x", "band"], ["y"])])
  }

  private static let gemms: [OperatorCase] = [
    (0, 0, 1, 1, [9]), (0, 1, 1, 1, [9]), (1, 0, 1, 1, [5, 9]), (1, 1, 0.5, 2, [5, 1]),
    (0, 1, 2, 0.25, []), (0, 0, -1, 0, [1, 9]), (0, 1, 0.5, 1, nil),
  ].flatMap { (turnsA: Int, turnsB: Int, alpha: Float, beta: Float, c: [Int]?) in
    [Role.frame, .weight].map { role in
      let title =
        "gemm \(turnsA)\(turnsB) alpha \(alpha) beta \(beta) C \(c.map { "\($0)" } ?? "none")"
      let b = Input(dims: turnsB == 0 ? [7, 9] : [9, 7], role: role, values: .uniform(-1...1))
      return OperatorCase(
        title + (role == .weight ? " of weights" : ""), "Gemm",
        [.frame(turnsA == 0 ? [5, 7] : [7, 5]), b]
          + (c.map { [Input(dims: $0, role: role, values: .uniform(-1...1))] } ?? []),
        [
          "transA": .int(turnsA), "transB": .int(turnsB), "alpha": .float(alpha),
          "beta": .float(beta),
        ], .sum)
    }
  }

  private static let einsums: [OperatorCase] = [
    ("ij,jk->ik", [[5, 7], [7, 4]]), ("bhid,bhjd->bhij", [[2, 3, 5, 8], [2, 3, 6, 8]]),
    ("bhij,bhjd->bhid", [[2, 3, 5, 6], [2, 3, 6, 4]]), ("bchw,oc->bohw", [[2, 6, 4, 3], [5, 6]]),
    ("nchw,nc->nhw", [[2, 6, 4, 3], [2, 6]]), ("ij->ji", [[3, 5]]), ("bchw->bc", [[2, 3, 4, 5]]),
    ("i,j->ij", [[4], [5]]), ("ij,ij->", [[3, 4], [3, 4]]), ("ij,jk", [[3, 4], [4, 5]]),
    ("bik,bjk->jbi", [[2, 3, 4], [2, 5, 4]]), ("ab,c->ca", [[2, 3], [4]]),
  ].map { (equation: String, shapes: [[Int]]) in
    OperatorCase(
      "einsum \(equation)", "Einsum", shapes.map { .frame($0) }, ["equation": .string(equation)],
      .sum)
  }

  /// Tokens of an image, heads apart, softmax(q·kᵀ / √d)·v, heads together, an image again.
  private static func attention(isPreTransposed: Bool) -> OperatorCase {
    let split: Attributes = ["perm": .ints(isPreTransposed ? [0, 2, 3, 1] : [0, 2, 1, 3])]
    return OperatorCase(
      "attention\(isPreTransposed ? " with keys turned at once" : "") 2×12×3×5",
      inputs: [
        .frame([2, 12, 3, 5]).named("x"), .weight([12, 12]).named("q.w"),
        .weight([12]).named("q.b"),
        .weight([12, 12]).named("k.w"), .weight([12, 12]).named("v.w"),
        .weight([12, 12]).named("o.w"),
        .ints([2, 12, 15]).named("tokens"), .ints([2, 15, 3, 4]).named("heads"),
        .ints([2, 15, 12]).named("joined"), .ints([2, 12, 3, 5]).named("image"),
        .scalar(0.5).named("scale"),
      ],
      nodes: [
        node("Reshape", ["x", "tokens"], "a"),
        node("Transpose", ["a"], "t", ["perm": .ints([0, 2, 1])]),
        node("MatMul", ["t", "q.w"], "q0"), node("Add", ["q.b", "q0"], "q1"),
        node("Reshape", ["q1", "heads"], "q2"),
        node("Transpose", ["q2"], "q", ["perm": .ints([0, 2, 1, 3])]),
        node("MatMul", ["t", "k.w"], "k0"), node("Reshape", ["k0", "heads"], "k1"),
        node("Transpose", ["k1"], isPreTransposed ? "k" : "k2", split),
      ] + (isPreTransposed ? [] : [node("Transpose", ["k2"], "k", ["perm": .ints([0, 1, 3, 2])])])
        + [
          node("MatMul", ["t", "v.w"], "v0"), node("Reshape", ["v0", "heads"], "v1"),
          node("Transpose", ["v1"], "v", ["perm": .ints([0, 2, 1, 3])]),
          node("MatMul", ["q", "k"], "s0"), node("Mul", ["s0", "scale"], "s1"),
          node("Softmax", ["s1"], "s"), node("MatMul", ["s", "v"], "o0"),
          node("Transpose", ["o0"], "o1", ["perm": .ints([0, 2, 1, 3])]),
          node("Reshape", ["o1", "joined"], "o2"), node("MatMul", ["o2", "o.w"], "o3"),
          node("Add", ["o3", "t"], "o4"),
          node("Transpose", ["o4"], "o5", ["perm": .ints([0, 2, 1])]),
          node("Reshape", ["o5", "image"], "y"),
        ], .chain)
  }

  private static let linearLayer = OperatorCase(
    "linear layers with GELU and a residual 2×9×16",
    inputs: [
      .frame([2, 9, 16]).named("x"), .weight([16, 40]).named("w"), .weight([40]).named("b"),
      .weight([40, 16]).named("v"), .weight([16]).named("c"),
    ],
    nodes: [
      node("MatMul", ["x", "w"], "h0"), node("Add", ["b", "h0"], "h1"),
      node("Div", ["h1", "r"], "e0"), node("Erf", ["e0"], "e1"), node("Add", ["e1", "one"], "e2"),
      node("Mul", ["h1", "e2"], "e3"), node("Mul", ["e3", "half"], "g"),
      node("MatMul", ["g", "v"], "o0"), node("Add", ["o0", "c"], "o1"),
      node("Add", ["x", "o1"], "y"),
    ], .chain
  ).adding([
    .scalar(1.4142135).named("r"), .scalar(1).named("one"), .scalar(0.5).named("half"),
  ])

  private static let mixed = OperatorCase(
    "convolution to product to convolution 1×8×5×6",
    inputs: [
      .frame([1, 8, 5, 6]).named("x"), .weight([6, 8, 1, 1]).named("w"),
      .weight([4, 8, 1, 1]).named("v"), .ints([1, 6, 30]).named("flat"),
      .ints([1, 4, 30]).named("wide"),
      .ints([1, 6, 2, 2]).named("small"),
    ],
    nodes: [
      node("Conv", ["x", "w"], "a"), node("Softmax", ["a"], "b", ["axis": .int(1)]),
      node("Reshape", ["b", "flat"], "c"), node("Conv", ["x", "v"], "d"),
      node("Reshape", ["d", "wide"], "e"),
      node("Transpose", ["e"], "f", ["perm": .ints([0, 2, 1])]),
      node("MatMul", ["c", "f"], "g"), node("Reshape", ["g", "small"], "h"),
      node("Relu", ["h"], "y"),
    ], .chain)

  private func adding(_ more: [Input]) -> OperatorCase {
    var result = self
    result.inputs += more
    return result
  }
}
