/// The kernel size, stride, dilation and padding of a convolution or pooling.
package struct Window: Equatable, Sendable {
  package var kernelHeight: Int
  package var kernelWidth: Int
  package var strideY = 1
  package var strideX = 1
  package var dilationY = 1
  package var dilationX = 1
  package var padTop = 0
  package var padLeft = 0
  package var padBottom = 0
  package var padRight = 0

  /// The rows and columns that the dilated kernel covers.
  package var extentY: Int { (kernelHeight - 1) * dilationY + 1 }
  package var extentX: Int { (kernelWidth - 1) * dilationX + 1 }
  /// The larger of the two strides.
  var stride: Int { max(strideY, strideX) }

  /// Reads the attributes of a node.
  ///
  /// `auto_pad` is resolved for an image of `height` × `width`.
  ///
  /// `axisCount` is 2 for images. It is 1 for signals N×C×W, whose attributes are those of the
  /// columns.
  init(
    _ node: OnnxModel.Node, kernel: (Int, Int), height: Int, width: Int, axisCount: Int
  ) throws(Das3Error) {
    (kernelHeight, kernelWidth) = kernel
    func pair(_ name: String) throws(Das3Error) -> (Int, Int)? {
      guard let values = try node.ints(name) else { return nil }
      guard values.count == axisCount, values.allSatisfy({ $0 >= 1 && $0 <= Int(Int16.max) })
      else {
        throw .shape("\(name) is \(values); expected \(axisCount) values from 1 to \(Int16.max)")
      }
      return (axisCount == 1 ? 1 : values[0], values[axisCount - 1])
    }
    if let declared = try pair("kernel_shape"), declared != kernel {
      throw .shape("kernel_shape is \(declared), but the weights are \(kernel)")
    }
    guard kernel.0 >= 1, kernel.1 >= 1, kernel.0 <= Int(Int16.max), kernel.1 <= Int(Int16.max)
    else {
      throw .shape("kernel is \(kernel.0)×\(kernel.1); expected at least 1×1")
    }
    (strideY, strideX) = try pair("strides") ?? (1, 1)
    (dilationY, dilationX) = try pair("dilations") ?? (1, 1)
    if let pads = try node.ints("pads") {
      guard pads.count == 2 * axisCount, pads.allSatisfy({ $0.magnitude <= UInt(Int16.max) })
      else {
        throw .shape("pads are \(pads); expected \(2 * axisCount) values of at most \(Int16.max)")
      }
      if axisCount == 2 { (padTop, padBottom) = (pads[0], pads[2]) }
      (padLeft, padRight) = (pads[axisCount - 1], pads[2 * axisCount - 1])
    }
    let auto = try node.string("auto_pad", default: "NOTSET")
    switch auto {
    case "NOTSET": break
    case "VALID": (padTop, padLeft, padBottom, padRight) = (0, 0, 0, 0)
    case "SAME_UPPER", "SAME_LOWER":
      func total(_ size: Int, _ stride: Int, _ extent: Int) -> Int {
        ((size + stride - 1) / stride - 1) * stride + extent - size
      }
      setPads(
        total(height, strideY, extentY), total(width, strideX, extentX),
        isUpper: auto == "SAME_UPPER")
    default:
      throw .format("auto_pad is '\(auto)'; expected NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    }
  }

  /// Divides this many rows and columns of padding between the two sides; where a number is odd,
  /// the end gets one more if `isUpper`, else the start.
  mutating func setPads(_ rows: Int, _ columns: Int, isUpper: Bool) {
    func split(_ total: Int) -> (Int, Int) {
      let (less, more) = (max(0, total) / 2, (max(0, total) + 1) / 2)
      return isUpper ? (less, more) : (more, less)
    }
    (padTop, padBottom) = split(rows)
    (padLeft, padRight) = split(columns)
  }

  /// Output size of a convolution or pooling; `roundsUp` is ceil_mode.
  package func outputSize(height: Int, width: Int, roundsUp: Bool = false) throws(Das3Error)
    -> (height: Int, width: Int)
  {
    func size(_ input: Int, _ before: Int, _ after: Int, _ extent: Int, _ stride: Int) -> Int {
      let room = input + before + after - extent
      guard room >= 0 else { return 0 }
      guard roundsUp else { return room / stride + 1 }
      let rounded = (room + stride - 1) / stride + 1
      // A window that would start in the padding after the image does not count.
      return (rounded - 1) * stride >= input + before ? rounded - 1 : rounded
    }
    let result = (
      height: size(height, padTop, padBottom, extentY, strideY),
      width: size(width, padLeft, padRight, extentX, strideX)
    )
    guard result.height > 0, result.width > 0 else {
      throw .shape(
        "a window of \(extentY)×\(extentX) does not fit an image of \(height)×\(width) with pads "
          + "\(padTop), \(padLeft), \(padBottom), \(padRight)")
    }
    return result
  }
}

/// 2-D convolution: x N×C×H×W, weights O×C/groups×KH×KW, optional bias O.
package struct Conv: OperatorRules {
  package var window: Window
  package var groups: Int

  /// Whether each pixel of the output is made of the pixel of the input at the same place alone.
  var isPointwise: Bool {
    window.extentY == 1 && window.extentX == 1 && window.stride == 1 && window.padTop == 0
      && window.padLeft == 0 && window.padBottom == 0 && window.padRight == 0
  }

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    let x = inputs[0].shape
    let w = inputs[1].shape
    guard w[1] * groups == x[1], w[0] % groups == 0, w[0] > 0, x[1] > 0 else {
      throw .shape("weights \(w) with \(groups) groups do not fit an input of \(x[1]) channels")
    }
    if inputs.count > 2, inputs[2].shape.dims != [w[0]] {
      throw .shape("bias is \(inputs[2].shape); expected \(w[0])")
    }
    let size = try window.outputSize(height: x[2], width: x[3])
    return ValueInfo([x[0], w[0], size.height, size.width])
  }

  var facts: OperatorFacts {
    .layer(
      .layer, spacing: .times(window.stride), placement: .whereKernelCan,
      multiplyAdds: { (inputs, output) in
        Double(output.elementCount) * Double(inputs[1].elementCount / max(1, inputs[1][0]))
      },
      derivative: { (step, dy, planner) in
        // The derivative has the shape of the input.
        let x = step.inputs[0].shape
        let adjoint = ConvTranspose(
          window: window, groups: groups, outputHeight: x[2], outputWidth: x[3])
        planner.differentiateConv(step, dy, adjoint: .convTranspose(adjoint))
      })
  }

  func folded(_: [ConstantTensor], _: ValueInfo) -> ConstantTensor? { nil }

  func lower(_ node: Graph.Node, by planner: inout Planner) { planner.lowerImage(node) }
}

/// 2-D transposed convolution: x N×C×H×W, weights C×O/groups×KH×KW, optional bias O.
///
/// y[i·stride + k·dilation − pad] += x[i]·w[k].
package struct ConvTranspose: OperatorRules {
  package var window: Window
  package var groups: Int
  package var outputHeight: Int
  package var outputWidth: Int

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    let x = inputs[0].shape
    let w = inputs[1].shape
    guard w[0] == x[1], groups > 0, x[1] % groups == 0, x[1] > 0, w[1] > 0 else {
      throw .shape("weights \(w) with \(groups) groups do not fit an input of \(x[1]) channels")
    }
    if inputs.count > 2, inputs[2].shape.dims != [w[1] * groups] {
      throw .shape("bias is \(inputs[2].shape); expected \(w[1] * groups)")
    }
    guard outputHeight > 0, outputWidth > 0 else {
      throw .shape("the output would be \(outputHeight)×\(outputWidth)")
    }
    return ValueInfo([x[0], w[1] * groups, outputHeight, outputWidth])
  }

  var facts: OperatorFacts {
    .layer(
      .layer, spacing: .dividedBy(window.stride), placement: .whereKernelCan,
      multiplyAdds: { (inputs, _) in
        Double(inputs[0].elementCount) * Double(inputs[1].elementCount / max(1, inputs[1][0]))
      },
      derivative: { (step, dy, planner) in
        let adjoint = Conv(window: window, groups: groups)
        planner.differentiateConv(step, dy, adjoint: .conv(adjoint))
      })
  }

  func folded(_: [ConstantTensor], _: ValueInfo) -> ConstantTensor? { nil }

  func lower(_ node: Graph.Node, by planner: inout Planner) { planner.lowerImage(node) }
}

