import Das3TestSupport

/// Attributes out of their range, and graphs that are only strange.
extension HostileGraph {
  private static let values = [Int.min, Int.max, 1 << 40, -2]
  /// Where small negative values mean something.
  private static let farValues = [Int.min, Int.max, 1 << 40, -20]

  static let attributes: [HostileGraph] =
    values.flatMap(convolutions) + values.flatMap(blocks) + farValues.flatMap(axes) + [
      network("Resize into a region that is not a number") {
        $0.floats("roi", [8], [Float](repeating: .nan, count: 8))
        $0.ints("sizes", [1, 3, 8, 8])
        $0.node(
          "Resize", ["x", "roi", "", "sizes"], ["y"],
          [
            "coordinate_transformation_mode": .string("tf_crop_and_resize"),
            "mode": .string("linear"),
          ])
      },
      network("Resize to the largest size that keeps the aspect", opset: 18) {
        $0.ints("sizes", [.max, .max, .max, .max])
        $0.node(
          "Resize", ["x", "", "", "sizes"], ["y"],
          ["keep_aspect_ratio_policy": .string("not_larger")])
      },
      network("Resize to less than nothing that keeps the aspect", shape, opset: 18) {
        $0.ints("sizes", [4, .min])
        $0.node(
          "Resize", ["x", "", "", "sizes"], ["y"],
          ["axes": .ints([1, 0]), "keep_aspect_ratio_policy": .string("not_larger")])
      },
      HostileGraph("ConvTranspose that cuts 2^32 rows off", shape) {
        $0.input("x", [1, 3, 200_000, 2])
        $0.floats("w", [3, 4, 1, 1], [Float](repeating: 1, count: 12))
        $0.node(
          "ConvTranspose", ["x", "w"], ["y"],
          ["strides": .ints([32767, 1]), "output_shape": .ints([1, 2])])
        $0.output("y", [1, 4, 1, 2])
      },
      network("Einsum of nonsense") {
        $0.node("Einsum", ["x"], ["y"], ["equation": .string("a>b>c>,,->")])
      },
    ]

  private static func convolutions(_ value: Int) -> [HostileGraph] {
    let pair = OnnxWriter.Attribute.ints([value, value])
    return [
      convolution("strides", pair, value),
      convolution("dilations", pair, value),
      convolution("kernel_shape", pair, value),
      convolution("group", .int(value), value),
      convolution("output_padding", pair, value, opType: "ConvTranspose"),
      convolution("output_shape", pair, value, opType: "ConvTranspose"),
      network("MaxPool with kernel_shape \(value)") {
        $0.node("MaxPool", ["x"], ["y"], ["kernel_shape": pair])
      },
      network("GroupNormalization in \(value) groups", opset: 21) {
        $0.floats("s", [3], [1, 1, 1])
        $0.node("GroupNormalization", ["x", "s", "s"], ["y"], ["num_groups": .int(value)])
      },
    ]
  }

  private static func blocks(_ value: Int) -> [HostileGraph] {
    [
      network("DepthToSpace with blocksize \(value)") {
        $0.node("DepthToSpace", ["x"], ["y"], ["blocksize": .int(value)])
      },
      network("SpaceToDepth with blocksize \(value)") {
        $0.node("SpaceToDepth", ["x"], ["y"], ["blocksize": .int(value)])
      },
      network("SpaceToDepth of nothing with blocksize \(value)") {
        $0.ints("zero", [0])
        $0.ints("axis", [2])
        $0.node("Slice", ["x", "zero", "zero", "axis"], ["empty"])
        $0.node("SpaceToDepth", ["empty"], ["y"], ["blocksize": .int(value)])
      },
      network("Split into num_outputs \(value)", opset: 18) {
        $0.node("Split", ["x"], ["y"], ["axis": .int(2), "num_outputs": .int(value)])
      },
      network("Transpose by \(value)") {
        $0.node("Transpose", ["x"], ["y"], ["perm": .ints([0, 1, 2, value])])
      },
    ]
  }

  private static func axes(_ value: Int) -> [HostileGraph] {
    let pads = OnnxWriter.Attribute.ints([value, value, value, value])
    return [
      convolution("pads", pads, value),
      network("AveragePool with pads \(value)") {
        $0.node("AveragePool", ["x"], ["y"], ["kernel_shape": .ints([3, 3]), "pads": pads])
      },
      network("Concat along axis \(value)") {
        $0.node("Concat", ["x", "x"], ["y"], ["axis": .int(value)])
      },
      network("Softmax along axis \(value)") {
        $0.node("Softmax", ["x"], ["s"], ["axis": .int(value)])
        $0.node("Relu", ["s"], ["y"])
      },
      network("ReduceMax along axis \(value)") {
        $0.node("ReduceMax", ["x"], ["y"], ["axes": .ints([value])])
      },
    ]
  }

  private static func convolution(
    _ name: String, _ attribute: OnnxWriter.Attribute, _ value: Int, opType: String = "Conv"
  ) -> HostileGraph {
    network("\(opType) with \(name) \(value)") {
      $0.floats("w", [3, 3, 3, 3], [Float](repeating: 1, count: 81))
      $0.node(opType, ["x", "w"], ["y"], [name: attribute])
    }
  }

