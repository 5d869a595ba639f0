internal import CKernels
import Das3Graph

extension Resize: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    try ResizeKernel(step, plan, self, options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    ResizeGradientKernel(gradient, self, options)
  }
}

/// Linear interpolation of height and width, NHWC, with the chain at the end.
@safe final class ResizeKernel: ChainedKernel {
  private let fill: Float
  private let rows, columns: AxisTable

  init(
    _ step: Plan.Step, _ plan: Plan, _ resize: Resize, _ options: ExecutionOptions
  ) throws(Das3Error) {
    fill = resize.fill
    rows = AxisTable(resize.axes[2] ?? .identity(step.inputs[0].shape[2]))
    columns = AxisTable(resize.axes[3] ?? .identity(step.inputs[0].shape[3]))
    try super.init(step, plan, options)
  }

  override var scratchByteCount: Int {
    4 * Int(threads) * 2 * columns.count * step.output.shape[1]
  }

  override func run(_ memory: borrowing Memory, _ chain: UnsafePointer<d3k_chain>) {
    let (source, target) = (step.inputs[0], step.output)
    let (x, y) = unsafe (x(memory), y(memory))
    let scratch = unsafe memory.scratchPointer.assumingMemoryBound(to: Float.self)
    unsafe rows.withAxis { rows in
      unsafe columns.withAxis { columns in
        unsafe d3k_resize_linear(
          threads, x, Int64(source.pixelStride ?? source.shape[1]), Int64(source.shape[0]),
          Int64(source.shape[2]), Int64(source.shape[3]), Int64(source.shape[1]), rows, columns,
          fill, chain, y, Int64(target.pixelStride ?? target.shape[1]), scratch)
      }
    }
  }
}

/// The transposed interpolation: dx[low] += (1 − weight) · dy[i], dx[high] += weight · dy[i].
@safe final class ResizeGradientKernel: GradientKernel {
  private let rows, columns: AxisTable

  init(_ gradient: Plan.Gradient, _ resize: Resize, _ options: ExecutionOptions) {
    let shape = gradient.step.inputs[0].shape
    rows = AxisTable(resize.axes[2] ?? .identity(shape[2]))
    columns = AxisTable(resize.axes[3] ?? .identity(shape[3]))
    super.init(gradient, options)
  }

  override var scratchByteCount: Int {
    let shape = gradient.step.inputs[0].shape
    return d3k_resize_backward_scratch_bytes(threads, Int64(shape[3]), Int64(shape[1]))
  }

  override func run(_ memory: borrowing Memory) {
    let (source, target) = (gradient.step.inputs[0], gradient.outputGradient)
    let (dy, dx, scratch) = unsafe (dy(memory), dx(memory), memory.scratchPointer)
    unsafe rows.withAxis { rows in
      unsafe columns.withAxis { columns in
        unsafe d3k_resize_linear_backward(
          threads, dy, Int64(target.pixelStride ?? target.shape[1]), Int64(source.shape[0]),
          Int64(source.shape[2]), Int64(source.shape[3]), Int64(source.shape[1]), rows, columns,
          dx, Int64(source.pixelStride ?? source.shape[1]), accumulates, scratch)
      }
    }
  }
}

/// The tables of one resized axis as kernels take them.
struct AxisTable {
  let count: Int
  private let axis: Resize.Axis

  init(_ axis: Resize.Axis) {
    self.axis = axis
    count = axis.low.count
  }

  func withAxis<Result>(_ body: (UnsafePointer<d3k_axis>) -> Result) -> Result {
    unsafe axis.low.withUnsafeBufferPointer { low in
      unsafe axis.high.withUnsafeBufferPointer { high in
        unsafe axis.weight.withUnsafeBufferPointer { weight in
          var table = unsafe d3k_axis(
            size: Int64(count), low: low.baseAddress, high: high.baseAddress,
            weight: weight.baseAddress)
          return unsafe body(&table)
        }
      }
    }
  }
}
