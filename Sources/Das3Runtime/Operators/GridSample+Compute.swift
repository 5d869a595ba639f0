internal import CKernels
import Das3Graph

extension GridSample: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    GridSampleKernel(step, self, options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    GridSampleGradientKernel(gradient, self, options)
  }
}

/// An image read at the positions of a grid.
@safe final class GridSampleKernel: StepKernel {
  private var shape: d3k_grid_sample

  init(_ step: Plan.Step, _ sample: GridSample, _ options: ExecutionOptions) {
    shape = sample.kernelShape(step)
    super.init(step, options)
  }

  override func run(_ memory: borrowing Memory) {
    unsafe d3k_grid_sample_run(threads, &shape, x(memory), x(memory, 1), y(memory))
  }
}

/// The derivatives by the image and by the grid.
@safe final class GridSampleGradientKernel: GradientKernel {
  private var shape: d3k_grid_sample

  init(_ gradient: Plan.Gradient, _ sample: GridSample, _ options: ExecutionOptions) {
    shape = sample.kernelShape(gradient.step)
    super.init(gradient, options)
  }

  override func run(_ memory: borrowing Memory) {
    unsafe d3k_grid_sample_backward(
      threads, &shape, x(memory), x(memory, 1), dy(memory), dx(memory),
      gradient.inputs[0]?.accumulates == true ? 1 : 0, dx(memory, 1))
  }
}

extension GridSample {
  fileprivate func kernelShape(_ step: Plan.Step) -> d3k_grid_sample {
    let (x, y) = (step.inputs[0].shape, step.output.shape)
    let mode: d3k_sample_mode =
      switch self.mode {
      case .nearest: D3K_SAMPLE_NEAREST
      case .linear: D3K_SAMPLE_LINEAR
      case .cubic: D3K_SAMPLE_CUBIC
      }
    let padding: d3k_sample_padding =
      switch self.padding {
      case .zeros: D3K_PAD_ZEROS
      case .border: D3K_PAD_BORDER
      case .reflection: D3K_PAD_REFLECTION
      }
    return d3k_grid_sample(
      mode: Int32(mode.rawValue), padding: Int32(padding.rawValue),
      aligns_corners: alignsCorners ? 1 : 0, batch: Int64(x[0]), in_height: Int64(x[2]),
      in_width: Int64(x[3]), out_height: Int64(y[2]), out_width: Int64(y[3]), channels: Int64(x[1]))
  }
}
