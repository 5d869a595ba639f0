internal import CKernels
import Das3Graph

/// Options for the computation of steps, which a user can choose.
package struct ExecutionOptions: Sendable, Equatable {
  package enum Backend: String, Sendable {
    case oneDNN = "onednn"
    case openBLAS = "openblas"
  }

  /// The arithmetic of convolutions and matrix products, with the names that users write.
  package enum Precision: String, Sendable, CaseIterable {
    case f32, bf16
    /// Without Winograd's minimal filtering, which rounds twice as much.
    case f32Direct = "f32_direct"
  }

  package var threads: Int
  package var backend: Backend
  package var precision: Precision
  /// The weights change with every run, so each kernel packs them just before use and keeps no
  /// copy.
  package var packsPerRun: Bool

  /// The best backend that was built in.
  package static var bestBackend: Backend {
    d3k_best_backend() == Int32(D3K_BACKEND_ONEDNN.rawValue) ? .oneDNN : .openBLAS
  }

  /// Whether this CPU multiplies bfloat16, and DAS3_ISA lets it.
  package static var supportsBFloat16: Bool { d3k_has_bf16() != 0 }

  /// Whether it is one of the names that DAS3_ISA may have.
  package static func isInstructionSet(_ name: String) -> Bool {
    unsafe d3k_isa_named(name) != 0
  }

  /// Those names, as a message lists them.
  package static var instructionSets: String { unsafe String(cString: d3k_isa_names()) }

  /// How many threads help: those of this process's affinity and control groups.
  package static var processorCount: Int { Int(d3k_processor_count()) }

  package init(
    threads: Int, backend: Backend = Self.bestBackend, precision: Precision = .f32,
    packsPerRun: Bool = false
  ) {
    self.threads = threads
    self.backend = backend
    self.precision = precision
    self.packsPerRun = packsPerRun
  }

  var kernelPrecision: Int32 {
    switch precision {
    case .f32: Int32(D3K_F32.rawValue)
    case .bf16: Int32(D3K_BF16.rawValue)
    case .f32Direct: Int32(D3K_F32_DIRECT.rawValue)
    }
  }

  var kernelBackend: Int32 {
    switch backend {
    case .oneDNN: Int32(D3K_BACKEND_ONEDNN.rawValue)
    case .openBLAS: Int32(D3K_BACKEND_OPENBLAS.rawValue)
    }
  }
}

/// A step of a plan that is ready to run: its implementation, and all that does not change between
/// runs.
///
/// It holds neither memory nor weights. `prepare` and `run` get these as arguments, so that one
/// kernel serves any number of weight sets.
class Kernel {
  /// Where its own part begins, in elements of a weight set, or of the scratch memory where it is
  /// prepared per run; set once, by the schedule.
  final var preparedOffset = 0
  /// Bytes for what the kernel makes from weights: packed matrices, folded normalisation.
  var preparedByteCount: Int { 0 }
  /// Whether it is prepared before each run, for that run alone: it reads what the run has made, or
  /// its result is not worth keeping.
  var isPreparedPerRun: Bool { false }
  /// Bytes that it needs only while it runs or prepares; all kernels of a plan share them.
  var scratchByteCount: Int { 0 }

  /// Which of several implementations it is.
  var implementation: String { "das3" }

  /// Makes what depends on its operands but not on x: of weights alone, unless per run.
  func prepare(_ memory: borrowing Memory) {}
  func run(_ memory: borrowing Memory) {}

  /// Runs, prepared for it where that is due.
  final func perform(_ memory: borrowing Memory) {
    if isPreparedPerRun { prepare(memory) }
    run(memory)
  }
}

/// The kernel of a forward step, with the views that almost all kernels need.
@safe class StepKernel: Kernel {
  let step: Plan.Step
  let threads: Int32
  private let inputs: [Memory.Place]
  private let output: Memory.Place

  init(_ step: Plan.Step, _ options: ExecutionOptions) {
    self.step = step
    threads = Int32(options.threads)
    inputs = step.inputs.map { Memory.Place($0) }
    output = Memory.Place(step.output)
  }

  /// Input `index`; nil where the step has fewer.
  func x(_ memory: borrowing Memory, _ index: Int = 0) -> UnsafePointer<Float>? {
    guard index < inputs.count else { return nil }
    return unsafe UnsafePointer(memory.pointer(inputs[index]))
  }

  func y(_ memory: borrowing Memory) -> UnsafeMutablePointer<Float> {
    unsafe memory.pointer(output)
  }
}

