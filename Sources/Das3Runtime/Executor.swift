internal import CKernels
import Das3Graph
import Glibc

/// The kernels of a plan and the memory they want, before any is taken.
package struct Schedule {
  package let plan: Plan
  package let options: ExecutionOptions
  let kernels: [Kernel]
  /// Where in the model's arena each kernel finds what it prepares.
  let preparedOffsets: [Int]
  let modelElementCount: Int
  let scratchElementCount: Int

  /// Chooses a kernel for every step.
  package init(_ plan: Plan, _ options: ExecutionOptions) throws(Das3Error) {
    self.plan = plan
    self.options = options
    var kernels: [Kernel] = []
    var preparedOffsets: [Int] = []
    var modelCount = plan.modelElementCount
    var scratchCount = 0
    for step in plan.steps {
      let kernel: Kernel
      do throws(Das3Error) {
        kernel = step.isEmpty ? Kernel() : try step.kernel(plan, options)
      } catch {
        throw error.at(step.name)
      }
      kernels.append(kernel)
      preparedOffsets.append(modelCount)
      modelCount += Plan.aligned((kernel.preparedByteCount + 3) / 4)
      scratchCount = max(scratchCount, (kernel.scratchByteCount + 3) / 4)
    }
    self.kernels = kernels
    self.preparedOffsets = preparedOffsets
    modelElementCount = modelCount
    scratchElementCount = scratchCount
  }

  /// Bytes of activations, prepared weights, weights, their derivatives and scratch.
  package func byteCount(parameterCount: Int) -> Int {
    let vectors = plan.outputGradients.isEmpty ? 1 : 2
    return 4
      * (plan.frameElementCount + modelElementCount + vectors * parameterCount
        + scratchElementCount)
  }
}

