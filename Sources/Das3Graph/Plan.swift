/// A graph as a list of steps on buffers: what runs, in which order, on which memory.
///
/// Images are stored channels last (NHWC). Every value is a strided view of a buffer, so
/// transposing, slicing, repeating and most reshaping cost nothing. Steps that depend on weights
/// alone are static: they run once for each set of weights, not for each frame.
///
/// In a plan for training, the steps from `forwardCount` on are the backward pass. Between the two
/// passes the caller writes the derivative of the loss by each output into `outputGradients`.
package struct Plan: Sendable {
  /// The owner of the memory of a buffer, which decides how long its content lasts.
  package enum Region: Sendable {
    /// The arena of one frame; buffers whose lifetimes do not overlap share its memory.
    case frame
    /// Memory that is filled once for each model: constants and the results of static steps.
    case model
    /// The flat weight vector itself.
    case parameter
    /// The derivative of the loss by the flat weight vector; backward passes add to it.
    case gradient
  }

  package struct Buffer: Sendable {
    package var region: Region
    package var elementCount: Int
    /// Its first element within the region.
    package var offset = 0
    /// The first and the last step that use it; set when memory is assigned.
    package var firstStep = Int.max
    package var lastStep = -1
    /// The values that it holds from the start.
    package var constant: ConstantTensor?
    /// Whether it depends on trained parameters through differentiable steps.
    package var isTracked = false
  }

  /// Elements of a buffer seen as a tensor.
  ///
  /// Strides count elements and are 0 where a dimension repeats.
  package struct View: Sendable, Equatable {
    package var buffer: Int
    package var offset: Int
    package var shape: Shape
    package var strides: [Int]

    package init(buffer: Int, offset: Int = 0, shape: Shape, strides: [Int]) {
      self.buffer = buffer
      self.offset = offset
      self.shape = shape
      self.strides = strides
    }

    /// A dense image, N×C×H×W by name and NHWC in memory, at the start of a buffer.
    package init(image shape: Shape, buffer: Int) {
      self.init(buffer: buffer, shape: shape, strides: shape.strides(order: [0, 2, 3, 1]))
    }
  }

  /// One element-wise function of a chain, applied to a result while it is in the cache.
  package struct Stage: Sendable {
    package enum Function: Sendable {
      case unary(Unary)
      /// A function of the running value and an operand.
      ///
      /// `isReversed`: the running value comes second.
      case binary(Binary.Kind, isReversed: Bool)
      /// Normalisation; the operands are scale, shift, mean and variance for each channel.
      case normalize(epsilon: Float)
    }
    package enum Extent: Sendable { case none, scalar, channel, full }

    package var function: Function
    package var extent: Extent
    package var operands: [View]

    package init(function: Function, extent: Extent, operands: [View]) {
      self.function = function
      self.extent = extent
      self.operands = operands
    }
  }

  package struct Step: Sendable {
    package indirect enum Work: Sendable {
      case operation(Operator)
      /// Copies the elements of the input into the layout of the output.
      case copy
      /// Applies the chain to the input and does nothing else.
      case elementwise
      /// Computes mean and variance of the input for each channel (2×C), and moves the running
      /// ones, which are the other inputs, towards them by `momentum`.
      case statistics(momentum: Float)
      /// Computes the derivative of an earlier step; `output` is its first target.
      case gradient(Gradient)
      /// Adds the input to the output; where a stride of the output is 0 this is a sum.
      case accumulate
      /// Fills the output with zeros.
      case clear
    }

    /// The name of the node that it was made from, for reports.
    package var name: String
    package var work: Work
    package var inputs: [View]
    package var output: View
    package var chain: [Stage] = []
    package var isStatic: Bool
  }

  /// The derivative of the loss by the inputs of an earlier step, from the derivative by its
  /// output.
  package struct Gradient: Sendable {
    package struct Target: Sendable {
      package var view: View
      /// Adds to the present values instead of overwriting them.
      package var accumulates: Bool
    }

    /// The earlier step, with its views at the time when the derivative is computed.
    package var step: Step
    package var outputGradient: View
    /// One for each input of the step; nil = this derivative is not wanted.
    package var inputs: [Target?]
    /// One for each operand of each stage of the chain of the step.
    package var operands: [[Target?]]
    /// Which inputs of the earlier step are read again.
    package var readsInput: [Bool]
    package var readsOutput = false
    package var readsOperands = false
  }

  package var buffers: [Buffer] = []
  package var steps: [Step] = []
  /// The number of steps of the forward pass.
  package var forwardCount = 0
  package var inputs: [View] = []
  package var outputs: [View] = []
  /// The views for the derivative of the loss by each output; empty in plans without training.
  package var outputGradients: [View] = []
  /// The number of elements of each region.
  ///
  /// Parameters and gradients are as long as the weight vector.
  package var frameElementCount = 0
  package var modelElementCount = 0
  /// How long the search for activations to compute again was.
  package var recomputeSearch = RecomputeSearch()

  package func isStatic(_ view: View) -> Bool {
    switch buffers[view.buffer].region {
    case .model, .parameter: true
    case .frame, .gradient: false
    }
  }
}

