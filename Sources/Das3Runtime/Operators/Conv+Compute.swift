internal import CKernels
import Das3Graph

extension Conv: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    try ConvKernel(step, plan, window, groups, transposed: false, options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    try ConvGradientKernel(gradient, window, groups, transposed: false, options)
  }
}

extension ConvTranspose: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    try ConvKernel(step, plan, window, groups, transposed: true, options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    try ConvGradientKernel(gradient, window, groups, transposed: true, options)
  }
}

/// Convolution and transposed convolution with the chain that follows.
///
/// A normalisation directly after it is folded into the packed weights and the bias.
///
///     y[n,i,j,o] = chain(bias[o] + Σ_{k,l,c} w[o,c,k,l] · x[n, i·s+k·d−p, j·s+l·d−p, c])
@safe final class ConvKernel: StepKernel {
  private let conv: OpaquePointer
  private let channelCount: Int
  private let hasBias: Bool
  override var isPreparedPerRun: Bool { preparesPerRun }
  private let preparesPerRun: Bool
  private let chain: Chain
  /// The normalisation in weights and bias.
  private let fold: NormalizationFold?

  init(
    _ step: Plan.Step, _ plan: Plan, _ window: Window, _ groups: Int, transposed: Bool,
    _ options: ExecutionOptions
  ) throws(Das3Error) {
    channelCount = step.output.shape[1]
    hasBias = step.inputs.count > 2
    var stages = step.chain[...]
    var weightInputs = Array(step.inputs.dropFirst())
    if case .normalize(let epsilon)? = stages.first?.function, let first = stages.popFirst() {
      fold = NormalizationFold(first.operands, epsilon)
      weightInputs += first.operands
    } else {
      fold = nil
    }
    chain = try Chain(stages, plan)
    preparesPerRun =
      options.packsPerRun || chain.isDynamic || !weightInputs.allSatisfy(plan.isStatic)
    var request = d3k_conv_options(
      d3k_window(step.inputs[0], step.output, window, groups: groups), transposed: transposed,
      options)
    request.has_bias = hasBias || fold != nil ? 1 : 0
    request.chain = chain.kernelChain
    guard let conv = unsafe d3k_conv_create(&request) else {
      throw .memory("the convolution could not be set up")
    }
    unsafe self.conv = conv
    super.init(step, options)
  }

  deinit { unsafe d3k_conv_free(conv) }

  private var packedByteCount: Int {
    4 * Plan.aligned((unsafe d3k_conv_packed_bytes(conv) + 3) / 4)
  }
  private var biasByteCount: Int { fold == nil ? 0 : 4 * Plan.aligned(channelCount) }

  override var preparedByteCount: Int {
    packedByteCount + biasByteCount + (fold?.byteCount ?? 0) + chain.preparedByteCount
  }
  override var scratchByteCount: Int { unsafe d3k_conv_scratch_bytes(conv) }
  override var implementation: String { unsafe String(cString: d3k_conv_name(conv)) }

  /// Where it prepares what.
  @unsafe private struct Places {
    let packed: UnsafeMutableRawPointer
    /// bias · factor + offset of the folded normalisation.
    let bias: UnsafeMutablePointer<Float>
    let fold, chain: UnsafeMutableRawPointer
  }

  private func places(_ memory: borrowing Memory) -> Places {
    let prepared = unsafe memory.prepared(self)
    let bias = unsafe prepared + packedByteCount
    let result = unsafe bias + biasByteCount
    return unsafe Places(
      packed: prepared, bias: bias.assumingMemoryBound(to: Float.self), fold: result,
      chain: result + (fold?.byteCount ?? 0))
  }

  override func prepare(_ memory: borrowing Memory) {
    let places = unsafe places(memory)
    unsafe chain.prepare(memory, places.chain)
    if let fold {
      unsafe fold.compute(memory, places.fold)
      let result = unsafe fold.result(places.fold)
      let own = unsafe x(memory, 2)
      for channel in 0..<channelCount {
        let bias = unsafe own.map { unsafe $0[channel] } ?? 0
        unsafe places.bias[channel] = unsafe bias * result.factor[channel] + result.offset[channel]
      }
    }
    unsafe d3k_conv_pack(
      conv, x(memory, 1), fold?.result(places.fold).factor, places.packed)
  }

