internal import CKernels
import Das3Graph

/// The derivative of an earlier step: pointers to what it reads again and to its targets.
@safe class GradientKernel: Kernel {
  let gradient: Plan.Gradient
  let threads: Int32
  /// Of the earlier step's inputs, nil where they are not read.
  private(set) var x: [UnsafePointer<Float>?] = unsafe []
  private(set) var y: UnsafePointer<Float>?
  private(set) var dy: UnsafePointer<Float>?
  /// Targets by input, nil where not wanted.
  private(set) var dx: [UnsafeMutablePointer<Float>?] = unsafe []
  private(set) var scratch: UnsafeMutableRawPointer?

  init(_ gradient: Plan.Gradient, _ options: ExecutionOptions) {
    self.gradient = gradient
    threads = Int32(options.threads)
  }

  /// Whether the derivative by the first wanted input is added to.
  var accumulates: Int32 {
    gradient.inputs.lazy.compactMap { $0 }.first?.accumulates == true ? 1 : 0
  }

  func optional<Pointer>(_ pointers: [Pointer?], _ index: Int) -> Pointer? {
    index < pointers.count ? pointers[index] : nil
  }

  override func bind(_ memory: borrowing Memory, prepared: UnsafeMutableRawPointer) {
    unsafe dy = UnsafePointer(memory.pointer(gradient.outputGradient))
    unsafe y = gradient.readsOutput ? UnsafePointer(memory.pointer(gradient.step.output)) : nil
    unsafe x = zip(gradient.step.inputs, gradient.readsInput).map { view, isRead in
      unsafe isRead ? UnsafePointer(memory.pointer(view)) : nil
    }
    unsafe dx = gradient.inputs.map { target in
      unsafe target.map { unsafe memory.pointer($0.view) }
    }
    unsafe scratch = memory.scratchPointer
  }
}

/// A derivative over operands with strides of their own, at the size of the result.
@safe class StridedGradientKernel: GradientKernel {
  /// The input whose derivative it is.
  let operand: Int
  let dims: [Int64]
  let strides: [[Int64]]
  let outputStrides: [Int64]

  override init(_ gradient: Plan.Gradient, _ options: ExecutionOptions) {
    let order = Self.order(gradient)
    let shape = gradient.step.output.shape
    operand = gradient.inputs.firstIndex { $0 != nil } ?? 0
    dims = order.map { Int64(shape[$0]) }
    strides = gradient.step.inputs.map { view in order.map { Int64(view.strides[$0]) } }
    outputStrides = order.map { Int64(gradient.outputGradient.strides[$0]) }
    super.init(gradient, options)
  }

  /// Axes as they lie in memory, outermost first.
  static func order(_ gradient: Plan.Gradient) -> [Int] {
    Planner.completed(gradient.step.output.memoryOrder, rank: gradient.step.output.shape.rank)
  }
}
