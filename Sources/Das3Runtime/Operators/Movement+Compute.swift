internal import CKernels
import Das3Graph

extension Index: ComputedOperator {
  func kernel(_ step: Plan.Step, _ plan: Plan, _ options: ExecutionOptions) throws(Das3Error)
    -> Kernel
  {
    IndexKernel(step, self, options)
  }

  func gradientKernel(
    _ gradient: Plan.Gradient, _ plan: Plan, _ options: ExecutionOptions
  ) throws(Das3Error) -> Kernel {
    IndexGradientKernel(gradient, self, options)
  }
}

/// Copies the elements of the input into the layout of the output: transposition, concatenation,
/// repetition.
@safe final class CopyKernel: StepKernel {
  private var walk: d3k_walk

  override init(_ step: Plan.Step, _ options: ExecutionOptions) {
    walk = d3k_walk(step, order: step.output.memoryOrder)
    super.init(step, options)
  }

  override func run(_ memory: borrowing Memory) {
    unsafe d3k_copy(threads, &walk, x(memory), y(memory))
  }
}

/// y[i] += x[i].
///
/// Where y repeats an element, the values for it are summed.
@safe final class AccumulateKernel: StepKernel {
  private var walk: d3k_walk

  override init(_ step: Plan.Step, _ options: ExecutionOptions) {
    walk = d3k_walk(step, order: step.inputs[0].memoryOrder)
    super.init(step, options)
  }

  override func run(_ memory: borrowing Memory) {
    unsafe d3k_accumulate(threads, &walk, x(memory), y(memory))
  }
}

extension d3k_walk {
  /// From a step's input to its output.
  fileprivate init(_ step: Plan.Step, order: [Int]) {
    let shape = step.output.shape
    self.init(
      shape, order: Planner.completed(order, rank: shape.rank),
      strides: [step.inputs[0].strides, step.output.strides])
  }
}

/// y = 0.
@safe final class ClearKernel: StepKernel {
  override func run(_ memory: borrowing Memory) {
    unsafe d3k_fill(threads, y(memory), Int64(step.output.shape.elementCount), 0)
  }
}

/// Index tables of all axes in a given order, as kernels take them.
struct IndexTables {
  private let tables: [Int32]
  /// Start of each axis's table in `tables`, −1 = identity.
  private let starts: [Int]

  init(_ index: Index, order: [Int]) {
    var (tables, starts) = ([Int32](), [Int]())
    for axis in order {
      starts.append(index.tables[axis] == nil ? -1 : tables.count)
      tables += index.tables[axis] ?? []
    }
    (self.tables, self.starts) = (tables, starts)
  }

  func withPointers(_ body: (UnsafePointer<UnsafePointer<Int32>?>?) -> Void) {
    unsafe tables.withUnsafeBufferPointer { table in
      unsafe withUnsafeTemporaryAllocation(
        of: UnsafePointer<Int32>?.self, capacity: max(1, starts.count)
      ) { pointers in
        for (axis, start) in starts.enumerated() {
          unsafe pointers[axis] = start < 0 ? nil : table.baseAddress.map { unsafe $0 + start }
        }
        unsafe body(UnsafePointer(pointers.baseAddress))
      }
    }
  }
}

/// y[i, j, …] = x[tables[0][i], tables[1][j], …].
@safe final class IndexKernel: StridedKernel {
  private let fill: Float
  private let tables: IndexTables

  init(_ step: Plan.Step, _ index: Index, _ options: ExecutionOptions) {
    fill = index.fill
    tables = IndexTables(
      index, order: Planner.completed(step.output.memoryOrder, rank: step.output.shape.rank))
    super.init(step, options)
  }

  override func run(_ memory: borrowing Memory) {
    let (x, y) = unsafe (x(memory), y(memory))
    unsafe tables.withPointers { pointers in
      unsafe d3k_index(threads, &walk, pointers, fill, x, y)
    }
  }
}

/// dx[tables[0][i], tables[1][j], …] += dy[i, j, …].
@safe final class IndexGradientKernel: StridedGradientKernel {
  private let tables: IndexTables
  private let inputDims: [Int64]

  init(_ gradient: Plan.Gradient, _ index: Index, _ options: ExecutionOptions) {
    let order = Self.order(gradient)
    tables = IndexTables(index, order: order)
    inputDims = order.map { Int64(gradient.step.inputs[0].shape[$0]) }
    super.init(gradient, options)
  }

  override func run(_ memory: borrowing Memory) {
    let (dy, dx) = unsafe (dy(memory), dx(memory))
    unsafe tables.withPointers { pointers in
      unsafe d3k_index_backward(threads, &walk, pointers, inputDims, dy, dx, accumulates)
    }
  }
}
