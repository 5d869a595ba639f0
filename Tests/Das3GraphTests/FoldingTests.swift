import Das3Graph
import Das3TestSupport
import Testing

/// Shape arithmetic that exporters write around a network: none of it is left in the graph.
@Suite("Folding")
struct FoldingTests {
  /// `y` of one operator over constants.
  private func fold(
    _ opType: String, _ inputs: [[Int]], opset: Int = 17,
    _ attributes: KeyValuePairs<String, OnnxWriter.Attribute> = [:]
  ) throws -> ConstantTensor? {
    try TestGraph.folded(opset: opset) {
      for (index, values) in inputs.enumerated() { $0.ints("c\(index)", values) }
      $0.node(opType, inputs.indices.map { "c\($0)" }, ["y"], attributes)
    }
  }

  @Test(
    "integer operators",
    arguments: [
      ("Add", [[1, 2], [10]], [11, 12]), ("Sub", [[1, 2], [10]], [-9, -8]),
      ("Mul", [[3, -4], [5]], [15, -20]),
      ("Div", [[7, -7, 7, -7], [2, 2, -2, -2]], [3, -3, -3, 3]),
      ("Mod", [[7, -7, 7, -7], [3, 3, -3, -3]], [1, 2, -2, -1]),
      ("Pow", [[2, 3], [10, 2]], [1024, 9]),
      ("Min", [[1, 5], [3, 3]], [1, 3]), ("Max", [[1, 5], [3, 3], [2, 9]], [3, 9]),
      ("Neg", [[1, -2]], [-1, 2]), ("Abs", [[1, -2]], [1, 2]),
      ("Concat", [[1], [2, 3]], [1, 2, 3]),
      ("Gather", [[5, 6, 7], [-1, 0]], [7, 5]), ("Equal", [[1, 2], [1, 3]], [1, 0]),
      ("Less", [[1, 3], [2, 2]], [1, 0]), ("GreaterOrEqual", [[1, 2], [2, 2]], [0, 1]),
      ("Slice", [[0, 1, 2, 3, 4], [1], [4]], [1, 2, 3]),
      ("Slice", [[0, 1, 2, 3, 4], [-1], [-6], [0], [-2]], [4, 2, 0]),
      ("Slice", [[0, 1, 2], [5], [9]], []), ("Tile", [[1, 2], [3]], [1, 2, 1, 2, 1, 2]),
      ("Expand", [[4], [3]], [4, 4, 4]), ("Reshape", [[1, 2, 3, 4], [2, -1]], [1, 2, 3, 4]),
      ("ReduceProd", [[2, 3, 4]], [24]), ("ReduceSum", [[2, 3, 4]], [9]),
      ("ReduceMax", [[2, 9, 4]], [9]), ("ReduceMin", [[2, 9, 4]], [2]), ("Identity", [[8]], [8]),
    ] as [(String, [[Int]], [Int])])
  func integers(_ opType: String, _ inputs: [[Int]], _ expected: [Int]) throws {
    let attributes: KeyValuePairs<String, OnnxWriter.Attribute> =
      opType == "Concat" ? ["axis": .int(0)] : [:]
    let found = try fold(opType, inputs, attributes)
    #expect(found?.ints == expected.map { Int64($0) })
  }

  @Test(
    "arithmetic that overflows wraps and does not trap",
    arguments: [
      ("Add", [[Int.max], [1]]), ("Sub", [[Int.min], [1]]), ("Mul", [[Int.max], [Int.max]]),
      ("Div", [[Int.min], [-1]]), ("Mod", [[Int.min], [-1]]), ("Neg", [[Int.min]]),
      ("Abs", [[Int.min]]), ("Pow", [[10], [1000]]), ("ReduceProd", [[Int.max, Int.max]]),
      ("ReduceSum", [[Int.max, Int.max]]), ("Range", [[Int.max - 1], [Int.max], [2]]),
    ])
  func overflow(_ opType: String, _ inputs: [[Int]]) {
    #expect(throws: Never.self) { try fold(opType, inputs) }
  }

  @Test("a division by zero is refused", arguments: ["Div", "Mod"])
  func divisionByZero(_ opType: String) {
    let error = #expect(throws: Das3Error.self) { try fold(opType, [[4], [0]]) }
    #expect(error?.code == .shape && error?.message.contains(opType) == true)
  }

