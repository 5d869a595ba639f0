import Das3TestSupport

/// Sizes that overflow, do not fit, or would need more memory than there is.
extension HostileGraph {
  private static let huge = [1 << 31, 1 << 40, 1 << 62, Int.max, Int.min, -1]

  static let sizes: [HostileGraph] =
    huge.flatMap { size in
      [
        initializer(size),
        // Sizes below 0 are open, as some exporters write it.
        network("an image of height and width \(size.magnitude) fixed", size: .size(max(size, 0))) {
          $0.node("Relu", ["x"], ["y"])
        },
        computed("ConstantOfShape of \(size)", [1, 3, size, 1]) {
          $0.node("ConstantOfShape", ["v"], ["y"])
        },
        computed("ConstantOfShape of 0 × \(size) × \(size)", [0, 3, size, size]) {
          $0.node("ConstantOfShape", ["v"], ["y"])
        },
        computed("Expand to \(size)", [size, 3, 16, 16]) { $0.node("Expand", ["x", "v"], ["y"]) },
        computed("Tile by \(size)", [1, 1, size, size]) { $0.node("Tile", ["x", "v"], ["y"]) },
        computed("Reshape to \(size)", [1, size, size, 16]) {
          $0.node("Reshape", ["x", "v"], ["y"])
        },
        computed("Resize to \(size)", [1, 3, size, 16]) {
          $0.node("Resize", ["x", "", "", "v"], ["y"])
        },
        computed("linear Resize to \(size)", [1, 3, size, 16]) {
          $0.node("Resize", ["x", "", "", "v"], ["y"], ["mode": .string("linear")])
        },
        // -20 is more than there is.
        computed("Pad by \(size)", [0, 0, size == -1 ? -20 : size, 0, 0, 0, size, 0]) {
          $0.node("Pad", ["x", "v"], ["y"])
        },
        computed("Unsqueeze at \(size)", [size]) {
          $0.node("Unsqueeze", ["x", "v"], ["u"])
          $0.node("Relu", ["u"], ["y"])
        },
        computed("Gather at \(size)", [size == -1 ? -17 : size]) {
          $0.node("Gather", ["x", "v"], ["y"], ["axis": .int(2)])
        },
        computed("Split into \(size)", [size, 16 &- size]) {
          $0.node("Split", ["x", "v"], ["y", "z"], ["axis": .int(2)])
        },
      ]
    } + [
      computed("a tensor of 2^40 elements", [1 << 20, 1 << 20]) {
        $0.initializers.append(
          OnnxTensor("w", type: OnnxTensor.float32, [1 << 20, 1 << 20], .missing))
        $0.node("Add", ["x", "w"], ["y"])
      },
      computed("sizes whose product overflows", [1 << 32, 1 << 32, 1 << 32, 1]) {
        $0.node("ConstantOfShape", ["v"], ["y"])
      },
      computed("Expand to 2^31 - 1", [1, 1, 1, Int(Int32.max)]) {
        $0.floats("s", [1], [1])
        $0.node("Expand", ["s", "v"], ["big"])
        $0.node("Add", ["x", "big"], ["y"])
      },
      computed("Tile by 2^23", [1, 1, 1, 1 << 23]) { $0.node("Tile", ["x", "v"], ["y"]) },
      computed("Resize by 2^22", [1, 1, 1, 1 << 26]) {
        $0.node("Resize", ["x", "", "", "v"], ["y"])
      },
      network("Resize by scales of 1e30") {
        $0.floats("v", [4], [1, 1, 1e30, 1e30])
        $0.node("Resize", ["x", "", "v"], ["y"])
      },
      network("Resize by scales that are not numbers") {
        $0.floats("v", [4], [1, 1, .nan, .infinity])
        $0.node("Resize", ["x", "", "v"], ["y"])
      },
      network("a million ranges") {
        $0.initializers.append(OnnxTensor("a", [], ints: [0]))
        $0.initializers.append(OnnxTensor("b", [], ints: [(1 << 24) - 1]))
        $0.initializers.append(OnnxTensor("d", [], ints: [1]))
        for index in 0..<1000 { $0.node("Range", ["a", "b", "d"], ["r\(index)"]) }
        $0.node("Concat", (0..<1000).map { "r\($0)" }, ["y"], ["axis": .int(0)])
      },
      network("a range of floats downwards without end") {
        $0.initializers.append(OnnxTensor("a", [], floats: [0]))
        $0.initializers.append(OnnxTensor("b", [], floats: [-1e30]))
        $0.initializers.append(OnnxTensor("d", [], floats: [1]))
        $0.node("Range", ["a", "b", "d"], ["r"])
        $0.node("Add", ["x", "r"], ["y"])
      },
      network("a doubling tensor, forty times") {
        $0.node("Concat", ["x", "x"], ["d0"], ["axis": .int(2)])
        for index in 0..<40 {
          $0.node("Concat", ["d\(index)", "d\(index)"], ["d\(index + 1)"], ["axis": .int(2)])
        }
        $0.node("Relu", ["d40"], ["y"])
      },
      network("a folded doubling tensor, forty times") {
        $0.ints("d0", [1, 2])
        for index in 0..<40 {
          $0.node("Concat", ["d\(index)", "d\(index)"], ["d\(index + 1)"], ["axis": .int(0)])
        }
        $0.node("Reshape", ["x", "d40"], ["y"])
      },
      network("large folded tensors, a thousand times") {
        $0.ints("v", [1 << 21])
        $0.initializers.append(OnnxTensor("one", [], ints: [1]))
        $0.node(
          "ConstantOfShape", ["v"], ["f0"], ["value": .tensor(OnnxTensor("", [1], ints: [1]))])
        for index in 0..<1000 { $0.node("Add", ["f\(index)", "one"], ["f\(index + 1)"]) }
        $0.node("Reshape", ["x", "f1000"], ["y"])
      },
    ]

  /// An initialiser whose stated size has no data behind it.
  private static func initializer(_ size: Int) -> HostileGraph {
    network("an initialiser of \(size) × 2 elements") {
      $0.initializers.append(
        OnnxTensor("w", type: OnnxTensor.float32, [size, 2], .floats([1, 2])))
      $0.node("Add", ["x", "w"], ["y"])
    }
  }

  /// A network with the integers `v`, which would be huge.
  private static func computed(
    _ name: String, _ values: [Int], _ body: (inout OnnxWriter) -> Void
  ) -> HostileGraph {
    network(name) {
      $0.ints("v", values)
      body(&$0)
    }
  }
}
