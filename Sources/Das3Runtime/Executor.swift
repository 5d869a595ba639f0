internal import CKernels
import Das3Graph
import Glibc

/// Runs a plan: owns its memory and kernels; one thread at a time.
package final class Executor {
  package let plan: Plan
  package let options: ExecutionOptions
  private let frame: Arena
  private let model: Arena
  private let parameters: Arena
  private let scratch: Arena
  private let memory: Memory
  private let kernels: [Kernel]
  private let frameKernels: [Kernel]

  /// Chooses kernels and allocates everything; `setWeights` must follow.
  ///
  /// - Parameters:
  ///   - plan: what to run.
  ///   - parameterCount: elements of the weight vector.
  ///   - options: threads, backend, precision.
  ///   - memoryLimit: bytes, 0 = none.
  /// - Throws: `.memory` where the limit or the machine does not suffice.
  package init(
    _ plan: Plan, parameterCount: Int, options: ExecutionOptions, memoryLimit: UInt64 = 0
  ) throws(Das3Error) {
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
    let needed = 4 * (plan.frameElementCount + modelCount + parameterCount + scratchCount)
    guard memoryLimit == 0 || UInt64(needed) <= memoryLimit else {
      throw .memory("\(needed) bytes are needed; the memory limit is \(memoryLimit)")
    }
    frame = try Arena(elementCount: plan.frameElementCount)
    model = try Arena(elementCount: modelCount)
    parameters = try Arena(elementCount: parameterCount)
    scratch = try Arena(elementCount: scratchCount)
    memory = Memory(
      plan: plan, frame: frame, model: model, parameters: parameters, scratch: scratch)
    for (kernel, offset) in zip(kernels, preparedOffsets) {
      unsafe kernel.bind(memory, prepared: UnsafeMutableRawPointer(model.pointer(at: offset)))
    }
    self.kernels = kernels
    frameKernels = zip(plan.steps, kernels).filter { !$0.0.isStatic }.map(\.1)
    for buffer in plan.buffers {
      if let constant = buffer.constant { model.fill(constant.floats, at: buffer.offset) }
    }
  }

  /// Bytes of activations, prepared weights, weights and scratch.
  package var byteCount: Int {
    4 * [frame, model, parameters, scratch].reduce(0) { $0 + $1.elementCount }
  }

  /// Takes new weights: everything that depends on them alone is computed now.
  package func setWeights(_ weights: [Float]) {
    parameters.fill(weights)
    for (step, kernel) in zip(plan.steps, kernels) {
      kernel.prepare()
      if step.isStatic { kernel.run() }
    }
  }

  /// Computes the outputs from what stands in the inputs.
  ///
  /// Inputs are used up: their memory may serve later steps.
  package func run() {
    let start = Self.milliseconds
    for kernel in frameKernels { kernel.run() }
    // Half a millisecond a step: those of light networks take a fifth of it, unless threads wait
    // for busy processors; to those of heavy networks shorter waits make no difference.
    if options.threads > 1, 2 * (Self.milliseconds - start) > frameKernels.count {
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

  /// Copies row-major values into input `index`.
  package func write(_ values: [Float], to index: Int) {
    let view = plan.inputs[index]
    guard values.count == view.shape.elementCount else { return }
    unsafe values.withUnsafeBufferPointer { source in
      guard let base = source.baseAddress else { return }
      unsafe copy(view.shape, base, view.shape.contiguousStrides, input(index), view.strides)
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
  var isEmpty: Bool { output.isEmpty }
}
