/// Small segmentation networks made in memory: nothing in, the bytes of ONNX files out.
package enum SampleModels {
  package static let classCount = 5

  /// Convolution, normalisation, activation, pooling, a skip connection and an upsampling:
  /// N×3×H×W to N×5×H×W for even sizes, with metadata.
  ///
  /// `seed` decides the weights; the graph is always the same.
  package static func convolutional(seed: UInt64 = 1) -> OnnxWriter {
    var random = SplitMix64(seed: seed)
    var model = OnnxWriter()
    model.metadata = [
      ("classes", #"["road", "sky", "car", "tree", "person"]"#),
      ("input", #"{"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}"#),
    ]
    model.input("image", [1, 3, "height", "width"])
    model.floats("stem.w", [8, 3, 3, 3], random.floats(216))
    model.floats("norm.scale", [8], random.floats(8).map { 1 + $0 / 2 })
    model.floats("norm.shift", [8], random.floats(8))
    model.floats("norm.mean", [8], random.floats(8))
    model.floats("norm.variance", [8], random.floats(8).map { 1.5 + $0 })
    model.floats("deep.w", [8, 4, 3, 3], random.floats(288))
    model.floats("deep.b", [8], random.floats(8))
    model.floats("head.w", [5, 16, 1, 1], random.floats(80))
    model.floats("scales", [4], [1, 1, 2, 2])
    model.node(
      "Conv", ["image", "stem.w"], ["stem"],
      ["pads": .ints([1, 1, 1, 1]), "strides": .ints([2, 2])])
    model.node(
      "BatchNormalization", ["stem", "norm.scale", "norm.shift", "norm.mean", "norm.variance"],
      ["normed"], ["epsilon": .float(1e-3)])
    model.node("Relu", ["normed"], ["active"])
    model.node(
      "Conv", ["active", "deep.w", "deep.b"], ["deep"],
      ["pads": .ints([2, 2, 2, 2]), "dilations": .ints([2, 2]), "group": .int(2)])
    model.node(
      "MaxPool", ["deep"], ["pooled"],
      ["kernel_shape": .ints([3, 3]), "pads": .ints([1, 1, 1, 1]), "strides": .ints([1, 1])])
    model.node("Add", ["pooled", "active"], ["sum"])
    model.node("Concat", ["sum", "active"], ["both"], ["axis": .int(1)])
    model.node("Conv", ["both", "head.w"], ["scores"])
    model.node(
      "Resize", ["scores", "", "scales"], ["logits"],
      ["mode": .string("linear"), "coordinate_transformation_mode": .string("half_pixel")])
    model.output("logits", [1, 5, "height", "width"])
    return model
  }

  /// The same scores through the shape arithmetic that exporters write: Shape, Gather, Slice,
  /// ConstantOfShape, Range, Expand, Where, Tile, Reshape and a Resize to computed sizes.
  package static func shapeArithmetic(seed: UInt64 = 2) -> OnnxWriter {
    var random = SplitMix64(seed: seed)
    // Newer than what libonnx's checker judges: ours is alone.
    var model = OnnxWriter(opset: 18, irVersion: 10)
    model.input("image", [1, 3, "height", "width"])
    model.floats("w", [5, 3, 3, 3], random.floats(135))
    model.floats("row", [1, 5, 1, 1], random.floats(5))
    model.ints("zero", [0])
    model.ints("one", [1])
    model.ints("two", [2])
    model.ints("four", [4])
    model.ints("open", [-1])
    model.ints("channels", [5])
    model.ints("repeats", [1, 1, 2, 1])
    model.initializers.append(OnnxTensor("start", [], ints: [0]))
    model.initializers.append(OnnxTensor("step", [], ints: [1]))
    model.initializers.append(OnnxTensor("heightAxis", [], ints: [2]))
    model.node("Shape", ["image"], ["shape"])
    model.node("Slice", ["shape", "two", "four", "zero"], ["size"])
    model.node("Gather", ["shape", "heightAxis"], ["height"], ["axis": .int(0)])
    model.node("Div", ["size", "two"], ["half"])
    model.node("Range", ["start", "height", "step"], ["rows"])
    model.node("Shape", ["rows"], ["rowShape"])
    model.node("ReduceProd", ["rowShape"], ["rowCount"], ["keepdims": .int(1)])
    model.node(
      "Conv", ["image", "w"], ["features"],
      ["strides": .ints([2, 2]), "auto_pad": .string("SAME_UPPER")])
    model.node("Concat", ["one", "channels", "half"], ["halfShape"], ["axis": .int(0)])
    model.node("Expand", ["row", "halfShape"], ["bias"])
    model.node("Add", ["features", "bias"], ["biased"])
    model.node("Concat", ["one", "channels", "open"], ["flatShape"], ["axis": .int(0)])
    model.node("Reshape", ["biased", "flatShape"], ["flat"])
    model.node("Reshape", ["flat", "halfShape"], ["image2"])
    model.node(
      "ConstantOfShape", ["halfShape"], ["ones"],
      ["value": .tensor(OnnxTensor("", [1], floats: [0.5]))])
    model.node("Greater", ["image2", "ones"], ["mask"])
    model.node("Where", ["mask", "image2", "ones"], ["chosen"])
    model.node("Tile", ["chosen", "repeats"], ["tiled"])
    model.node("Concat", ["one", "channels", "rowCount"], ["top"], ["axis": .int(0)])
    model.node("Slice", ["size", "one", "two", "zero"], ["lastSize"])
    model.node("Concat", ["top", "lastSize"], ["target"], ["axis": .int(0)])
    model.node(
      "Resize", ["tiled", "", "", "target"], ["logits"],
      ["mode": .string("nearest"), "coordinate_transformation_mode": .string("asymmetric")])
    model.output("logits", [1, 5, "height", "width"])
    return model
  }
}
