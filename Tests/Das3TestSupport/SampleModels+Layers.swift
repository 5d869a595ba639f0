/// Networks of the layers that a convolution network lacks.
extension SampleModels {
  /// A transformer's block between patches of 4×4 pixels and a decoder: N×3×16×24 to N×5×16×24.
  package static func attention(seed: UInt64 = 3) -> OnnxWriter {
    var random = SplitMix64(seed: seed)
    var model = OnnxWriter(opset: 18, irVersion: 10)
    model.input("image", [1, 3, 16, 24])
    model.floats("patch.w", [8, 3, 4, 4], random.floats(384, bound: 0.2))
    model.floats("position", [1, 24, 8], random.floats(192))
    model.floats("norm.scale", [8], random.floats(8).map { 1 + $0 / 2 })
    model.floats("norm.shift", [8], random.floats(8))
    model.floats("qkv.w", [8, 24], random.floats(192))
    model.floats("qkv.b", [24], random.floats(24))
    model.floats("mlp.w", [8, 8], random.floats(64))
    model.floats("up.w", [8, 5, 4, 4], random.floats(640))
    model.floats("scale", [], [0.35])
    model.ints("tokens", [1, 8, 24])
    model.ints("map", [1, 8, 4, 6])
    model.node("Conv", ["image", "patch.w"], ["patches"], ["strides": .ints([4, 4])])
    model.node("Reshape", ["patches", "tokens"], ["flat"])
    model.node("Transpose", ["flat"], ["sequence"], ["perm": .ints([0, 2, 1])])
    model.node("Add", ["sequence", "position"], ["placed"])
    model.node(
      "LayerNormalization", ["placed", "norm.scale", "norm.shift"], ["normed"], ["axis": .int(-1)])
    model.node("MatMul", ["normed", "qkv.w"], ["projected"])
    model.node("Add", ["projected", "qkv.b"], ["qkv"])
    model.node(
      "Split", ["qkv"], ["query", "key", "value"], ["axis": .int(2), "num_outputs": .int(3)])
    model.node("Transpose", ["key"], ["keys"], ["perm": .ints([0, 2, 1])])
    model.node("MatMul", ["query", "keys"], ["products"])
    model.node("Mul", ["products", "scale"], ["scaled"])
    model.node("Softmax", ["scaled"], ["weights"], ["axis": .int(-1)])
    model.node("MatMul", ["weights", "value"], ["attended"])
    model.node("Add", ["placed", "attended"], ["residual"])
    model.node("MatMul", ["residual", "mlp.w"], ["hidden"])
    model.node("Erf", ["hidden"], ["active"])
    model.node("Transpose", ["active"], ["channels"], ["perm": .ints([0, 2, 1])])
    model.node("Reshape", ["channels", "map"], ["features"])
    model.node("ConvTranspose", ["features", "up.w"], ["logits"], ["strides": .ints([4, 4])])
    model.output("logits", [1, 5, 16, 24])
    return model
  }

  /// Quantized weights, squeeze and excitation, a grid that samples, a cubic Resize, shuffled
  /// channels and scores behind a Softmax: N×3×16×24 to N×5×16×24.
  package static func sampling(seed: UInt64 = 4) -> OnnxWriter {
    var random = SplitMix64(seed: seed)
    var model = OnnxWriter(opset: 18, irVersion: 10)
    model.input("image", [1, 3, 16, 24])
    model.initializers.append(
      OnnxTensor("stem.q", type: OnnxTensor.int8, [8, 3, 3, 3], .raw(random.bytes(216))))
    model.floats("stem.s", [8], (0..<8).map { _ in 0.004 })
    model.floats("narrow.w", [4, 8, 1, 1], random.floats(32))
    model.floats("wide.w", [8, 4, 1, 1], random.floats(32))
    model.floats("norm.scale", [8], random.floats(8).map { 1 + $0 / 2 })
    model.floats("norm.shift", [8], random.floats(8))
    model.floats("slope", [8, 1, 1], random.floats(8))
    model.floats("grid", [1, 8, 12, 2], random.floats(192, bound: 1.2))
    model.floats("head.w", [20, 8, 1, 1], random.floats(160))
    model.floats("scales", [4], [1, 1, 1, 1])
    model.ints("pads", [0, 0, 1, 1, 0, 0, 0, 0])
    model.node(
      "DequantizeLinear", ["stem.q", "stem.s"], ["stem.w"], ["axis": .int(0)])
    model.node("Pad", ["image", "pads"], ["padded"], ["mode": .string("reflect")])
    model.node(
      "Conv", ["padded", "stem.w"], ["stem"],
      ["pads": .ints([0, 0, 1, 1]), "strides": .ints([2, 2])])
    model.node("InstanceNormalization", ["stem", "norm.scale", "norm.shift"], ["normed"])
    model.node("PRelu", ["normed", "slope"], ["active"])
    model.node("GlobalAveragePool", ["active"], ["pooled"])
    model.node("Conv", ["pooled", "narrow.w"], ["narrow"])
    model.node("HardSwish", ["narrow"], ["swish"])
    model.node("Conv", ["swish", "wide.w"], ["wide"])
    model.node("HardSigmoid", ["wide"], ["gate"])
    model.node("Mul", ["active", "gate"], ["gated"])
    model.node("GridSample", ["gated", "grid"], ["sampled"], ["mode": .string("linear")])
    model.node(
      "AveragePool", ["sampled"], ["averaged"],
      ["kernel_shape": .ints([3, 3]), "pads": .ints([1, 1, 1, 1])])
    model.node(
      "Resize", ["averaged", "", "scales"], ["resized"],
      ["mode": .string("cubic"), "coordinate_transformation_mode": .string("half_pixel")])
    model.node("Conv", ["resized", "head.w"], ["shuffled"])
    model.node(
      "DepthToSpace", ["shuffled"], ["scores"], ["blocksize": .int(2), "mode": .string("CRD")])
    model.node("Softmax", ["scores"], ["probabilities"], ["axis": .int(1)])
    model.output("probabilities", [1, 5, 16, 24])
    return model
  }
}
