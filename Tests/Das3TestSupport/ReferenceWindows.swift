/// A window on one axis: where it starts and which input positions it sees.
private struct WindowAxis {
  var input: Int
  var kernel: Int
  var stride: Int
  var dilation: Int
  var before: Int
  var after: Int

  var extent: Int { (kernel - 1) * dilation + 1 }

  func outputSize(roundsUp: Bool) -> Int {
    let room = Double(input + before + after - extent) / Double(stride)
    guard roundsUp else { return Int(room.rounded(.down)) + 1 }
    let size = Int(room.rounded(.up)) + 1
    return (size - 1) * stride >= input + before ? size - 1 : size
  }
}

extension ReferenceNode {
  fileprivate func window(kernel: [Int], image: [Int]) -> [WindowAxis] {
    let strides = ints("strides") ?? [1, 1]
    let dilations = ints("dilations") ?? [1, 1]
    let pads = ints("pads") ?? [0, 0, 0, 0]
    let auto = string("auto_pad", "NOTSET")
    return (0..<2).map { k in
      var axis = WindowAxis(
        input: image[k], kernel: kernel[k], stride: strides[k], dilation: dilations[k],
        before: pads[k], after: pads[k + 2])
      switch auto {
      case "VALID": (axis.before, axis.after) = (0, 0)
      case "SAME_UPPER", "SAME_LOWER":
        let output = Int((Double(axis.input) / Double(axis.stride)).rounded(.up))
        let total = max(0, (output - 1) * axis.stride + axis.extent - axis.input)
        axis.before = auto == "SAME_UPPER" ? total / 2 : (total + 1) / 2
        axis.after = total - axis.before
      default: break
      }
      return axis
    }
  }
}

extension Reference {
  static let windows: [String: Body] = [
    "Conv": alsoOfSignals(convolution),
    "ConvTranspose": alsoOfSignals(transposedConvolution),
    "MaxPool": alsoOfSignals { node in
      pool(node) { values, _ in values.reduce(-.infinity) { max($0, $1) } }
    },
    "AveragePool": alsoOfSignals { node in
      let countsPadding = node.int("count_include_pad", 0) != 0
      return pool(node) { values, padded in
        values.reduce(0, +) / Double(countsPadding ? padded : values.count)
      }
    },
    "GlobalAveragePool": { node in
      [globalPool(node.x) { $0.reduce(0, +) / Double($0.count) }]
    },
    "GlobalMaxPool": { node in [globalPool(node.x) { $0.reduce(-.infinity) { max($0, $1) } }] },
  ]

  /// A signal is an image of one row, its window one of one row: "the 1-D case of the 2-D one".
  private static func alsoOfSignals(
    _ body: @escaping @Sendable (ReferenceNode) -> ReferenceTensor
  ) -> Body {
    { node in
      guard node.x.dims.count == 3 else { return [body(node)] }
      let neutral = [
        "strides": [1], "dilations": [1], "kernel_shape": [1], "pads": [0, 0],
        "output_padding": [0], "output_shape": [1],
      ]
      var line = node.node
      line.attributes = line.attributes.map { (name, value) in
        guard case .ints(let own) = value, let first = neutral[name] else { return (name, value) }
        return (
          name,
          .ints(first.count == 1 ? first + own : [first[0], own[0], first[1], own[1]])
        )
      }
      let inputs = node.inputs.map { tensor in
        tensor.map {
          $0.dims.count == 3 ? $0.reshaped([$0.dims[0], $0.dims[1], 1, $0.dims[2]]) : $0
        }
      }
      let y = body(ReferenceNode(node: line, opset: node.opset, inputs: inputs))
      return [y.reshaped([y.dims[0], y.dims[1], y.dims[3]])]
    }
  }

  /// y[n,o,i,j] = b[o] + Σ_{c,k,l} w[o,c,k,l] · x[n, g·C/G + c, i·s + k·d − p, j·s + l·d − p].
  private static func convolution(_ node: ReferenceNode) -> ReferenceTensor {
    let (x, w) = (node.x, node[1])
    let groups = node.int("group", 1)
    let (height, width) = (x.dims[2], x.dims[3])
    let (outputs, depth, rows, columns) = (w.dims[0], w.dims[1], w.dims[2], w.dims[3])
    let axes = node.window(kernel: [rows, columns], image: [height, width])
    let size = axes.map { $0.outputSize(roundsUp: false) }
    let bias = node.optional(2)?.values
    return ReferenceTensor([x.dims[0], outputs, size[0], size[1]]) { at in
      let firstChannel = at[1] / (outputs / groups) * depth
      var sum = bias?[at[1]] ?? 0
      for c in 0..<depth {
        for k in 0..<rows {
          let i = at[2] * axes[0].stride + k * axes[0].dilation - axes[0].before
          guard i >= 0, i < height else { continue }
          for l in 0..<columns {
            let j = at[3] * axes[1].stride + l * axes[1].dilation - axes[1].before
            guard j >= 0, j < width else { continue }
            sum +=
              w.values[((at[1] * depth + c) * rows + k) * columns + l]
              * x.values[((at[0] * x.dims[1] + firstChannel + c) * height + i) * width + j]
          }
        }
      }
      return sum
    }
  }

