import Das3Graph

/// A well-formed model in, one that is wrong in its meaning out: other numbers, other operators,
/// other connections.
///
/// Reaches what damaged bytes seldom do: shape rules, planner and kernels.
package struct GraphMutator {
  private static let numbers = [
    0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 24, 255, 32767, 65536, 1 << 20, 1 << 24, Int(Int32.max),
    1 << 31, 1 << 40, 1 << 62, .max, .min, -1, -2, -3, -4, -5, -16,
  ]
  /// What is lowered, what is computed at load, and what is neither.
  private static let operators =
    GraphBuilder.operatorTypes + [
      "Shape", "Size", "Range", "NonZero", "CumSum", "Trilu", "EyeLike", "ConstantOfShape",
      "SplitToSequence", "SequenceAt", "ConcatFromSequence", "If", "TopK",
    ]
  private static let attributes = [
    "axis", "axes", "pads", "strides", "dilations", "kernel_shape", "group", "ceil_mode", "perm",
    "keepdims", "mode", "blocksize", "alpha", "beta", "epsilon", "to", "split", "scales", "starts",
    "ends", "output_padding", "output_shape", "auto_pad", "count_include_pad", "transA", "transB",
    "coordinate_transformation_mode", "nearest_mode", "equation", "num_outputs", "allowzero",
    "antialias", "cubic_coeff_a", "exclude_outside", "extrapolation_value", "align_corners",
    "keep_aspect_ratio_policy", "padding_mode", "training_mode", "noop_with_empty_axes",
    "batch_dims", "reduction", "select_last_index", "upper", "direction", "stash_type",
  ]
  private static let words = [
    "", "nearest", "linear", "cubic", "constant", "reflect", "edge", "wrap", "SAME_UPPER",
    "SAME_LOWER", "VALID", "half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize",
    "pytorch_half_pixel", "floor", "ceil", "CRD", "ij,jk->ik", "nchw->nhwc", "nchw,ncHW->nc",
    "bilinear", "bicubic", "zeros", "border", "reflection", "stretch", "not_larger", "add", "none",
  ]

  private var random = SplitMix64(seed: 0)
  package private(set) var model: OnnxWriter

  package init(_ model: OnnxWriter) {
    self.model = model
    // libonnx's checker judges up to 17 and would refuse most.
    self.model.opset = max(18, model.opset)
    self.model.irVersion = 10
  }

  /// Changes the model in one place, which `seed` decides.
  package mutating func change(seed: UInt64) {
    random = SplitMix64(seed: seed)
    mutate()
  }

  private mutating func pick<T>(_ values: [T], or fallback: T) -> T {
    values.randomElement(using: &random) ?? fallback
  }

  private mutating func number() -> Int {
    Int.random(in: 0..<3, using: &random) == 0
      ? Int.random(in: -20...40, using: &random) : pick(Self.numbers, or: 0)
  }

  private mutating func index(_ count: Int) -> Int {
    Int.random(in: 0..<max(count, 1), using: &random)
  }

  private mutating func value() -> String {
    let names = model.nodes.flatMap(\.outputs) + model.initializers.map(\.name) + ["image", ""]
    return pick(names, or: "")
  }

  private mutating func attribute() -> OnnxWriter.Attribute {
    let numbers = (0..<index(9)).map { _ in number() }
    switch index(6) {
    case 0: return .int(number())
    case 1: return .float(pick([0, -1, 0.5, 1e30, .nan, .infinity], or: 0))
    case 2: return .string(pick(Self.words, or: ""))
    case 3: return .floats(numbers.map { Float($0) })
    default: return .ints(numbers)
    }
  }

  private mutating func mutate() {
    let node = index(model.nodes.count)
    switch index(13) {
    case 0, 1: mutateInitializer()
    case 2, 3, 4: mutateAttribute(node)
    case 5: model.nodes[node].opType = pick(Self.operators, or: "Relu")
    case 6: model.nodes.swapAt(node, index(model.nodes.count))
    case 7 where model.nodes.count > 1: model.nodes.remove(at: node)
    case 8: model.nodes[node].inputs.append(value())
    case 9: insertNode(before: node)
    case 10:
      let size: OnnxWriter.Dimension = .size(number())
      model.inputs[0].dims = [1, 3, size, index(2) == 0 ? size : 24]
    case 11: model.opset = pick([9, 11, 13, 17, 18, 21, 22, 25], or: 18)
    default:
      guard !model.nodes[node].inputs.isEmpty else { return }
      model.nodes[node].inputs[index(model.nodes[node].inputs.count)] = value()
    }
  }

  private mutating func mutateInitializer() {
    let place = index(model.initializers.count)
    var tensor = model.initializers[place]
    switch tensor.payload {
    case .ints(var values) where !values.isEmpty:
      values[index(values.count)] = number()
      if tensor.dims.count == 1, index(3) == 0 {
        values.append(number())
        tensor.dims = [values.count]
      }
      tensor.payload = .ints(values)
    default:
      // The data follows the sizes, so that the file stays consistent.
      guard !tensor.dims.isEmpty else { return }
      tensor.dims[index(tensor.dims.count)] = index(9)
      if index(4) == 0 { tensor.dims.shuffle(using: &random) }
      let count = tensor.dims.reduce(1, *)
      guard count < 1 << 16 else { return }
      tensor.payload = .raw(OnnxTensor.bytes(random.floats(count)))
    }
    model.initializers[place] = tensor
  }

  private mutating func mutateAttribute(_ node: Int) {
    let count = model.nodes[node].attributes.count
    guard count > 0, index(3) > 0 else {
      let name = pick(Self.attributes, or: "axis")
      return model.nodes[node].attributes.append((name: name, value: attribute()))
    }
    let place = index(count)
    switch model.nodes[node].attributes[place].value {
    case .int: model.nodes[node].attributes[place].value = .int(number())
    case .ints(var values) where !values.isEmpty:
      values[index(values.count)] = number()
      model.nodes[node].attributes[place].value = .ints(values)
    case .string: model.nodes[node].attributes[place].value = .string(pick(Self.words, or: ""))
    default: model.nodes[node].attributes[place].value = attribute()
    }
  }

  /// Puts a new operator between a value and the node that reads it.
  private mutating func insertNode(before node: Int) {
    guard let first = model.nodes[node].inputs.first else { return }
    let name = "new\(random.next())"
    let inputs = [first] + (0..<index(4)).map { _ in value() }
    model.nodes[node].inputs[0] = name
    var new = OnnxWriter.Node(pick(Self.operators, or: "Relu"), inputs, [name])
    if index(2) == 0 { new.attributes.append((pick(Self.attributes, or: "axis"), attribute())) }
    model.nodes.insert(new, at: node)
  }
}
