import Das3Graph

/// The values of all parameters of a network, with all that one schedule derives from them alone:
/// packed matrices, folded normalisations, results of static steps.
///
/// Student, teacher, the start of a stage and a candidate are sets of one schedule. A set can be
/// made on any thread while another set runs. To use it, an executor only needs a reference to it.
///
/// The holder of the only reference may change the parameters in place. A shared set is read-only.
package final class WeightSet: @unchecked Sendable {
  /// The flat weight vector.
  let parameters: Arena
  /// The region `model` of the plan, and after it what the kernels prepare.
  let derived: Arena
  private let schedule: Schedule

  /// Prepares a set: one pass over the weights.
  ///
  /// - Parameters:
  ///   - schedule: of the executors that will run it.
  ///   - weights: the flat vector, as long as the schedule says.
  /// - Throws: `.memory` where the machine does not suffice.
  package convenience init(_ schedule: Schedule, _ weights: [Float]) throws(Das3Error) {
    try self.init(
      schedule, weights, scratch: Arena(elementCount: schedule.preparationScratchElementCount))
  }

  /// Prepares a set, using scratch memory that no other thread uses meanwhile.
  init(_ schedule: Schedule, _ weights: [Float], scratch: Arena) throws(Das3Error) {
    self.schedule = schedule
    parameters = try Arena(elementCount: schedule.parameterCount)
    derived = try Arena(elementCount: schedule.derivedElementCount)
    for buffer in schedule.plan.buffers {
      if let constant = buffer.constant { derived.fill(constant.floats, at: buffer.offset) }
    }
    parameters.fill(weights)
    schedule.prepare(self, scratch)
  }

  /// Whether executors of the schedule can run it.
  func isOf(_ schedule: Schedule) -> Bool { self.schedule === schedule }

  /// Replaces the parameters, on the thread that owns the set.
  ///
  /// - Throws: `.memory` where the machine does not suffice.
  func take(_ weights: [Float]) throws(Das3Error) {
    parameters.fill(weights)
    try schedule.prepare(
      self, Arena(elementCount: schedule.preparationScratchElementCount))
  }

  /// Bytes of the parameters and of what is prepared of them.
  package var byteCount: Int { 4 * (parameters.elementCount + derived.elementCount) }

  /// The flat weight vector; `Executor.prepare` must follow a change.
  package var pointer: UnsafeMutablePointer<Float> { unsafe parameters.pointer(at: 0) }

  /// A copy of the flat weight vector.
  package var values: [Float] { parameters.values }
}