extension GraphBuilder {
  static let convolutionImporters: [String: Importer] = [
    "Conv": Importer(weights: [1, 2]) { (builder, node) throws(Das3Error) in
      try builder.importConvolution(node, transposed: false)
    },
    "ConvTranspose": Importer(weights: [1, 2]) { (builder, node) throws(Das3Error) in
      try builder.importConvolution(node, transposed: true)
    },
  ]

  private mutating func importConvolution(_ node: Node, transposed: Bool)
    throws(Das3Error) -> ValueID
  {
    var x = try input(node, 0)
    var w = try input(node, 1)
    let bias = try optionalInput(node, 2)
    guard shape(x).rank == shape(w).rank, (3...4).contains(shape(x).rank) else {
      throw .unsupported(
        "input of \(shape(x)) with weights of \(shape(w)); expected signals N×C×W or images N×C×H×W"
      )
    }
    let axisCount = shape(x).rank - 2
    (x, w) = (try image(x), try image(w))
    let groups = try node.int("group", default: 1)
    guard groups >= 1, groups <= max(1, shape(x)[1]) else {
      throw .shape("group is \(groups) for an input of \(shape(x)[1]) channels")
    }
    let (height, width) = (shape(x)[2], shape(x)[3])
    var window = try Window(
      node, kernel: (shape(w)[2], shape(w)[3]), height: height, width: width, axisCount: axisCount)
    let inputs = [x, w] + (bias.map { [$0] } ?? [])
    let operation: Operator
    if transposed {
      let size = try transposedSize(
        node, &window, height: height, width: width, axisCount: axisCount)
      operation = .convTranspose(
        ConvTranspose(window: window, groups: groups, outputHeight: size.0, outputWidth: size.1))
    } else {
      let conv = Conv(window: window, groups: groups)
      if let sum = try convolvedBeforeEnlarging(x, w, bias: bias, conv) {
        return try restored(sum, axisCount: axisCount)
      }
      operation = .conv(conv)
    }
    return try restored(emit(operation, inputs), axisCount: axisCount)
  }

