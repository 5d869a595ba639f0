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
  private let resize: LinearResize

  init(
    _ step: Plan.Step, _ plan: Plan, _ resize: Resize, _ options: ExecutionOptions
  ) throws(Das3Error) {
    self.resize = LinearResize(step.inputs[0], step.output, resize)
    try super.init(step, plan, options)
  }

  override var scratchByteCount: Int {
    4 * Int(threads) * 2 * resize.columns.count * step.output.shape[1]
  }

  override func run(_ memory: borrowing Memory, _ chain: UnsafePointer<d3k_chain>) {
    let (x, y) = unsafe (x(memory), y(memory))
    let scratch = unsafe memory.scratchPointer.assumingMemoryBound(to: Float.self)
    unsafe resize.withPointer { resize in
      unsafe d3k_resize_linear(threads, resize, chain, x, y, scratch)
    }
  }
}

/// The transposed interpolation: dx[low] += (1 − weight) · dy[i], dx[high] += weight · dy[i].
@safe final class ResizeGradientKernel: GradientKernel {
  private let resize: LinearResize

  init(_ gradient: Plan.Gradient, _ resize: Resize, _ options: ExecutionOptions) {
    self.resize = LinearResize(gradient.step.inputs[0], gradient.outputGradient, resize)
    super.init(gradient, options)
  }

  override var scratchByteCount: Int {
    let shape = gradient.step.inputs[0].shape
    return d3k_resize_backward_scratch_bytes(threads, Int64(shape[3]), Int64(shape[1]))
  }

  override func run(_ memory: borrowing Memory) {
    let (dy, dx, scratch) = unsafe (dy(memory), dx(memory), memory.scratchPointer)
    unsafe resize.withPointer { resize in
      unsafe d3k_resize_linear_backward(threads, resize, dy, dx, accumulates, scratch)
    }
  }
}

/// A linear resize as kernels take it.
private struct LinearResize {
  let rows, columns: AxisTable
  private let shape: Shape
  private let strides: (x: Int64, y: Int64)
  private let fill: Float

  init(_ x: Plan.View, _ y: Plan.View, _ resize: Resize) {
    shape = x.shape
    strides = (Int64(x.pixelStride ?? shape[1]), Int64(y.pixelStride ?? shape[1]))
    fill = resize.fill
    rows = AxisTable(resize.axes[2] ?? .identity(shape[2]))
    columns = AxisTable(resize.axes[3] ?? .identity(shape[3]))
  }

  func withPointer(_ body: (UnsafePointer<d3k_resize>) -> Void) {
    unsafe rows.withAxis { rows in
      unsafe columns.withAxis { columns in
        var resize = unsafe d3k_resize(
          rows: rows, columns: columns, batch: Int64(shape[0]), in_height: Int64(shape[2]),
          in_width: Int64(shape[3]), channels: Int64(shape[1]), x_stride: strides.x,
          y_stride: strides.y, fill: fill)
        unsafe body(&resize)
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
