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
    unsafe d3k_layer_norm(
      threads, x, y, rowCount, columnCount, epsilon, scale, shift, nil, nil)
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