  /// Turns a signal N×C×W into an image of one row; returns an image unchanged.
  mutating func image(_ id: ValueID) throws(Das3Error) -> ValueID {
    let dims = shape(id).dims
    return dims.count == 3 ? try reshape(id, [dims[0], dims[1], 1, dims[2]]) : id
  }

  /// Undoes `image` for signals, which have one axis.
  mutating func restored(_ id: ValueID, axisCount: Int) throws(Das3Error) -> ValueID {
    let dims = shape(id).dims
    return axisCount == 1 ? try reshape(id, [dims[0], dims[1], dims[3]]) : id
  }

  /// The output size of a ConvTranspose.
  ///
  /// Sets the pads where `output_shape` or `auto_pad` decide them.
  private func transposedSize(
    _ node: Node, _ window: inout Window, height: Int, width: Int, axisCount: Int
  ) throws(Das3Error) -> (Int, Int) {
    var extra = try node.ints("output_padding") ?? [Int](repeating: 0, count: axisCount)
    guard extra.count == axisCount, extra.allSatisfy({ $0 >= 0 && $0 <= Int(Int16.max) }) else {
      throw .shape("output_padding is \(extra); expected \(axisCount) values from 0")
    }
    if axisCount == 1 { extra.insert(0, at: 0) }
    let auto = try node.string("auto_pad", default: "NOTSET")
    let fullHeight = (height - 1) * window.strideY + window.extentY + extra[0]
    let fullWidth = (width - 1) * window.strideX + window.extentX + extra[1]
    var wanted = try node.ints("output_shape")
    if auto.hasPrefix("SAME"), wanted == nil {
      wanted = [height * window.strideY, width * window.strideX].suffix(axisCount)
    }
    if let wanted {
      guard wanted.count >= axisCount else {
        throw .shape("output_shape is \(wanted); expected \(axisCount) sizes")
      }
      let size = (axisCount == 1 ? height : wanted[wanted.count - 2], wanted[wanted.count - 1])
      guard size.0 > 0, size.1 > 0, size.0 <= 1 << 20, size.1 <= 1 << 20 else {
        throw .shape("output_shape is \(wanted)")
      }
      // The same limit as for pads that the file states.
      guard max(fullHeight - size.0, fullWidth - size.1) <= Int(Int16.max) else {
        throw .shape("output_shape is \(wanted) of \(fullHeight)×\(fullWidth)")
      }
      window.setPads(fullHeight - size.0, fullWidth - size.1, isUpper: auto == "SAME_UPPER")
      return size
    }
    return (
      fullHeight - window.padTop - window.padBottom, fullWidth - window.padLeft - window.padRight
    )
  }
}
