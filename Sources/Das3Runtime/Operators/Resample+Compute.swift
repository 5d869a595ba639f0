internal import CKernels
import Das3Graph

extension Resample: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    ResampleKernel(step, self, options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    ResampleGradientKernel(gradient, self, options)
  }
}

/// Weighted sums along one axis: y[i] = Σ weights[k] · x[positions[k]].
@safe final class ResampleKernel: StepKernel {
  private let fill: Float
  private var line: ResampledLine

  init(_ step: Plan.Step, _ resample: Resample, _ options: ExecutionOptions) {
    fill = resample.fill
    line = ResampledLine(step.inputs[0], resample.axis, resample.table)
    super.init(step, options)
  }

  override func run(_ memory: borrowing Memory) {
    let (x, y) = unsafe (x(memory), y(memory))
    unsafe line.withTerms { terms in
      unsafe d3k_resample(threads, &line.lines, terms, fill, x, y, 0)
    }
  }
}

/// dx[positions[k]] += weights[k] · dy[i], computed as sums with the transposed table.
@safe final class ResampleGradientKernel: GradientKernel {
  private var line: ResampledLine

  init(_ gradient: Plan.Gradient, _ resample: Resample, _ options: ExecutionOptions) {
    let x = gradient.step.inputs[0]
    line = ResampledLine(
      x, resample.axis, resample.table.transposed(inputCount: x.shape[resample.axis]))
    line.lines.count = Int64(resample.table.count)
    super.init(gradient, options)
  }

  override func run(_ memory: borrowing Memory) {
    let (dy, dx) = unsafe (dy(memory), dx(memory))
    unsafe line.withTerms { terms in
      unsafe d3k_resample(threads, &line.lines, terms, 0, dy, dx, accumulates)
    }
  }
}

/// A dense tensor as lines along its resampled axis, and the table as kernels take it.
private struct ResampledLine {
  var lines: d3k_lines
  private let table: Resample.Table

  init(_ view: Plan.View, _ axis: Int, _ table: Resample.Table) {
    // The order in which the planner laid out the result.
    let order = Planner.completed(view.memoryOrder, rank: view.shape.rank)
    let place = order.firstIndex(of: axis) ?? 0
    func product(_ axes: ArraySlice<Int>) -> Int64 {
      axes.reduce(1) { $0 * Int64(view.shape[$1]) }
    }
    lines = d3k_lines(
      outer: product(order[..<place]), count: Int64(view.shape[axis]),
      inner: product(order[(place + 1)...]))
    self.table = table
  }

  func withTerms(_ body: (UnsafePointer<d3k_terms>) -> Void) {
    unsafe table.starts.withUnsafeBufferPointer { starts in
      unsafe table.positions.withUnsafeBufferPointer { positions in
        unsafe table.weights.withUnsafeBufferPointer { weights in
          var terms = unsafe d3k_terms(
            size: Int64(table.count), starts: starts.baseAddress,
            positions: positions.baseAddress, weights: weights.baseAddress)
          unsafe body(&terms)
        }
      }
    }
  }
}
