internal import CKernels
import Das3Graph

/// Normalisation with the statistics of the value itself.
@safe class StatisticsKernel: Kernel {
  let step: Plan.Step
  let threads: Int32
  let epsilon: Float
  private(set) var x: UnsafePointer<Float>?
  private(set) var y: UnsafeMutablePointer<Float>?
  private(set) var scale: UnsafePointer<Float>?
  private(set) var shift: UnsafePointer<Float>?

  init(_ step: Plan.Step, epsilon: Float, _ options: ExecutionOptions) {
    self.step = step
    self.epsilon = epsilon
    threads = Int32(options.threads)
  }

  override func bind(_ memory: borrowing Memory, prepared: UnsafeMutableRawPointer) {
    unsafe x = UnsafePointer(memory.pointer(step.inputs[0]))
    unsafe y = memory.pointer(step.output)
    if step.inputs.count > 1 { unsafe scale = UnsafePointer(memory.pointer(step.inputs[1])) }
    if step.inputs.count > 2 { unsafe shift = UnsafePointer(memory.pointer(step.inputs[2])) }
  }
}

/// Mean and variance of each channel over all images and pixels; the running ones follow:
/// running = (1 − momentum) · running + momentum · statistic, with the unbiased variance.
@safe final class ChannelStatisticsKernel: Kernel {
  private let step: Plan.Step
  private let threads: Int32
  private let momentum: Float
  private let rowCount, channelCount: Int
  private let movesRunning: Bool
  private var x: UnsafePointer<Float>?
  private var statistics: UnsafeMutablePointer<Float>?
  private var running: [UnsafeMutablePointer<Float>] = unsafe []
  private var scratch: UnsafeMutableRawPointer?

  init(_ step: Plan.Step, _ plan: Plan, _ momentum: Float, _ options: ExecutionOptions) {
    self.step = step
    self.momentum = momentum
    threads = Int32(options.threads)
    channelCount = step.output.shape[1]
    rowCount = step.inputs[0].shape.elementCount / max(1, channelCount)
    movesRunning =
      momentum != 0
      && step.inputs.dropFirst().allSatisfy { plan.buffers[$0.buffer].region == .parameter }
  }

  override var scratchByteCount: Int {
    d3k_norm_backward_scratch_bytes(threads, Int64(rowCount), Int64(channelCount))
  }

  override func bind(_ memory: borrowing Memory, prepared: UnsafeMutableRawPointer) {
    unsafe x = UnsafePointer(memory.pointer(step.inputs[0]))
    unsafe statistics = memory.pointer(step.output)
    unsafe running = step.inputs.dropFirst().map { unsafe memory.pointer($0) }
    unsafe scratch = memory.scratchPointer
  }

  override func run() {
    guard let mean = unsafe statistics else { return }
    let variance = unsafe mean + channelCount
    unsafe d3k_channel_statistics(
      threads, x, Int64(channelCount), Int64(rowCount), Int64(channelCount), mean, variance,
      scratch)
    guard movesRunning else { return }
    let unbiased = Float(rowCount) / Float(max(1, rowCount - 1))
    if momentum == 1 {
      // The frame's own, without what the difference from the running ones would round away.
      for channel in 0..<channelCount {
        unsafe running[0][channel] = mean[channel]
        unsafe running[1][channel] = variance[channel] * unbiased
      }
      return
    }
    for channel in 0..<channelCount {
      unsafe running[0][channel] += momentum * (mean[channel] - running[0][channel])
      unsafe running[1][channel] += momentum * (variance[channel] * unbiased - running[1][channel])
    }
  }
}

extension Plan.Step {
  /// Normalisation by given statistics as an element-wise step.
  func normalizing(_ norm: BatchNorm) -> Self {
    var step = self
    step.work = .elementwise
    step.inputs = [inputs[0]]
    step.chain = [
      Plan.Stage(
        function: .normalize(epsilon: norm.epsilon),
        extent: output.shape[1] == 1 ? .scalar : .channel, operands: Array(inputs.dropFirst()))
    ]
    return step
  }
}

/// BatchNormalization by the batch's own statistics, which depend on x too.
@safe final class BatchNormGradientKernel: GradientKernel {
  private let epsilon: Float
  private let rowCount, channelCount: Int64

