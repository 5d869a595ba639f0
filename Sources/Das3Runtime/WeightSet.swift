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
  /// The set's own values at some places while others stand there; nil = none do.
  private var covered: (places: [Range<Int>], values: [Float])?
  /// The scene whose statistics it is prepared with; nil = its own.
  package private(set) var scene: Int?
  /// Whether what is prepared is not of the present parameters.
  var isStale = false

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
    fill(weights)
    try schedule.prepare(
      self, Arena(elementCount: schedule.preparationScratchElementCount))
  }

  /// Bytes of the parameters and of what is prepared of them.
  package var byteCount: Int { 4 * (parameters.elementCount + derived.elementCount) }

  /// Replaces the parameters; `Executor.prepare` must follow.
  func fill(_ weights: [Float]) {
    (covered, scene) = (nil, nil)
    parameters.fill(weights)
  }

  /// Puts the statistics of a scene over its own, or none; `Executor.prepare` must follow.
  ///
  /// The next use of the vector brings its own back, so that nobody reads or averages others.
  ///
  /// - Parameters:
  ///   - scene: its number; nil = the set's own.
  ///   - statistics: of the scene, one a place.
  ///   - places: in the vector.
  package func show(scene: Int?, _ statistics: [Float], at places: [Range<Int>]) {
    uncover()
    self.scene = scene
    isStale = true
    guard scene != nil else { return }
    let start = unsafe parameters.pointer(at: 0)
    covered = (places, places.joined().map { unsafe start[$0] })
    put(statistics, at: places)
  }

  private func put(_ values: [Float], at places: [Range<Int>]) {
    let start = unsafe parameters.pointer(at: 0)
    for (place, value) in zip(places.joined(), values) { unsafe start[place] = value }
  }

  private func uncover() {
    guard let covered else { return }
    put(covered.values, at: covered.places)
    (self.covered, scene, isStale) = (nil, nil, true)
  }

  /// The flat weight vector; `Executor.prepare` must follow a change.
  package var pointer: UnsafeMutablePointer<Float> {
    uncover()
    return unsafe parameters.pointer(at: 0)
  }

  /// A copy of the flat weight vector.
  package var values: [Float] {
    uncover()
    return parameters.values
  }
}
