internal import CKernels
import Das3Graph
import Glibc
import Synchronization

/// The kernels of a plan, and the sizes of the memory that they need; it allocates none of it.
///
/// A schedule is immutable. The executor that runs it owns all that its kernels keep during a run.
package final class Schedule: @unchecked Sendable {
  package let plan: Plan
  package let options: ExecutionOptions
  package let parameterCount: Int
  let kernels: [Kernel]
  let derivedElementCount: Int
  let scratchElementCount: Int
  /// The part of it that is used while weight sets are prepared, which runs the static steps.
  let preparationScratchElementCount: Int
  /// Kernels whose results depend on weights alone have room for one caller.
  private let preparation = Mutex(())

  /// Chooses a kernel for every step.
  ///
  /// - Parameters:
  ///   - plan: the steps.
  ///   - options: how they are computed.
  ///   - parameterCount: elements of the weight vector.
  /// - Throws: `.memory` where a kernel could not be set up, `.internal` for a plan that has no
  ///   kernel.
  package init(_ plan: Plan, _ options: ExecutionOptions, parameterCount: Int) throws(Das3Error) {
    self.plan = plan
    self.options = options
    self.parameterCount = parameterCount
    var kernels: [Kernel] = []
    var derivedCount = plan.modelElementCount
    var (scratchCount, preparationCount) = (0, 0)
    for step in plan.steps {
      let kernel: Kernel
      do throws(Das3Error) {
        kernel = step.isEmpty ? Kernel() : try step.kernel(plan, options)
      } catch {
        throw error.at(step.name)
      }
      kernels.append(kernel)
      let prepared = Plan.aligned((kernel.preparedByteCount + 3) / 4)
      var scratch = Plan.aligned((kernel.scratchByteCount + 3) / 4)
      if kernel.isPreparedPerRun {
        kernel.preparedOffset = scratch
        scratch += prepared
      } else {
        kernel.preparedOffset = derivedCount
        derivedCount += prepared
      }
      scratchCount = max(scratchCount, scratch)
      if step.isStatic { preparationCount = max(preparationCount, scratch) }
    }
    self.kernels = kernels
    derivedElementCount = derivedCount
    scratchElementCount = scratchCount
    preparationScratchElementCount = preparationCount
  }

  /// Bytes of the parameters and of what is prepared of them.
  package var weightSetByteCount: Int { 4 * (derivedElementCount + parameterCount) }

  /// Bytes of activations, one weight set, its derivatives and scratch.
  package var byteCount: Int {
    let gradients = plan.outputGradients.isEmpty ? 0 : parameterCount
    return 4 * (plan.frameElementCount + gradients + scratchElementCount) + weightSetByteCount
  }

  /// Computes everything that depends on the parameters of a set alone.
  func prepare(_ weights: WeightSet, _ scratch: Arena) {
    // No such step reads or writes activations or gradients.
    let memory = Memory(
      plan, frame: scratch, gradients: scratch, scratch: scratch, weights: weights)
    preparation.withLock { _ in
      for (step, kernel) in zip(plan.steps, kernels) {
        if !kernel.isPreparedPerRun { kernel.prepare(memory) }
        if step.isStatic { kernel.perform(memory) }
      }
    }
    weights.isStale = false
  }
}

