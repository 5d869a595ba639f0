internal import CKernels
import Das3Graph

extension Reduce: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    ReduceKernel(step, self, options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    ReduceGradientKernel(gradient, self, options)
  }
}

extension ArgMax: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    ArgMaxKernel(step, self, options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    throw .noKernel(gradient.step.name)
  }
}

extension Softmax: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    SoftmaxKernel(step, self, options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    SoftmaxGradientKernel(gradient, self, options)
  }
}

extension d3k_lines {
  /// One run of neighbouring axes of a dense tensor: outer × count × inner in memory order.
  init(_ view: Plan.View, axes: [Int]) {
    let order = view.memoryOrder
    let places = order.indices.filter { axes.contains(order[$0]) }
    let product = { (range: ArraySlice<Int>) in Int64(range.reduce(1) { $0 * view.shape[$1] }) }
    if let first = places.first, let last = places.last, !view.isEmpty {
      self.init(
        outer: product(order[..<first]), count: product(order[first...last]),
        inner: product(order[(last + 1)...]))
    } else {
      // All reduced axes have one element, or the tensor has none: no line along them is longer.
      let kept = view.shape.dims.indices.filter { !axes.contains($0) }
      self.init(outer: product(kept[...]), count: product(axes[...]), inner: 1)
    }
  }
}

/// A step along one run of neighbouring axes.
@safe class AxisKernel: StepKernel {
  final var lines: d3k_lines

  init(_ step: Plan.Step, axes: [Int], _ options: ExecutionOptions) {
    lines = d3k_lines(step.inputs[0], axes: axes)
    super.init(step, options)
  }
}

/// Sum, mean, extremum or norm.
@safe final class ReduceKernel: AxisKernel {
  private let kind: Int32

  init(_ step: Plan.Step, _ reduce: Reduce, _ options: ExecutionOptions) {
    kind = reduce.kind.kernelKind
    super.init(step, axes: reduce.axes, options)
  }

  override func run(_ memory: borrowing Memory) {
    unsafe d3k_reduce(threads, kind, &lines, x(memory), y(memory))
  }
}

/// Index of the largest value.
@safe final class ArgMaxKernel: AxisKernel {
  private let selectsLast: Bool

  init(_ step: Plan.Step, _ argMax: ArgMax, _ options: ExecutionOptions) {
    selectsLast = argMax.selectsLast
    super.init(step, axes: [argMax.axis], options)
  }

  override func run(_ memory: borrowing Memory) {
    unsafe d3k_arg_max(threads, selectsLast ? 1 : 0, &lines, x(memory), y(memory))
  }
}

/// exp(x) / Σ exp(x), or its logarithm.
@safe final class SoftmaxKernel: AxisKernel {
  private let isLog: Bool

  init(_ step: Plan.Step, _ softmax: Softmax, _ options: ExecutionOptions) {
    isLog = softmax.isLog
    super.init(step, axes: [softmax.axis], options)
  }

  override func run(_ memory: borrowing Memory) {
    unsafe d3k_softmax(threads, isLog ? 1 : 0, &lines, x(memory), y(memory))
  }
}

/// dx of a reduction.
///
/// Elements that are equal to the extremum share its derivative.
@safe final class ReduceGradientKernel: GradientKernel {
  private let kind: Int32
  private var lines: d3k_lines

  init(_ gradient: Plan.Gradient, _ reduce: Reduce, _ options: ExecutionOptions) {
    kind = reduce.kind.kernelKind
    lines = d3k_lines(gradient.step.inputs[0], axes: reduce.axes)
    super.init(gradient, options)
  }

  override func run(_ memory: borrowing Memory) {
    unsafe d3k_reduce_backward(
      threads, kind, &lines, x(memory), y(memory), dy(memory), dx(memory), accumulates)
  }
}

/// dx = y · (dy − Σ dy·y), or dy − exp(y) · Σ dy for the logarithm.
@safe final class SoftmaxGradientKernel: GradientKernel {
  private let isLog: Bool
  private var lines: d3k_lines

  init(_ gradient: Plan.Gradient, _ softmax: Softmax, _ options: ExecutionOptions) {
    isLog = softmax.isLog
    lines = d3k_lines(gradient.step.inputs[0], axes: [softmax.axis])
    super.init(gradient, options)
  }

  override func run(_ memory: borrowing Memory) {
    unsafe d3k_softmax_backward(
      threads, isLog ? 1 : 0, &lines, y(memory), dy(memory), dx(memory), accumulates)
  }
}

extension Reduce.Kind {
  fileprivate var kernelKind: Int32 {
    let reduction: d3k_reduction =
      switch self {
      case .sum: D3K_REDUCE_SUM
      case .mean: D3K_REDUCE_MEAN
      case .max: D3K_REDUCE_MAX
      case .min: D3K_REDUCE_MIN
      case .l1: D3K_REDUCE_L1
      case .l2: D3K_REDUCE_L2
      case .product: D3K_REDUCE_PROD
      case .sumSquare: D3K_REDUCE_SUM_SQUARE
      case .logSum: D3K_REDUCE_LOG_SUM
      case .logSumExp: D3K_REDUCE_LOG_SUM_EXP
      }
    return Int32(reduction.rawValue)
  }
}
