internal import CKernels
import Das3Graph

extension BatchNorm: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    try ElementwiseKernel(step.normalizing(self), plan, options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    BatchNormGradientKernel(gradient, self, options)
  }
}

extension LayerNorm: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    LayerNormKernel(step, self, options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    LayerNormGradientKernel(gradient, self, options)
  }
}

extension GroupNorm: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    GroupNormKernel(step, self, options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    GroupNormGradientKernel(gradient, self, options)
  }
}

/// Mean and variance of each channel over all images and pixels; the running ones follow:
/// running = (1 − momentum) · running + momentum · statistic, with the unbiased variance.
@safe final class ChannelStatisticsKernel: StepKernel {
  private let momentum: Float
  private let rowCount, channelCount: Int
  private let movesRunning: Bool

  init(_ step: Plan.Step, _ plan: Plan, _ momentum: Float, _ options: ExecutionOptions) {
    self.momentum = momentum
    channelCount = step.output.shape[1]
    rowCount = step.inputs[0].shape.elementCount / max(1, channelCount)
    movesRunning =
      momentum != 0
      && step.inputs.dropFirst().allSatisfy { plan.buffers[$0.buffer].region == .parameter }
    super.init(step, options)
  }

  override var scratchByteCount: Int {
    d3k_norm_backward_scratch_bytes(threads, Int64(rowCount), Int64(channelCount))
  }

  override func run(_ memory: borrowing Memory) {
    let mean = unsafe y(memory)
    let variance = unsafe mean + channelCount
    unsafe d3k_channel_statistics(
      threads, x(memory), Int64(channelCount), Int64(rowCount), Int64(channelCount), mean, variance,
      memory.scratchPointer)
    guard movesRunning, memory.movesStatistics else { return }
    let running = unsafe (memory.pointer(step.inputs[1]), memory.pointer(step.inputs[2]))
    let unbiased = Float(rowCount) / Float(max(1, rowCount - 1))
    if momentum == 1 {
      // The frame's own, without what the difference from the running ones would round away.
      for channel in 0..<channelCount {
        unsafe running.0[channel] = mean[channel]
        unsafe running.1[channel] = variance[channel] * unbiased
      }
      return
    }
    for channel in 0..<channelCount {
      unsafe running.0[channel] += momentum * (mean[channel] - running.0[channel])
      unsafe running.1[channel] += momentum * (variance[channel] * unbiased - running.1[channel])
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

extension StepKernel {
  /// A normalisation of the inputs x, scale and shift.
  fileprivate func norm(_ memory: borrowing Memory, _ epsilon: Float) -> d3k_norm {
    unsafe d3k_norm(
      x: x(memory), scale: x(memory, 1), shift: x(memory, 2), y: y(memory), epsilon: epsilon)
  }
}

extension GradientKernel {
  /// Of a normalisation with the inputs x, scale and shift.
  fileprivate func normGradient(
    _ memory: borrowing Memory, _ epsilon: Float
  ) -> d3k_norm_gradient {
    unsafe d3k_norm_gradient(
      x: x(memory), dy: dy(memory), scale: x(memory, 1), dx: dx(memory), dscale: dx(memory, 1),
      dshift: dx(memory, 2), epsilon: epsilon, accumulates: accumulates,
      scratch: memory.scratchPointer)
  }
}

/// BatchNormalization by the statistics of the batch itself, which depend on x too.
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

  override func run(_ memory: borrowing Memory) {
    var norm = unsafe normGradient(memory, epsilon)
    unsafe d3k_batch_norm_backward(
      threads, &norm, x(memory, 3), x(memory, 4), rowCount, channelCount)
  }
}

/// Normalises each slice over the last axes to mean 0 and variance 1 (Ba et al., 2016).
@safe final class LayerNormKernel: StepKernel {
  private let epsilon: Float
  private let rowCount, columnCount: Int64

  init(_ step: Plan.Step, _ norm: LayerNorm, _ options: ExecutionOptions) {
    epsilon = norm.epsilon
    let dims = step.output.shape.dims
    columnCount = Int64(dims.suffix(norm.axisCount).reduce(1, *))
    rowCount = Int64(dims.dropLast(norm.axisCount).reduce(1, *))
    super.init(step, options)
  }

  override func run(_ memory: borrowing Memory) {
    var norm = unsafe norm(memory, epsilon)
    unsafe d3k_layer_norm(threads, &norm, rowCount, columnCount)
  }
}

/// Normalises by the statistics of each image and group of channels (Wu and He, 2018).
@safe final class GroupNormKernel: StepKernel {
  private let epsilon: Float
  private let batch, pixels, channels, groupCount: Int64

  init(_ step: Plan.Step, _ norm: GroupNorm, _ options: ExecutionOptions) {
    epsilon = norm.epsilon
    let dims = step.output.shape.dims
    batch = Int64(dims[0])
    pixels = Int64(dims.dropFirst(2).reduce(1, *))
    channels = Int64(dims[1])
    groupCount = Int64(norm.groups)
    super.init(step, options)
  }

  override func run(_ memory: borrowing Memory) {
    var norm = unsafe norm(memory, epsilon)
    unsafe d3k_group_norm(threads, &norm, batch, pixels, channels, groupCount)
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

  override func run(_ memory: borrowing Memory) {
    var norm = unsafe normGradient(memory, epsilon)
    unsafe d3k_layer_norm_backward(threads, &norm, rowCount, columnCount)
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

  override func run(_ memory: borrowing Memory) {
    var norm = unsafe normGradient(memory, epsilon)
    unsafe d3k_group_norm_backward(threads, &norm, batch, pixels, channels, groupCount)
  }
}