/// Runs a plan and owns the memory of a frame; one thread at a time may use it.
package final class Executor {
  package let schedule: Schedule
  private var memory: Memory
  private let forwardKernels: [Kernel]
  private let backwardKernels: [Kernel]
  /// While steps are measured.
  package private(set) var profile: Profile?

  package var plan: Plan { schedule.plan }
  package var options: ExecutionOptions { schedule.options }

  /// Allocates all memory and prepares a first set of weights.
  ///
  /// - Parameters:
  ///   - schedule: what to run.
  ///   - weights: the flat weight vector.
  ///   - memoryLimit: bytes, 0 = none.
  /// - Throws: `.memory` where the limit or the machine does not suffice.
  package init(_ schedule: Schedule, _ weights: [Float], memoryLimit: UInt64 = 0) throws(Das3Error)
  {
    self.schedule = schedule
    let plan = schedule.plan
    try Arena.check(schedule.byteCount, against: memoryLimit)
    let scratch = try Arena(elementCount: schedule.scratchElementCount)
    memory = try Memory(
      plan, frame: Arena(elementCount: plan.frameElementCount),
      gradients: Arena(
        elementCount: plan.outputGradients.isEmpty ? 0 : schedule.parameterCount),
      scratch: scratch, weights: WeightSet(schedule, weights, scratch: scratch))
    let steps = zip(plan.steps, schedule.kernels)
    forwardKernels = steps.prefix(plan.forwardCount).filter { !$0.0.isStatic }.map(\.1)
    backwardKernels = schedule.kernels.suffix(from: plan.forwardCount).map { $0 }
  }

  /// Takes the physical memory of all that it will use now.
  package func populate() {
    for arena in [memory.frame, memory.gradients, memory.scratch] { arena.populate() }
  }

  /// Bytes of activations, one weight set, its derivatives and scratch.
  package var byteCount: Int {
    4 * [memory.frame, memory.gradients, memory.scratch].reduce(0) { $0 + $1.elementCount }
      + weights.byteCount
  }

  /// The set of weights in use, which must be of the schedule of this executor.
  package var weights: WeightSet {
    get { memory.weights }
    set { memory.weights = newValue }
  }

  /// Replaces the parameters of the set in use.
  package func setWeights(_ values: [Float]) {
    weights.fill(values)
    prepare(weights)
  }

  /// Makes another set of the same schedule, using the scratch memory of this executor.
  ///
  /// - Parameters:
  ///   - weights: the flat weight vector.
  ///   - spare: a set of the schedule that nobody uses and that becomes it; nil = there is none.
  /// - Returns: the set, ready to run.
  /// - Throws: `.memory` where the machine does not suffice.
  package func makeWeights(_ weights: [Float], in spare: WeightSet? = nil) throws(Das3Error)
    -> WeightSet
  {
    guard let spare else { return try WeightSet(schedule, weights, scratch: memory.scratch) }
    spare.fill(weights)
    prepare(spare)
    return spare
  }

  /// Computes everything that depends on a set's parameters alone, after they were changed in
  /// place.
  package func prepare(_ weights: WeightSet) { schedule.prepare(weights, memory.scratch) }

  /// Does so where it is due.
  package func prepareStale(_ weights: WeightSet) {
    if weights.isStale { prepare(weights) }
  }

  /// Computes the outputs from the inputs.
  ///
  /// The inputs are lost, because later steps may use their memory.
  ///
  /// - Parameter movesStatistics: whether running statistics follow, where the plan lets them.
  package func run(movesStatistics: Bool = true) {
    memory.movesStatistics = movesStatistics
    run(forwardKernels, numbers: plan.steps.indices.prefix(plan.forwardCount))
  }

  /// Adds the derivative of the loss by every trained parameter to `gradients`.
  ///
  /// The caller must have called `run` and then written the derivatives by the outputs to
  /// `outputGradient`.
  package func runBackward() {
    run(backwardKernels, numbers: plan.steps.indices.suffix(from: plan.forwardCount))
  }

  /// Runs the kernels of steps, which have these numbers in the plan, static ones among them.
  private func run(_ kernels: [Kernel], numbers: Range<Int>) {
    if let profile {
      for (kernel, number) in zip(kernels, numbers.lazy.filter { !self.plan.steps[$0].isStatic }) {
        profile.measure(step: number) { kernel.perform(memory) }
      }
    } else {
      for kernel in kernels { kernel.perform(memory) }
    }
  }

  /// Measures each step from now on, or no longer.
  package func measureSteps(_ isMeasured: Bool) {
    profile = isMeasured ? Profile(stepCount: plan.steps.count, threads: options.threads) : nil
  }

  /// What was measured since `measureSteps`; nil where nothing is.
  package var profileText: String? { profile?.json(schedule).text }

  /// First element of input `index` (its layout: `plan.inputs`).
  package func input(_ index: Int) -> UnsafeMutablePointer<Float> {
    unsafe memory.pointer(plan.inputs[index])
  }

  package func output(_ index: Int) -> UnsafePointer<Float> {
    unsafe UnsafePointer(memory.pointer(plan.outputs[index]))
  }

  /// The derivative of the loss by output `index`, for writing (its layout:
  /// `plan.outputGradients`).
  package func outputGradient(_ index: Int) -> UnsafeMutablePointer<Float> {
    unsafe memory.pointer(plan.outputGradients[index])
  }

  /// The derivative of the loss by the flat weight vector.
  package var gradientsPointer: UnsafeMutablePointer<Float> {
    unsafe memory.gradients.pointer(at: 0)
  }

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

  /// A copy of it.
  package var gradients: [Float] { memory.gradients.values }

  package func clearGradients() {
    unsafe d3k_fill(
      Int32(options.threads), gradientsPointer, Int64(schedule.parameterCount), 0)
  }

  private func copy(
    _ shape: Shape, _ x: UnsafePointer<Float>, _ xStrides: [Int], _ y: UnsafeMutablePointer<Float>,
    _ yStrides: [Int]
  ) {
    var walk = d3k_walk(shape, order: Array(shape.dims.indices), strides: [xStrides, yStrides])
    unsafe d3k_copy(Int32(options.threads), &walk, x, y)
  }
}

extension Plan.Step {
  /// Whether a dimension is 0, so that there is nothing to compute.
  fileprivate var isEmpty: Bool { output.isEmpty }
}