  /// y[n, o, i·s + k·d − p, j·s + l·d − p] receives x[n,c,i,j] · w[c,o,k,l].
  private static func transposedConvolution(_ node: ReferenceNode) -> ReferenceTensor {
    let (x, w) = (node.x, node[1])
    let groups = node.int("group", 1)
    let perGroup = w.dims[1]
    let axes = node.window(kernel: Array(w.dims[2...]), image: Array(x.dims[2...]))
    let extra = node.ints("output_padding") ?? [0, 0]
    let auto = node.string("auto_pad", "NOTSET")
    var begin = [0, 0]
    var size = [0, 0]
    for k in 0..<2 {
      let full = (axes[k].input - 1) * axes[k].stride + axes[k].extent + extra[k]
      let pads = node.ints("pads") ?? [0, 0, 0, 0]
      (begin[k], size[k]) = (pads[k], full - pads[k] - pads[k + 2])
      let isSame = auto.hasPrefix("SAME")
      if let wanted = node.ints("output_shape")?[k]
        ?? (isSame ? axes[k].input * axes[k].stride : nil)
      {
        let total = max(0, full - wanted)
        begin[k] = auto == "SAME_UPPER" ? total / 2 : total - total / 2
        size[k] = wanted
      }
    }
    let outputs = perGroup * groups
    let bias = node.optional(2)?.values
    var y = ReferenceTensor([x.dims[0], outputs, size[0], size[1]]) { bias?[$0[1]] ?? 0 }
    let inputsPerGroup = x.dims[1] / groups
    for n in 0..<x.dims[0] {
      for c in 0..<x.dims[1] {
        for o in 0..<perGroup {
          for i in 0..<x.dims[2] {
            for j in 0..<x.dims[3] {
              for k in 0..<w.dims[2] {
                let row = i * axes[0].stride + k * axes[0].dilation - begin[0]
                guard row >= 0, row < size[0] else { continue }
                for l in 0..<w.dims[3] {
                  let column = j * axes[1].stride + l * axes[1].dilation - begin[1]
                  guard column >= 0, column < size[1] else { continue }
                  y[[n, c / inputsPerGroup * perGroup + o, row, column]] +=
                    x[[n, c, i, j]] * w[[c, o, k, l]]
                }
              }
            }
          }
        }
      }
    }
    return y
  }

  /// `body` sees the values under the window and how many of its cells lie in the padded image.
  private static func pool(_ node: ReferenceNode, _ body: ([Double], Int) -> Double)
    -> ReferenceTensor
  {
    let x = node.x
    let kernel = node.ints("kernel_shape") ?? [1, 1]
    let axes = node.window(kernel: kernel, image: Array(x.dims[2...]))
    let size = axes.map { $0.outputSize(roundsUp: node.int("ceil_mode", 0) != 0) }
    return ReferenceTensor([x.dims[0], x.dims[1], size[0], size[1]]) { at in
      var values: [Double] = []
      var padded = 0
      for k in 0..<kernel[0] {
        let i = at[2] * axes[0].stride + k * axes[0].dilation - axes[0].before
        for l in 0..<kernel[1] {
          let j = at[3] * axes[1].stride + l * axes[1].dilation - axes[1].before
          guard i < x.dims[2] + axes[0].after, j < x.dims[3] + axes[1].after else { continue }
          padded += 1
          guard i >= 0, i < x.dims[2], j >= 0, j < x.dims[3] else { continue }
          values.append(x[[at[0], at[1], i, j]])
        }
      }
      return body(values, padded)
    }
  }

  private static func globalPool(_ x: ReferenceTensor, _ body: ([Double]) -> Double)
    -> ReferenceTensor
  {
    let count = x.dims[2...].reduce(1, *)
    let ones = [Int](repeating: 1, count: x.dims.count - 2)
    return ReferenceTensor(Array(x.dims[..<2]) + ones) { at in
      let first = (at[0] * x.dims[1] + at[1]) * count
      return body(Array(x.values[first..<first + count]))
    }
  }
}
