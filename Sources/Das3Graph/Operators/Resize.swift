/// Linear interpolation of height and width: y[i] = x[low] + (x[high] − x[low]) · weight.
package struct Resize: OperatorRules {
  /// A resized axis: for each output position two source positions and the weight of the second.
  ///
  /// The weight −1 marks a position outside the image, which gets `fill`.
  package struct Axis: Sendable {
    package var low: [Int32]
    package var high: [Int32]
    package var weight: [Float]

    /// An axis that keeps its size.
    package static func identity(_ size: Int) -> Self {
      let positions = Array(0..<Int32(size))
      return Self(low: positions, high: positions, weight: [Float](repeating: 0, count: size))
    }

    /// Linear interpolation with half-pixel centres and without antialiasing, as for frames and
    /// logits.
    package static func halfPixel(from size: Int, to target: Int) -> Self {
      ResizeCoordinates(
        mode: .halfPixel, inputSize: size, outputSize: target,
        scale: Double(target) / Double(size)
      ).linearAxis()
    }

    /// The same of a part of the image alone.
    package static func halfPixel(from part: Range<Int>, to target: Int) -> Self {
      var axis = halfPixel(from: part.count, to: target)
      let start = Int32(part.lowerBound)
      for index in axis.low.indices {
        axis.low[index] += start
        axis.high[index] += start
      }
      return axis
    }
  }

  /// nil = the axis keeps its size.
  package var axes: [Axis?]
  package var fill: Float = 0

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    var dims = inputs[0].shape.dims
    for (index, axis) in axes.enumerated() {
      guard let axis else { continue }
      guard dims.count == 4, index >= 2 else {
        throw .unsupported(
          "linear resizing of axis \(index) of \(inputs[0].shape); expected height and width of N×C×H×W"
        )
      }
      dims[index] = axis.low.count
    }
    return ValueInfo(Shape(dims))
  }

  var facts: OperatorFacts {
    .kernel(spacing: .enlarged, placement: .always, derivative: .step(reads: .none))
  }

  func folded(_: [ConstantTensor], _: ValueInfo) -> ConstantTensor? { nil }
  func lower(_ node: Graph.Node, by planner: inout Planner) { planner.lowerImage(node) }
}

/// The source position of each output position, by the coordinate modes of ONNX.
struct ResizeCoordinates {
  enum Mode: String {
    case halfPixel = "half_pixel"
    case halfPixelSymmetric = "half_pixel_symmetric"
    case pytorchHalfPixel = "pytorch_half_pixel"
    case alignCorners = "align_corners"
    case asymmetric
    case tfHalfPixelForNearest = "tf_half_pixel_for_nn"
    case tfCropAndResize = "tf_crop_and_resize"
  }

  var mode: Mode
  var inputSize: Int
  var outputSize: Int
  /// The scale in the file, or the quotient of the sizes where the file has sizes.
  var scale: Double
  /// Whether the file has scales, which are float32.
  var isScaled = false
  var start = 0.0
  var end = 1.0

  private func source<T: BinaryFloatingPoint>(_ x: T) -> T {
    let (input, output) = (T(inputSize), T(outputSize))
    let (scale, start, end) = (T(scale), T(start), T(end))
    switch mode {
    case .halfPixel: return (x + 0.5) / scale - 0.5
    case .halfPixelSymmetric:
      let adjustment = output / (scale * input)
      return input / 2 * (1 - adjustment) + (x + 0.5) / scale - 0.5
    case .pytorchHalfPixel: return outputSize > 1 ? (x + 0.5) / scale - 0.5 : 0
    case .alignCorners:
      // `scale * input` is the output size before it is rounded down.
      return outputSize > 1 ? x * (input - 1) / (scale * input - 1) : 0
    case .asymmetric: return x / scale
    case .tfHalfPixelForNearest: return (x + 0.5) / scale
    case .tfCropAndResize:
      return outputSize > 1
        ? start * (input - 1) + x * (end - start) * (input - 1) / (output - 1)
        : 0.5 * (start + end) * (input - 1)
    }
  }

  private func isOutside(_ position: Double) -> Bool {
    mode == .tfCropAndResize && (position < 0 || position > Double(inputSize - 1))
  }

  /// Checks that every source position is finite, so that it can be rounded to an index.
  ///
  /// - Throws: `.shape` where it is not.
  func check() throws(Das3Error) {
    guard (0..<outputSize).allSatisfy({ source(Double($0)).isFinite }) else {
      throw .shape("scale \(scale) and roi from \(start) to \(end) lead to no position")
    }
  }