  @Test("Range counts in both directions, for integers and floats")
  func range() throws {
    func range(_ a: Int, _ b: Int, _ d: Int) throws -> [Int64]? {
      try TestGraph.folded {
        for (name, value) in [("a", a), ("b", b), ("d", d)] { $0.scalar(name, value) }
        $0.node("Range", ["a", "b", "d"], ["y"])
      }?.ints
    }
    #expect(try range(0, 5, 2) == [0, 2, 4])
    #expect(try range(5, 0, -2) == [5, 3, 1])
    #expect(try range(5, 0, 1) == [])
    #expect(throws: Das3Error.self) { try range(0, 5, 0) }
    let floats = try TestGraph.folded {
      for (name, value) in [("a", 1), ("b", 2), ("d", 0.25)] as [(String, Float)] {
        $0.initializers.append(OnnxTensor(name, [], floats: [value]))
      }
      $0.node("Range", ["a", "b", "d"], ["y"])
    }
    #expect(floats?.floats == [1, 1.25, 1.5, 1.75])
  }

  @Test("floats go to integers towards zero, and back")
  func casts() throws {
    let found = try TestGraph.folded {
      $0.node("Shape", ["x"], ["shape"])
      $0.node("Cast", ["shape"], ["float"], ["to": .int(OnnxTensor.float32)])
      $0.initializers.append(OnnxTensor("factor", [], floats: [0.7]))
      $0.node("Mul", ["float", "factor"], ["scaled"])
      $0.node("Floor", ["scaled"], ["floor"])
      $0.node("Cast", ["floor"], ["y"], ["to": .int(OnnxTensor.int64)])
    }
    #expect(found?.ints == [0, 2, 11, 16])
  }

  @Test("the pattern of dynamo exports: fill, compare, choose, expand")
  func expandPattern() throws {
    let graph = try TestGraph.build([1, 3, 4, 6]) {
      $0.ints("wanted", [2, -1, -1, -1])
      $0.ints("rank", [4])
      $0.scalar("minus", -1)
      $0.node("Shape", ["x"], ["shape"])
      $0.node(
        "ConstantOfShape", ["rank"], ["ones"], ["value": .tensor(OnnxTensor("", [1], ints: [1]))])
      $0.node("Mul", ["ones", "minus"], ["minuses"])
      $0.node("Equal", ["wanted", "minuses"], ["open"])
      $0.node("Where", ["open", "ones", "wanted"], ["target"])
      $0.node("Expand", ["x", "target"], ["y"])
    }
    #expect(TestGraph.operators(graph) == ["expand"])
    #expect(graph.values[graph.outputs[0]].shape == [2, 3, 4, 6])
  }

  @Test("Shape, Gather, Mul and Concat before a Reshape leave only the Reshape")
  func reshapeChain() throws {
    for (height, width) in [(4, 6), (10, 2)] {
      let graph = try TestGraph.build([1, 3, height, width]) {
        $0.scalar("two", 2)
        $0.scalar("three", 3)
        $0.ints("axis", [0])
        $0.ints("lead", [1, 3])
        $0.node("Shape", ["x"], ["shape"])
        $0.node("Gather", ["shape", "two"], ["height"])
        $0.node("Gather", ["shape", "three"], ["width"])
        $0.node("Mul", ["height", "width"], ["area"])
        $0.node("Unsqueeze", ["area", "axis"], ["area1"])
        $0.node("Concat", ["lead", "area1"], ["target"], ["axis": .int(0)])
        $0.node("Reshape", ["x", "target"], ["y"])
      }
      #expect(TestGraph.operators(graph) == ["reshape"])
      #expect(graph.values[graph.outputs[0]].shape == [1, 3, height * width])
    }
  }