extension Plan.Step {
  /// The views whose content the step needs.
  package var reads: [Plan.View] {
    switch work {
    case .operation, .copy, .elementwise, .statistics: inputs + chain.flatMap(\.operands)
    case .accumulate: inputs + [output]
    case .clear: []
    case .gradient(let gradient): gradient.reads
    }
  }

  /// The views whose content the step writes.
  package var writes: [Plan.View] {
    switch work {
    case .operation, .copy, .elementwise, .statistics, .accumulate, .clear: [output]
    case .gradient(let gradient): gradient.targets.map(\.view)
    }
  }

  /// The same step on other memory.
  package func mapped(_ move: (Plan.View) -> Plan.View) -> Self {
    var step = self
    step.inputs = inputs.map(move)
    step.output = move(output)
    for index in chain.indices { step.chain[index].operands = chain[index].operands.map(move) }
    if case .gradient(var gradient) = work {
      gradient.step = gradient.step.mapped(move)
      gradient.outputGradient = move(gradient.outputGradient)
      func moved(_ target: Plan.Gradient.Target?) -> Plan.Gradient.Target? {
        target.map { Plan.Gradient.Target(view: move($0.view), accumulates: $0.accumulates) }
      }
      gradient.inputs = gradient.inputs.map(moved)
      gradient.operands = gradient.operands.map { $0.map(moved) }
      step.work = .gradient(gradient)
    }
    return step
  }
}

extension Plan.Gradient {
  package var targets: [Target] { (inputs + operands.flatMap { $0 }).compactMap { $0 } }

  fileprivate var reads: [Plan.View] {
    var views = [outputGradient]
    for (index, isRead) in readsInput.enumerated() where isRead { views.append(step.inputs[index]) }
    if readsOutput { views.append(step.output) }
    if readsOperands { views += step.chain.flatMap(\.operands) }
    return views + targets.filter(\.accumulates).map(\.view)
  }
}

extension Plan.View {
  package var isEmpty: Bool { shape.elementCount == 0 }

  /// The axes with more than one element, outermost in memory first.
  package var memoryOrder: [Int] {
    shape.dims.indices.filter { shape[$0] > 1 }.sorted {
      strides[$0] == strides[$1] ? $0 < $1 : strides[$0] > strides[$1]
    }
  }

  /// A tensor seen as rows of channels, which is how element-wise kernels process it.
  package struct Rows: Equatable {
    package var count: Int
    package var channels: Int
    /// The distance from one row to the next, in elements.
    package var stride: Int
    /// All axes with more than one element, outermost first; the last is the axis of the channels.
    package var order: [Int]
    package var channelAxis: Int? { order.last }
    package var isDense: Bool { stride == channels || count == 1 }
  }