  func linearAxis() -> Resize.Axis {
    var axis = Resize.Axis(low: [], high: [], weight: [])
    for index in 0..<outputSize {
      let position = source(Double(index))
      let clamped = min(max(position, 0), Double(inputSize - 1))
      let low = Int(clamped.rounded(.down))
      axis.low.append(Int32(low))
      axis.high.append(Int32(min(low + 1, inputSize - 1)))
      axis.weight.append(isOutside(position) ? -1 : Float(clamped - Double(low)))
    }
    return axis
  }

  /// The table of the weights of all positions within the reach of the filter.
  func table(_ filter: ResizeFilter) -> Resample.Table {
    var table = Resample.Table()
    let shrink = filter.isAntialiased ? min(scale, 1) : 1
    for index in 0..<outputSize {
      let position = source(Double(index))
      guard !isOutside(position) else {
        table.append([])
        continue
      }
      let first = Int((position - filter.reach / shrink).rounded(.up))
      let last = Int((position + filter.reach / shrink).rounded(.down))
      var terms: [(position: Int, weight: Double)] = []
      var sum = 0.0
      for neighbour in first...max(first, last) {
        let inside = min(max(neighbour, 0), inputSize - 1)
        guard inside == neighbour || !filter.excludesOutside else { continue }
        let weight = filter.weight((Double(neighbour) - position) * shrink)
        terms.append((inside, weight))
        sum += weight
      }
      table.append(sum == 0 ? [] : terms.map { ($0.position, $0.weight / sum) })
    }
    return table
  }

  /// The nearest source position of each output position; −1 = outside.
  func nearestTable(rounding: String) throws(Das3Error) -> [Int32] {
    var table: [Int32] = []
    for index in 0..<outputSize {
      // Other runtimes compute in float32, in which 11 / 2.2 is 5; in double it is less than 5.
      let single = isScaled ? Double(source(Float(index))) : .nan
      // The float32 result may be infinite or NaN where the double result is finite.
      let position = single.isFinite ? single : source(Double(index))
      let rounded: Double
      switch rounding {
      case "round_prefer_floor": rounded = (position - 0.5).rounded(.up)
      case "round_prefer_ceil": rounded = (position + 0.5).rounded(.down)
      case "floor": rounded = position.rounded(.down)
      case "ceil": rounded = position.rounded(.up)
      default: throw .format("nearest_mode is '\(rounding)'")
      }
      table.append(
        isOutside(position) ? -1 : Int32(min(max(rounded, 0), Double(inputSize - 1))))
    }
    return table
  }
}

extension GraphBuilder {
  static let resizeImporters: [String: Importer] = [
    "Resize": .ofInput(configuration: [1, 2, 3]) { (builder, node, x) throws(Das3Error) in
      try builder.importResize(node, x)
    },
    "Upsample": .ofInput(configuration: [1]) { (builder, node, x) throws(Das3Error) in
      try builder.importResize(node, x)
    },
  ]