  /// Far outside of the image, where float32 has no numbers for the way there.
  private static let regions: [HostileGraph] = ["linear", "nearest"].flatMap { mode in
    [Float(3e38), -3e38, .greatestFiniteMagnitude].map { far in
      network("Resize \(mode) into a region of ±\(far)") {
        $0.floats("roi", [8], [0, 0, -far, far, 1, 1, far, -far])
        $0.floats("scales", [4], [1, 1, 0.5, 0.5])
        $0.node(
          "Resize", ["x", "roi", "scales"], ["y"],
          [
            "coordinate_transformation_mode": .string("tf_crop_and_resize"),
            "mode": .string(mode),
          ])
      }
    }
  }

  static let harmless: [HostileGraph] =
    regions + [
      network("a step of 2^30, five times over one row") {
        $0.ints("zero", [0])
        $0.ints("end", [.max])
        $0.ints("axis", [3])
        $0.ints("step", [1 << 30])
        var last = "x"
        for index in 0..<5 {
          $0.node("Slice", [last, "zero", "end", "axis", "step"], ["s\(index)"])
          last = "s\(index)"
        }
        $0.node("Relu", [last], ["y"])
      },
      network("a convolution of no channels") {
        $0.ints("zero", [0])
        $0.ints("axis", [1])
        $0.initializers.append(OnnxTensor("w", [4, 0, 3, 3], floats: []))
        $0.node("Slice", ["x", "zero", "zero", "axis"], ["none"])
        $0.node("Conv", ["none", "w"], ["y"])
      },
      network("a matrix product over nothing") {
        $0.ints("zero", [0])
        $0.ints("axis", [3])
        $0.initializers.append(OnnxTensor("w", [0, 16], floats: []))
        $0.node("Slice", ["x", "zero", "zero", "axis"], ["none"])
        $0.node("MatMul", ["none", "w"], ["y"])
      },
      network("a sum over nothing") {
        $0.ints("zero", [0])
        $0.ints("axis", [3])
        $0.node("Slice", ["x", "zero", "zero", "axis"], ["none"])
        $0.node("ReduceSum", ["none", "axis"], ["y"])
      },
      network("scores of no pixels") {
        $0.ints("zero", [0])
        $0.ints("axis", [3])
        $0.node("Slice", ["x", "zero", "zero", "axis"], ["y"])
      },
      network("scores that do not depend on the image") {
        $0.floats("s", [1, 3, 16, 16], [Float](repeating: 1, count: 768))
        $0.node("Relu", ["s"], ["y"])
      },
      network("the image itself as scores") { $0.node("Identity", ["x"], ["y"]) },
      network("a window that lies in the padding alone") {
        $0.node(
          "AveragePool", ["x"], ["y"],
          ["kernel_shape": .ints([2, 2]), "pads": .ints([9, 9, 9, 9]), "strides": .ints([3, 3])])
      },
      network("a maximum in the padding alone") {
        $0.node(
          "MaxPool", ["x"], ["y"],
          ["kernel_shape": .ints([2, 2]), "pads": .ints([9, 9, 9, 9]), "strides": .ints([3, 3])])
      },
      network("a kernel as large as it may be") {
        $0.node(
          "AveragePool", ["x"], ["y"],
          ["kernel_shape": .ints([32767, 32767]), "pads": .ints([32767, 32767, 32767, 32767])])
      },
      network("a convolution that pads inwards") {
        $0.floats("w", [3, 3, 3, 3], [Float](repeating: 1, count: 81))
        $0.node("Conv", ["x", "w"], ["y"], ["pads": .ints([-2, -3, -1, -2])])
      },
      network("a transposed convolution whose pads leave one pixel") {
        $0.floats("w", [3, 3, 3, 3], [Float](repeating: 1, count: 81))
        $0.node("ConvTranspose", ["x", "w"], ["y"], ["pads": .ints([8, 8, 9, 9])])
      },
      network("an image of no height", size: 0) { $0.node("Relu", ["x"], ["y"]) },
      network("scores of 2^31 - 1 equal pixels") {
        $0.ints("v", [1, 1, 1, Int(Int32.max)])
        $0.node("ConstantOfShape", ["v"], ["y"])
      },
      network("a chain of a thousand activations") {
        $0.node("Relu", ["x"], ["r0"])
        for index in 0..<1000 { $0.node("Sigmoid", ["r\(index)"], ["r\(index + 1)"]) }
        $0.node("Relu", ["r1000"], ["y"])
      },
      network("concatenations in concatenations, ten thousand deep", opset: 18, size: 1) {
        $0.ints("axis", [1])
        $0.node("MaxPool", ["x"], ["c0"], ["kernel_shape": .ints([1, 1])])
        for index in 0..<10_000 {
          $0.node("Concat", ["c\(index)", "c0"], ["c\(index + 1)"], ["axis": .int(1)])
        }
        $0.node("ReduceMean", ["c10000", "axis"], ["y"])
      },
      network("a node used by a thousand others") {
        for index in 0..<1000 { $0.node("Relu", ["x"], ["r\(index)"]) }
        $0.node("Sum", (0..<1000).map { "r\($0)" }, ["y"])
      },
      network("weights that are not numbers") {
        $0.floats("w", [3, 3, 1, 1], [Float](repeating: .nan, count: 9))
        $0.node("Conv", ["x", "w"], ["y"])
      },
      network("surrogates in the metadata") {
        $0.metadata = [("classes", #"["\ud800\u0000", "b", "c"]"#)]
        $0.node("Relu", ["x"], ["y"])
      },
    ]
}
