internal import CKernels
import Das3Graph

/// The kernel of the derivative of an earlier step: the views that it reads again, and its targets.
@safe class GradientKernel: Kernel {
  let gradient: Plan.Gradient
  let threads: Int32
  /// Whether the derivative by the first wanted input is added to.
  let accumulates: Int32
  /// Views of the earlier step; nil where they are not read.
  private let inputs: [Memory.Place?]
  private let output: Memory.Place?
  private let outputGradient: Memory.Place
  /// The derivative by each input; nil where it is not wanted.
  private let targets: [Memory.Place?]

  init(_ gradient: Plan.Gradient, _ options: ExecutionOptions) {
    self.gradient = gradient
    threads = Int32(options.threads)
    accumulates = gradient.inputs.lazy.compactMap { $0 }.first?.accumulates == true ? 1 : 0
    inputs = zip(gradient.step.inputs, gradient.readsInput).map { view, isRead in
      isRead ? Memory.Place(view) : nil
    }
    output = gradient.readsOutput ? Memory.Place(gradient.step.output) : nil
    outputGradient = Memory.Place(gradient.outputGradient)
    targets = gradient.inputs.map { target in target.map { Memory.Place($0.view) } }
  }

  /// Input `index` of the earlier step; nil where it is not read or there are fewer.
  func x(_ memory: borrowing Memory, _ index: Int = 0) -> UnsafePointer<Float>? {
    guard index < inputs.count, let place = inputs[index] else { return nil }
    return unsafe UnsafePointer(memory.pointer(place))
  }

  /// Result of the earlier step; nil where it is not read.
  func y(_ memory: borrowing Memory) -> UnsafePointer<Float>? {
    guard let output else { return nil }
    return unsafe UnsafePointer(memory.pointer(output))
  }

  func dy(_ memory: borrowing Memory) -> UnsafePointer<Float> {
    unsafe UnsafePointer(memory.pointer(outputGradient))
  }

  /// The derivative by input `index`; nil where it is not wanted or there are fewer.
  func dx(_ memory: borrowing Memory, _ index: Int = 0) -> UnsafeMutablePointer<Float>? {
    guard index < targets.count, let place = targets[index] else { return nil }
    return unsafe memory.pointer(place)
  }
}

/// The derivative of a step whose operands have any strides, at the size of the result.
@safe class StridedGradientKernel: GradientKernel {
  /// The input whose derivative it is.
  let operand: Int
  /// With the strides of the first input, of the second where there are two, and of dy.
  final var walk: d3k_walk

  override init(_ gradient: Plan.Gradient, _ options: ExecutionOptions) {
    let inputs = gradient.step.inputs
    operand = gradient.inputs.firstIndex { $0 != nil } ?? 0
    walk = d3k_walk(
      gradient.step.output.shape, order: Self.order(gradient),
      strides: [
        inputs[0].strides, inputs.count == 2 ? inputs[1].strides : [],
        gradient.outputGradient.strides,
      ])
    super.init(gradient, options)
  }

  /// The axes in their order in memory, outermost first.
  static func order(_ gradient: Plan.Gradient) -> [Int] {
    Planner.completed(gradient.step.output.memoryOrder, rank: gradient.step.output.shape.rank)
  }
}