/// The addresses of the regions of a plan during one run.
@safe struct Memory {
  /// Where a view begins: a few words, which kernels keep rather than the view.
  struct Place {
    let buffer, offset: Int

    init(_ view: Plan.View) { (buffer, offset) = (view.buffer, view.offset) }
  }

  let frame: Arena
  let gradients: Arena
  let scratch: Arena
  /// In use: parameters, and what was prepared of them.
  var weights: WeightSet {
    didSet {
      unsafe (bases.model, bases.parameter) = (
        weights.derived.pointer(at: 0), weights.parameters.pointer(at: 0)
      )
    }
  }
  /// Whether running statistics are updated with the frame, where the plan does so.
  var movesStatistics = true
  /// Of each buffer of the plan.
  private let places: [(region: Plan.Region, offset: Int)]
  /// Of the regions.
  private var bases: Bases

  @unsafe private struct Bases {
    var frame, model, parameter, gradient: UnsafeMutablePointer<Float>
  }

  init(_ plan: Plan, frame: Arena, gradients: Arena, scratch: Arena, weights: WeightSet) {
    (self.frame, self.gradients, self.scratch, self.weights) = (frame, gradients, scratch, weights)
    places = plan.buffers.map { ($0.region, $0.offset) }
    unsafe bases = Bases(
      frame: frame.pointer(at: 0), model: weights.derived.pointer(at: 0),
      parameter: weights.parameters.pointer(at: 0), gradient: gradients.pointer(at: 0))
  }

  func pointer(_ place: Place) -> UnsafeMutablePointer<Float> {
    let (region, offset) = places[place.buffer]
    let base =
      switch region {
      case .frame: unsafe bases.frame
      case .model: unsafe bases.model
      case .parameter: unsafe bases.parameter
      case .gradient: unsafe bases.gradient
      }
    return unsafe base + (offset + place.offset)
  }

  func pointer(_ view: Plan.View) -> UnsafeMutablePointer<Float> { unsafe pointer(Place(view)) }

  /// The memory that the kernel has prepared.
  func prepared(_ kernel: Kernel) -> UnsafeMutableRawPointer {
    let base = unsafe kernel.isPreparedPerRun ? scratch.pointer(at: 0) : bases.model
    return unsafe UnsafeMutableRawPointer(base + kernel.preparedOffset)
  }

  var scratchPointer: UnsafeMutableRawPointer {
    unsafe UnsafeMutableRawPointer(scratch.pointer(at: 0))
  }
}

/// The kernels of an operator.
///
/// Those of an operator Foo stand in `Operators/Foo+Compute.swift`. No requirement has a default
/// implementation, so that the compiler lists what a new operator lacks.
protocol ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  /// Of the derivative; throws where that is made of other operators' steps.
  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel
}

extension Operator {
  /// The one closed list of this module; nil for operators that are planned as copies, views or
  /// chains.
  fileprivate var computed: (any ComputedOperator)? {
    switch self {
    case .conv(let op): op
    case .convTranspose(let op): op
    case .batchNorm(let op): op
    case .layerNorm(let op): op
    case .groupNorm(let op): op
    case .binary(let op): op
    case .select(let op): op
    case .maxPool(let op): op
    case .averagePool(let op): op
    case .reduce(let op): op
    case .argMax(let op): op
    case .softmax(let op): op
    case .resize(let op): op
    case .resample(let op): op
    case .gridSample(let op): op
    case .index(let op): op
    case .matMul(let op): op
    case .unary, .concat, .slice, .transpose, .reshape, .expand: nil
    }
  }
}

extension Plan.Step {
  /// The kernel that computes the step.
  func kernel(_ plan: Plan, _ options: ExecutionOptions) throws(Das3Error) -> Kernel {
    switch work {
    case .copy: return CopyKernel(self, options)
    case .accumulate: return AccumulateKernel(self, options)
    case .clear: return ClearKernel(self, options)
    case .elementwise: return try ElementwiseKernel(self, plan, options)
    case .statistics(let momentum): return ChannelStatisticsKernel(self, plan, momentum, options)
    case .gradient(let gradient):
      guard case .operation(let operation) = gradient.step.work else {
        return try ChainGradientKernel(gradient, plan, options)
      }
      guard let computed = operation.computed else { throw .noKernel(name) }
      return try computed.gradientKernel(gradient, plan, options)
    case .operation(let operation):
      guard let computed = operation.computed else { throw .noKernel(name) }
      return try computed.kernel(self, plan, options)
    }
  }
}

extension Das3Error {
  static func noKernel(_ name: String) -> Das3Error {
    Das3Error(.internal, "\(name) was planned as a step of its own")
  }
}