/// Runs a plan: owns its memory and kernels; one thread at a time.
package final class Executor {
  package let plan: Plan
  package let options: ExecutionOptions
  package let parameterCount: Int
  private let frame: Arena
  private let model: Arena
  private let parameters: Arena
  private let gradientArena: Arena
  private let scratch: Arena
  private let memory: Memory
  private let kernels: [Kernel]
  private let forwardKernels: [Kernel]
  private let backwardKernels: [Kernel]
  /// Forward and backward.
  private var passCount = 0

  /// Takes all memory; `setWeights` must follow.
  ///
  /// - Parameters:
  ///   - schedule: what to run.
  ///   - parameterCount: elements of the weight vector.
  ///   - memoryLimit: bytes, 0 = none.
  /// - Throws: `.memory` where the limit or the machine does not suffice.
  package init(_ schedule: Schedule, parameterCount: Int, memoryLimit: UInt64 = 0) throws(Das3Error)
  {
    plan = schedule.plan
    options = schedule.options
    kernels = schedule.kernels
    self.parameterCount = parameterCount
    let needed = schedule.byteCount(parameterCount: parameterCount)
    try Arena.check(needed, against: memoryLimit)
    frame = try Arena(elementCount: plan.frameElementCount)
    model = try Arena(elementCount: schedule.modelElementCount)
    parameters = try Arena(elementCount: parameterCount)
    gradientArena = try Arena(elementCount: plan.outputGradients.isEmpty ? 0 : parameterCount)
    scratch = try Arena(elementCount: schedule.scratchElementCount)
    memory = Memory(
      plan: plan, frame: frame, model: model, parameters: parameters, gradients: gradientArena,
      scratch: scratch)
    for (kernel, offset) in zip(kernels, schedule.preparedOffsets) {
      unsafe kernel.bind(memory, prepared: UnsafeMutableRawPointer(model.pointer(at: offset)))
    }
    let steps = zip(plan.steps, kernels)
    forwardKernels = steps.prefix(plan.forwardCount).filter { !$0.0.isStatic }.map(\.1)
    backwardKernels = kernels.suffix(from: plan.forwardCount).map { $0 }
    for buffer in plan.buffers {
      if let constant = buffer.constant { model.fill(constant.floats, at: buffer.offset) }
    }
  }

  /// Bytes of activations, prepared weights, weights, their derivatives and scratch.
  package var byteCount: Int {
    4 * [frame, model, parameters, gradientArena, scratch].reduce(0) { $0 + $1.elementCount }
  }

  /// Bytes of them that are in use before the first pass: weights and what is prepared of them.
  package var restingByteCount: Int { 4 * (model.elementCount + parameters.elementCount) }

  /// Takes new weights.
  package func setWeights(_ weights: [Float]) {
    parameters.fill(weights)
    weightsChanged()
  }

  /// Computes everything that depends on weights alone, after they were changed in place.
  package func weightsChanged() {
    for (step, kernel) in zip(plan.steps, kernels) {
      kernel.prepare()
      if step.isStatic { kernel.run() }
    }
  }

  /// Computes the outputs from what stands in the inputs.
  ///
  /// Inputs are used up: their memory may serve later steps.
  package func run() { run(forwardKernels) }

  /// Adds the loss's derivative by every trained parameter to `gradients`.
  ///
  /// Its derivatives by the outputs stand in `outputGradient`; `run` comes before each call.
  package func runBackward() { run(backwardKernels) }

  private func run(_ kernels: [Kernel]) {
    let start = Self.milliseconds
    for kernel in kernels { kernel.run() }
    passCount += 1
    // Half a millisecond a step: those of light networks take a fifth of it, unless threads wait
    // for busy processors; to those of heavy networks shorter waits make no difference. The first
    // pass of each kind takes its memory and makes code, which says nothing of processors.
    if options.threads > 1, passCount > 2, 2 * (Self.milliseconds - start) > kernels.count {
      d3k_share_processors()
    }
  }

  private static var milliseconds: Int {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
  }

  /// First element of input `index` (its layout: `plan.inputs`).
  package func input(_ index: Int) -> UnsafeMutablePointer<Float> {
    unsafe memory.pointer(plan.inputs[index])
  }

  package func output(_ index: Int) -> UnsafePointer<Float> {
    unsafe UnsafePointer(memory.pointer(plan.outputs[index]))
  }

  /// Where the loss's derivative by output `index` goes (its layout: `plan.outputGradients`).
  package func outputGradient(_ index: Int) -> UnsafeMutablePointer<Float> {
    unsafe memory.pointer(plan.outputGradients[index])
  }

  /// The flat weight vector; `weightsChanged` must follow a change.
  package var weightsPointer: UnsafeMutablePointer<Float> { unsafe parameters.pointer(at: 0) }

  /// Its derivative.
  package var gradientsPointer: UnsafeMutablePointer<Float> { unsafe gradientArena.pointer(at: 0) }

  /// Copies row-major values into input `index`.
  package func write(_ values: [Float], to index: Int) {
    unsafe write(values, to: plan.inputs[index], at: input(index))
  }

  /// Copies row-major values into the derivative by output `index`.
  package func write(_ values: [Float], toGradientOfOutput index: Int) {
    unsafe write(values, to: plan.outputGradients[index], at: outputGradient(index))
  }

  private func write(_ values: [Float], to view: Plan.View, at start: UnsafeMutablePointer<Float>) {
    guard values.count == view.shape.elementCount else { return }
    unsafe values.withUnsafeBufferPointer { source in
      guard let base = source.baseAddress else { return }
      unsafe copy(view.shape, base, view.shape.contiguousStrides, start, view.strides)
    }
  }

  /// Output `index`, row-major.
  package func read(_ index: Int) -> [Float] {
    let view = plan.outputs[index]
    var values = [Float](repeating: 0, count: view.shape.elementCount)
    unsafe values.withUnsafeMutableBufferPointer { target in
      guard let base = target.baseAddress else { return }
      unsafe copy(view.shape, output(index), view.strides, base, view.shape.contiguousStrides)
    }
    return values
  }

  /// The flat weight vector.
  package var weights: [Float] {
    unsafe Array(UnsafeBufferPointer(start: weightsPointer, count: parameterCount))
  }

  /// The loss's derivative by the flat weight vector.
  package var gradients: [Float] {
    unsafe Array(UnsafeBufferPointer(start: gradientsPointer, count: parameterCount))
  }

  package func clearGradients() {
    unsafe d3k_fill(Int32(options.threads), gradientsPointer, Int64(parameterCount), 0)
  }

  private func copy(
    _ shape: Shape, _ x: UnsafePointer<Float>, _ xStrides: [Int], _ y: UnsafeMutablePointer<Float>,
    _ yStrides: [Int]
  ) {
    unsafe d3k_copy(
      Int32(options.threads), Int32(shape.rank), shape.dims.map(Int64.init), x,
      xStrides.map(Int64.init), y, yStrides.map(Int64.init))
  }
}

extension Plan.Step {
  /// Nothing to compute: a dimension is 0.
  fileprivate var isEmpty: Bool { output.isEmpty }
}