  @Test("the sample of shape arithmetic keeps only what computes")
  func sample() throws {
    let model = try TestGraph.model(SampleModels.shapeArithmetic())
    for (height, width) in [(16, 24), (10, 6)] {
      let graph = try GraphBuilder.build(
        model, inputs: [("image", [1, 3, height, width])], outputs: ["logits"])
      #expect(
        TestGraph.operators(graph).filter { $0 != "reshape" && $0 != "expand" }
          == ["conv", "binary", "binary", "select", "index", "index"])
      #expect(graph.values[graph.outputs[0]].shape == [1, 5, height, width])
    }
  }

  @Test("what depends on weights stays in the graph: weights may change")
  func weightsStay() throws {
    let graph = try TestGraph.build([1, 3, 4, 4]) {
      $0.floats("a", [1, 3, 1, 1], [1, 2, 3])
      $0.floats("b", [1, 3, 1, 1], [4, 5, 6])
      $0.node("Add", ["a", "b"], ["sum"])
      $0.node("Mul", ["x", "sum"], ["y"])
    }
    #expect(TestGraph.operators(graph) == ["binary", "binary"])
  }

  @Test("operators without a kernel are computed where their inputs are known")
  func evaluated() throws {
    func values(
      _ opType: String, _ inputs: [(dims: [Int], values: [Float])],
      _ attributes: KeyValuePairs<String, OnnxWriter.Attribute> = [:]
    ) throws -> [Float]? {
      try TestGraph.folded(opset: 18) {
        for (index, input) in inputs.enumerated() {
          let ints = opType != "CumSum" || index > 0
          if index > 0, ints {
            $0.initializers.append(
              OnnxTensor("c\(index)", input.dims, ints: input.values.map { Int($0) }))
          } else {
            $0.node(
              "Constant", [], ["c\(index)"],
              ["value": .tensor(OnnxTensor("", input.dims, floats: input.values))])
          }
        }
        $0.node(opType, inputs.indices.map { "c\($0)" }, ["y"], attributes)
      }?.floats
    }
    let square: (dims: [Int], values: [Float]) = ([2, 2], [1, 2, 3, 4])
    #expect(try values("Sin", [([2], [0, 0.5])]) == [0, 0.47942555])
    #expect(try values("CumSum", [square, ([], [1])]) == [1, 3, 3, 7])
    #expect(try values("CumSum", [square, ([], [0])], ["exclusive": .int(1)]) == [0, 0, 1, 2])
    #expect(try values("CumSum", [square, ([], [1])], ["reverse": .int(1)]) == [3, 2, 7, 4])
    #expect(try values("Trilu", [square, ([], [1])]) == [0, 2, 0, 0])
    #expect(try values("Trilu", [square, ([], [0])], ["upper": .int(0)]) == [1, 0, 3, 4])
    #expect(try values("NonZero", [([2, 2], [0, 1, 1, 0])]) == [0, 1, 1, 0])
    #expect(try values("TopK", [([4], [3, 9, 1, 7]), ([1], [2])]) == [9, 7])
    #expect(
      try values("GatherElements", [square, ([2, 1], [1, 0])], ["axis": .int(1)]) == [2, 3])
    #expect(try values("Compress", [square, ([2], [0, 1])], ["axis": .int(0)]) == [3, 4])
    #expect(
      try values("ScatterND", [([3], [1, 1, 1]), ([2, 1], [2, 0]), ([2], [5, 6])]) == [6, 1, 5])
    #expect(
      try values(
        "ScatterElements", [square, ([1, 2], [1, 0]), ([1, 2], [8, 9])], ["axis": .int(0)])
        == [1, 9, 8, 4])
  }

  @Test("EyeLike and OneHot make tables")
  func tables() throws {
    let eye = try TestGraph.folded(opset: 18) {
      $0.floats("m", [2, 3], [0, 0, 0, 0, 0, 0])
      $0.node("EyeLike", ["m"], ["y"], ["k": .int(1)])
    }
    #expect(eye?.floats == [0, 1, 0, 0, 0, 1])
    let hot = try TestGraph.folded(opset: 18) {
      $0.ints("i", [1, -1])
      $0.scalar("depth", 3)
      $0.ints("values", [5, 7])
      $0.node("OneHot", ["i", "depth", "values"], ["y"])
    }
    #expect(hot?.ints == [5, 7, 5, 5, 5, 7])
  }

  @Test("a vector of floats times a shape is known, though it could be a weight")
  func vectorTimesShape() throws {
    let graph = try TestGraph.build([1, 3, 16, 24]) {
      $0.floats("half", [2], [0.5, 0.25])
      $0.node("Shape", ["x"], ["s"], ["start": .int(2)])
      $0.node("Cast", ["s"], ["f"], ["to": .int(OnnxTensor.float32)])
      $0.node("Mul", ["f", "half"], ["m"])
      $0.node("Floor", ["m"], ["r"])
      $0.node("Cast", ["r"], ["i"], ["to": .int(OnnxTensor.int64)])
      $0.ints("head", [1, 3])
      $0.node("Concat", ["head", "i"], ["sizes"], ["axis": .int(0)])
      $0.node("Resize", ["x", "", "", "sizes"], ["y"], ["mode": .string("linear")])
    }
    #expect(graph.values[graph.outputs[0]].shape == [1, 3, 8, 6])
    #expect(TestGraph.operators(graph) == ["resize"])
  }

  @Test("floats to a power, roots and exponentials")
  func floatArithmetic() throws {
    let value = try TestGraph.folded {
      $0.node("Constant", [], ["a"], ["value_float": .float(64)])
      $0.node("Constant", [], ["b"], ["value_float": .float(0.5)])
      $0.node("Pow", ["a", "b"], ["p"])
      $0.node("Log", ["p"], ["l"])
      $0.node("Exp", ["l"], ["y"])
    }
    #expect(value.map { abs($0.floats[0] - 8) < 1e-5 } == true)
  }
}