  /// The view as rows of its innermost axis; nil where the rows have no constant distance.
  package var rows: Rows? {
    let order = memoryOrder
    guard let inner = order.last else { return Rows(count: 1, channels: 1, stride: 1, order: []) }
    guard strides[inner] == 1 else { return nil }
    var rows = Rows(count: 1, channels: shape[inner], stride: shape[inner], order: order)
    let outer = order.dropLast()
    if let last = outer.last {
      guard strides[last] >= shape[inner] else { return nil }
      rows.stride = strides[last]
      var expected = strides[last]
      for axis in outer.reversed() {
        guard strides[axis] == expected else { return nil }
        expected *= shape[axis]
        rows.count *= shape[axis]
      }
    }
    return rows
  }

  /// The distance of pixels where the view is an image N×H×W×C in memory with a constant distance
  /// of pixels; nil where it is not.
  package var pixelStride: Int? {
    guard shape.rank == 4 else { return nil }
    let (n, c, h, w) = (shape[0], shape[1], shape[2], shape[3])
    guard c == 1 || strides[1] == 1 else { return nil }
    let pixel = w > 1 ? strides[3] : h > 1 ? strides[2] : n > 1 ? strides[0] : c
    guard pixel >= c, h == 1 || strides[2] == pixel * w, n == 1 || strides[0] == pixel * w * h
    else {
      return nil
    }
    return pixel
  }

  package func transposed(_ order: [Int]) -> Self {
    var view = self
    view.shape = Shape(order.map { shape[$0] })
    view.strides = order.map { strides[$0] }
    return view
  }

  package func sliced(_ slice: Slice) -> Self {
    var view = self
    view.shape = Shape(slice.counts)
    for axis in slice.starts.indices {
      view.offset += slice.starts[axis] * strides[axis]
      view.strides[axis] = strides[axis] * slice.steps[axis]
    }
    return view
  }

  package func expanded(to target: Shape) -> Self {
    var view = self
    view.shape = target
    let missing = target.rank - shape.rank
    view.strides = target.dims.indices.map { axis in
      axis < missing || (shape[axis - missing] == 1 && target[axis] != 1)
        ? 0 : strides[axis - missing]
    }
    return view
  }

  /// A view of the same elements in another shape; nil where elements would have to be moved.
  package func reshaped(_ target: Shape) -> Self? {
    var view = self
    view.shape = target
    guard !isEmpty else {
      view.strides = target.contiguousStrides
      return view
    }
    view.strides = [Int](repeating: 0, count: target.rank)
    for group in ReshapeGroup.groups(from: shape, to: target) {
      let axes = group.source.filter { shape[$0] > 1 }
      for (axis, next) in zip(axes, axes.dropFirst()) {
        guard strides[axis] == strides[next] * shape[next] else { return nil }
      }
      var stride = axes.last.map { strides[$0] } ?? 1
      for axis in group.target.reversed() {
        view.strides[axis] = stride
        stride *= target[axis]
      }
    }
    return view
  }
}

/// Runs of neighbouring dimensions that a reshape turns into each other: both have the same
/// product.
struct ReshapeGroup {
  var source: Range<Int>
  var target: Range<Int>

  static func groups(from source: Shape, to target: Shape) -> [ReshapeGroup] {
    var groups: [ReshapeGroup] = []
    var (i, j) = (0, 0)
    func next(_ shape: Shape, _ axis: inout Int) -> Int {
      guard axis < shape.rank else { return 1 }
      axis += 1
      return shape[axis - 1]
    }
    while i < source.rank || j < target.rank {
      let (first, second) = (i, j)
      var (a, b) = (next(source, &i), next(target, &j))
      while a != b {
        if a < b, i < source.rank {
          a *= next(source, &i)
        } else if j < target.rank {
          b *= next(target, &j)
        } else {
          break
        }
      }
      groups.append(ReshapeGroup(source: first..<i, target: second..<j))
    }
    return groups
  }
}