  init(_ gradient: Plan.Gradient, _ norm: BatchNorm, _ options: ExecutionOptions) {
    epsilon = norm.epsilon
    let shape = gradient.step.output.shape
    channelCount = Int64(shape[1])
    rowCount = Int64(shape.elementCount / max(1, shape[1]))
    super.init(gradient, options)
  }

  override var scratchByteCount: Int {
    d3k_norm_backward_scratch_bytes(threads, rowCount, channelCount)
  }

  override func run() {
    unsafe d3k_batch_norm_backward(
      threads, x[0], channelCount, dy, channelCount, dx[0], channelCount, rowCount, channelCount,
      x[3], x[4], epsilon, x[1], dx[1], dx[2], accumulates, scratch)
  }
}

/// Each slice over the last axes to mean 0 and variance 1 (Ba et al., 2016).
@safe final class LayerNormKernel: StatisticsKernel {
  private let rowCount, columnCount: Int64

  init(_ step: Plan.Step, _ norm: LayerNorm, _ options: ExecutionOptions) {
    let dims = step.output.shape.dims
    columnCount = Int64(dims.suffix(norm.axisCount).reduce(1, *))
    rowCount = Int64(dims.dropLast(norm.axisCount).reduce(1, *))
    super.init(step, epsilon: norm.epsilon, options)
  }

  override func run() {
    unsafe d3k_layer_norm(threads, x, y, rowCount, columnCount, epsilon, scale, shift)
  }
}

/// Statistics per image and group of channels (Wu and He, 2018).
@safe final class GroupNormKernel: StatisticsKernel {
  private let batch, pixels, channels, groupCount: Int64

  init(_ step: Plan.Step, _ norm: GroupNorm, _ options: ExecutionOptions) {
    let dims = step.output.shape.dims
    batch = Int64(dims[0])
    pixels = Int64(dims.dropFirst(2).reduce(1, *))
    channels = Int64(dims[1])
    groupCount = Int64(norm.groups)
    super.init(step, epsilon: norm.epsilon, options)
  }

  override func run() {
    unsafe d3k_group_norm(
      threads, x, y, batch, pixels, channels, groupCount, epsilon, scale, shift)
  }
}

/// A row's x, its statistics computed again.
@safe final class LayerNormGradientKernel: GradientKernel {
  private let epsilon: Float
  private let rowCount, columnCount: Int64

  init(_ gradient: Plan.Gradient, _ norm: LayerNorm, _ options: ExecutionOptions) {
    epsilon = norm.epsilon
    let dims = gradient.step.output.shape.dims
    columnCount = Int64(dims.suffix(norm.axisCount).reduce(1, *))
    rowCount = Int64(dims.dropLast(norm.axisCount).reduce(1, *))
    super.init(gradient, options)
  }

  override var scratchByteCount: Int {
    d3k_norm_backward_scratch_bytes(threads, rowCount, columnCount)
  }

  override func run() {
    unsafe d3k_layer_norm_backward(
      threads, x[0], dy, dx[0], rowCount, columnCount, epsilon, optional(x, 1), optional(dx, 1),
      optional(dx, 2), accumulates, scratch)
  }
}

@safe final class GroupNormGradientKernel: GradientKernel {
  private let epsilon: Float
  private let batch, pixels, channels, groupCount: Int64

  init(_ gradient: Plan.Gradient, _ norm: GroupNorm, _ options: ExecutionOptions) {
    epsilon = norm.epsilon
    let dims = gradient.step.output.shape.dims
    batch = Int64(dims[0])
    pixels = Int64(dims.dropFirst(2).reduce(1, *))
    channels = Int64(dims[1])
    groupCount = Int64(norm.groups)
    super.init(gradient, options)
  }

  override var scratchByteCount: Int {
    d3k_norm_backward_scratch_bytes(threads, batch * pixels, channels)
  }

  override func run() {
    unsafe d3k_group_norm_backward(
      threads, x[0], dy, dx[0], batch, pixels, channels, groupCount, epsilon, optional(x, 1),
      optional(dx, 1), optional(dx, 2), accumulates, scratch)
  }
}
