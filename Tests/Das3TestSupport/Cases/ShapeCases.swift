extension OperatorCase {
  static let shapeCases: [OperatorCase] = [
    OperatorCase("identity", "Identity", [.frame([2, 3, 4, 5])], .moved),
    OperatorCase("dropout", "Dropout", [.frame([2, 3, 4, 5])], .moved),
    OperatorCase("dropout with a mask", "Dropout", [.frame([2, 3])], outputCount: 2, .moved),
    OperatorCase("shape", "Shape", [.frame([2, 3, 4, 5])], .moved),
    OperatorCase(
      "shape 1..-1", "Shape", [.frame([2, 3, 4, 5])], ["start": .int(1), "end": .int(-1)], .moved),
    OperatorCase("size", "Size", [.frame([2, 3, 4, 5])], .moved),
    OperatorCase(
      "range times a frame 5",
      inputs: [
        .frame([5]).named("x"), .ints([], [3]).named("start"), .ints([], [-7]).named("limit"),
        .ints([], [-2]).named("step"),
      ],
      nodes: [
        node("Range", ["start", "limit", "step"], "r"), node("Cast", ["r"], "f", ["to": .int(1)]),
        node("Mul", ["x", "f"], "y"),
      ], .rounded),
    OperatorCase(
      "constants 2×3",
      inputs: [.frame([2, 3]).named("x"), .ints([2, 1]).named("size")],
      nodes: [
        Node(
          "Constant", [], ["a"],
          ["value": .tensor(OnnxTensor("", type: 1, [3], .floats([1, -2, 3])))]),
        Node("Constant", [], ["b"], ["value_float": .float(0.25)]),
        Node(
          "ConstantOfShape", ["size"], ["c"],
          ["value": .tensor(OnnxTensor("", type: 1, [1], .floats([5])))]),
        node("Mul", ["x", "a"], "d"), node("Add", ["d", "b"], "e"), node("Sub", ["e", "c"], "y"),
      ], Tolerance(absolute: 3e-7, relative: 3e-7, "three roundings")),
    OperatorCase(
      "upsampling to the size of another 1×4×9×7",
      inputs: [
        .frame([1, 4, 9, 7]).named("x"), .frame([1, 4, 3, 2]).named("z"), .ints([2]).named("two"),
        .ints([4]).named("four"), .ints([0]).named("zero"),
      ],
      nodes: [
        node("Shape", ["x"], "a"), node("Slice", ["a", "two", "four"], "b"),
        node("Shape", ["z"], "c"), node("Slice", ["c", "zero", "two"], "d"),
        node("Concat", ["d", "b"], "e", ["axis": .int(0)]),
        node("Resize", ["z", "", "", "e"], "f", ["mode": .string("linear")]),
        node("Add", ["f", "x"], "y"),
      ], .function),
  ]
}