  override func run(_ memory: borrowing Memory) {
    let places = unsafe places(memory)
    var kernelChain = unsafe chain.resolved(memory, places.chain)
    unsafe d3k_conv_run(
      conv, x(memory), places.packed, fold == nil ? x(memory, 2) : UnsafePointer(places.bias),
      &kernelChain, y(memory), memory.scratchPointer)
  }
}

/// The derivative by weights and bias.
///
///     dw[o,c,k,l] += Σ_{n,i,j} dy[n,i,j,o] · x[n, i·s+k·d−p, j·s+l·d−p, c];   db[o] += Σ dy[n,i,j,o]
///
/// The derivative by the input is a convolution too, and a step of its own.
@safe final class ConvGradientKernel: GradientKernel {
  private let conv: OpaquePointer

  init(
    _ gradient: Plan.Gradient, _ window: Window, _ groups: Int, transposed: Bool,
    _ options: ExecutionOptions
  ) throws(Das3Error) {
    var request = d3k_conv_options(
      d3k_window(gradient.step.inputs[0], gradient.outputGradient, window, groups: groups),
      transposed: transposed, options)
    guard let conv = unsafe d3k_conv_gradient_create(&request) else {
      throw .memory("the convolution's gradient could not be set up")
    }
    unsafe self.conv = conv
    super.init(gradient, options)
  }

  deinit { unsafe d3k_conv_gradient_free(conv) }

  override var scratchByteCount: Int { unsafe d3k_conv_gradient_scratch_bytes(conv) }
  override var implementation: String { unsafe String(cString: d3k_conv_gradient_name(conv)) }

  override func run(_ memory: borrowing Memory) {
    unsafe d3k_conv_gradient_run(
      conv, x(memory), dy(memory), dx(memory, 1), dx(memory, 2), memory.scratchPointer)
  }
}

extension d3k_conv_options {
  /// Without bias and chain.
  init(_ window: d3k_window, transposed: Bool, _ options: ExecutionOptions) {
    self.init()
    self.window = window
    self.transposed = transposed ? 1 : 0
    backend = options.kernelBackend
    precision = options.kernelPrecision
    threads = Int32(options.threads)
  }
}

extension d3k_window {
  /// The window over an input and an output, both NHWC.
  init(_ x: Plan.View, _ y: Plan.View, _ window: Window, groups: Int) {
    self.init(
      batch: Int32(x.shape[0]), in_height: Int32(x.shape[2]), in_width: Int32(x.shape[3]),
      in_channels: Int32(x.shape[1]), out_height: Int32(y.shape[2]), out_width: Int32(y.shape[3]),
      out_channels: Int32(y.shape[1]), groups: Int32(groups),
      kernel_height: Int32(window.kernelHeight), kernel_width: Int32(window.kernelWidth),
      stride_y: Int32(window.strideY), stride_x: Int32(window.strideX),
      dilation_y: Int32(window.dilationY), dilation_x: Int32(window.dilationX),
      pad_top: Int32(window.padTop), pad_left: Int32(window.padLeft),
      x_stride: Int64(x.pixelStride ?? x.shape[1]), y_stride: Int64(y.pixelStride ?? y.shape[1]))
  }
}

extension Planner.Traits {
  /// The properties of the kernels that `options` choose.
  package static func kernels(_ options: ExecutionOptions) -> Planner.Traits {
    Planner.Traits { node, graph in
      let y = graph.values[node.output].shape
      let x = graph.values[node.inputs[0]].shape
      let window: Window
      let groups: Int
      var transposed = false
      switch node.operation {
      case .conv(let conv): (window, groups) = (conv.window, conv.groups)
      case .convTranspose(let conv):
        (window, groups, transposed) = (conv.window, conv.groups, true)
      default: return false
      }
      var request = d3k_conv_options(
        d3k_window(
          Plan.View(image: x, buffer: 0), Plan.View(image: y, buffer: 0), window, groups: groups),
        transposed: transposed, options)
      request.window.y_stride = Int64(2 * y[1])
      return unsafe d3k_conv_writes_strided(&request) != 0
    }
  }
}
