internal import CKernels
import Das3Graph

/// The input's elements in the layout of the output: transposition, concatenation, repetition.
@safe final class CopyKernel: StridedKernel {
  private var outputStrides: [Int64] = []

  override init(_ step: Plan.Step, _ options: ExecutionOptions) {
    super.init(step, options)
    let order = Planner.completed(step.output.memoryOrder, rank: step.output.shape.rank)
    outputStrides = order.map { Int64(step.output.strides[$0]) }
  }

  override func run() {
    unsafe d3k_copy(threads, Int32(dims.count), dims, x[0], strides[0], y, outputStrides)
  }
}

/// y[i, j, …] = x[tables[0][i], tables[1][j], …].
@safe final class IndexKernel: StridedKernel {
  private let fill: Float
  private let tables: [Int32]
  /// Start of each axis's table in `tables`, −1 = identity.
  private let starts: [Int]

  init(_ step: Plan.Step, _ index: Index, _ options: ExecutionOptions) {
    fill = index.fill
    var (tables, starts) = ([Int32](), [Int]())
    for axis in Planner.completed(step.output.memoryOrder, rank: step.output.shape.rank) {
      starts.append(index.tables[axis] == nil ? -1 : tables.count)
      tables += index.tables[axis] ?? []
    }
    (self.tables, self.starts) = (tables, starts)
    super.init(step, options)
  }

  override func run() {
    unsafe tables.withUnsafeBufferPointer { table in
      unsafe withUnsafeTemporaryAllocation(
        of: UnsafePointer<Int32>?.self, capacity: max(1, starts.count)
      ) { pointers in
        for (axis, start) in starts.enumerated() {
          unsafe pointers[axis] = start < 0 ? nil : table.baseAddress.map { unsafe $0 + start }
        }
        unsafe d3k_index(
          threads, Int32(dims.count), dims, x[0], strides[0], pointers.baseAddress, fill, y)
      }
    }
  }
}