  private mutating func importResize(_ node: Node, _ x: ValueID) throws(Das3Error) -> ValueID {
    let shape = shape(x)
    let isUpsample = node.opType == "Upsample"
    let mode = try node.string("mode", default: "nearest")
    let filter = try resizeFilter(node, mode)
    let isLegacy = isUpsample || model.opset == 10
    let name = isLegacy ? "asymmetric" : "half_pixel"
    let stated = try node.string("coordinate_transformation_mode", default: name)
    guard let coordinates = ResizeCoordinates.Mode(rawValue: stated) else {
      throw .unsupported("coordinate_transformation_mode '\(stated)'")
    }
    let policy = try node.string("keep_aspect_ratio_policy", default: "stretch")
    let axes = try shape.axes(node.ints("axes") ?? Array(0..<shape.rank))
    let sizes = try isLegacy ? nil : configuration(node, 3, "sizes")?.ints
    var scales = try node.floats("scales")
    if scales == nil { scales = try configuration(node, isLegacy ? 1 : 2, "scales")?.floats }
    if sizes != nil { scales = nil }
    if let sizes, sizes.contains(where: { $0 <= 0 }) { throw .shape("sizes are \(sizes)") }
    guard (sizes?.count ?? scales?.count) == axes.count else {
      throw .shape("\(sizes?.count ?? scales?.count ?? 0) scales or sizes for \(axes.count) axes")
    }
    let region = try configuration(node, 1, "roi")?.floats ?? []
    let fill = try node.float("extrapolation_value", default: 0)

    var resized: [ResizedAxis] = []
    var tables = [[Int32]?](repeating: nil, count: shape.rank)
    let common = try aspectScale(policy, sizes, axes, shape)
    for (position, axis) in axes.enumerated() {
      let size = shape[axis]
      guard size > 0 else { throw .shape("input is \(shape); nothing to resize") }
      var scale = Double(scales?[position] ?? 1)
      var target: Int
      if let sizes {
        target = Int(sizes[position])
        if let common {
          guard (0..<1e9).contains(Double(size) * common) else {
            throw .shape("sizes are \(sizes)")
          }
          target = Int((common * Double(size)).rounded(.toNearestOrAwayFromZero))
        }
        scale = common ?? Double(target) / Double(size)
      } else {
        guard scale > 0, scale.isFinite, Double(size) * scale < 1e9 else {
          throw .shape("scale \(scale) of axis \(axis); expected a positive number")
        }
        target = Int((Double(size) * scale).rounded(.down))
      }
      guard target > 0, target <= Shape.maximumElementCount else {
        throw .shape("axis \(axis) of \(shape) would be resized to \(target)")
      }
      guard target != size || scale != 1 || coordinates == .tfCropAndResize else { continue }
      try reserve(target)
      var source = ResizeCoordinates(
        mode: coordinates, inputSize: size, outputSize: target, scale: scale,
        isScaled: sizes == nil)
      if coordinates == .tfCropAndResize {
        guard region.count == 2 * axes.count, region.allSatisfy(\.isFinite) else {
          throw .shape("roi has \(region.count) values; expected \(2 * axes.count) numbers")
        }
        source.start = Double(region[position])
        source.end = Double(region[position + axes.count])
        if target == size, source.start == 0, source.end == 1 { continue }
      }
      try source.check()
      if let filter {
        let reach = filter.reach * (filter.isAntialiased ? max(1, 1 / scale) : 1)
        try reserve(Shape([target, 2 * Int(reach) + 1]).validated().elementCount)
        resized.append(ResizedAxis(axis: axis, coordinates: source))
      } else {
        // Opset 10 does not define the rounding. ONNX Runtime rounds down when it enlarges and up
        // when it reduces.
        let legacy = scale < 1 ? "ceil" : "floor"
        let rounding = isLegacy ? legacy : "round_prefer_floor"
        tables[axis] = try source.nearestTable(
          rounding: node.string("nearest_mode", default: rounding))
      }
    }
    if let filter {
      return try resize(x, resized, filter, fill: fill)
    } else if tables.contains(where: { $0 != nil }) {
      return try emit(.index(Index(tables: tables, fill: fill)), [x])
    } else {
      return x
    }
  }

  private struct ResizedAxis {
    var axis: Int
    var coordinates: ResizeCoordinates
  }

  /// Resizes height and width of images bilinearly in one pass, and everything else axis by axis.
  private mutating func resize(
    _ x: ValueID, _ resized: [ResizedAxis], _ filter: ResizeFilter, fill: Float
  ) throws(Das3Error) -> ValueID {
    let rank = shape(x).rank
    if case .linear = filter.shape, !filter.isAntialiased, rank == 4, !resized.isEmpty,
      resized.allSatisfy({ $0.axis >= 2 })
    {
      var axes = [Resize.Axis?](repeating: nil, count: rank)
      for entry in resized { axes[entry.axis] = entry.coordinates.linearAxis() }
      return try emit(.resize(Resize(axes: axes, fill: fill)), [x])
    }
    var result = x
    // The axis that shrinks most comes first, so that less remains for the others.
    for entry in resized.sorted(by: { $0.coordinates.scale < $1.coordinates.scale }) {
      let table = entry.coordinates.table(filter)
      result = try emit(
        .resample(Resample(axis: entry.axis, table: table, fill: fill)), [result])
    }
    return result
  }

  /// The filter of a Resize; nil = nearest.
  private func resizeFilter(_ node: Node, _ mode: String) throws(Das3Error) -> ResizeFilter? {
    let shape: ResizeFilter.Shape
    switch mode {
    case "nearest": return nil
    case "linear", "bilinear": shape = .linear
    case "cubic":
      shape = .cubic(a: Double(try node.float("cubic_coeff_a", default: -0.75)))
    default: throw .unsupported("mode '\(mode)'; expected nearest, linear or cubic")
    }
    return ResizeFilter(
      shape: shape, isAntialiased: try node.int("antialias", default: 0) != 0,
      excludesOutside: try node.int("exclude_outside", default: 0) != 0)
  }

  /// The common scale of all axes where the aspect ratio is kept; nil = the sizes are used as they
  /// are.
  private func aspectScale(_ policy: String, _ sizes: [Int64]?, _ axes: [Int], _ shape: Shape)
    throws(Das3Error) -> Double?
  {
    guard policy != "stretch", let sizes else { return nil }
    let ratios = zip(sizes, axes).map { Double($0) / Double(max(1, shape[$1])) }
    switch policy {
    case "not_larger": return ratios.min()
    case "not_smaller": return ratios.max()
    default: throw .format("keep_aspect_ratio_policy is '\(policy)'")
    }
  }
}
