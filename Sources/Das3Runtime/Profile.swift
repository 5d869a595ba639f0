internal import CKernels
import Das3Graph
import Glibc
import Synchronization

/// Where the time of an executor goes: in each step of the network, and in what is done around it.
///
/// Cost: two readings of the clock a step, some 50 ns.
package final class Profile {
  private struct Time {
    var runCount = 0
    var seconds = 0.0
    /// Of the last run, by the clock of `now`.
    var lastStart = 0.0, lastSeconds = 0.0
  }

  private let machine: Machine
  /// By the number of the step in the plan.
  private var steps: [Time]
  private var others: [(name: String, time: Time)] = []

  init(stepCount: Int, threads: Int) {
    machine = Machine.measured(threads: threads)
    steps = [Time](repeating: Time(), count: stepCount)
  }

  private static var now: Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
  }

  private func measure<Result, Failure: Error>(
    _ time: inout Time, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    time.lastStart = Self.now
    let result = try body()
    time.lastSeconds = Self.now - time.lastStart
    time.seconds += time.lastSeconds
    time.runCount += 1
    return result
  }

  /// Runs a step of the plan.
  func measure(step: Int, _ body: () -> Void) { measure(&steps[step], body) }

  /// Runs what is none.
  package func measure<Result, Failure: Error>(
    _ name: String, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    var place = others.count
    if let known = others.firstIndex(where: { $0.name == name }) {
      place = known
    } else {
      others.append((name, Time()))
    }
    return try measure(&others[place].time, body)
  }

  /// All that was measured, in the order of the last pass; das3.h describes it.
  func json(_ schedule: Schedule) -> Json {
    var entries = others.map { other in
      (other.time.lastStart, Self.fields("", operation: other.name, pass: "other", other.time))
    }
    for (number, time) in steps.enumerated() where time.runCount > 0 {
      let step = schedule.plan.steps[number]
      var fields = Self.fields(
        step.name, operation: step.operation,
        pass: number < schedule.plan.forwardCount ? "forward" : "backward", time)
      fields["kernel"] = .string(schedule.kernels[number].implementation)
      fields["flops"] = .number(2 * step.multiplyAdds)
      fields["bytes"] = .number(Double(step.byteCount))
      entries.append((time.lastStart, fields))
    }
    entries.sort { $0.0 < $1.0 }
    return .object([
      "instruction_set": .string(unsafe String(cString: d3k_isa_name())),
      "threads": .number(Double(schedule.options.threads)),
      "peak_flops": .number(machine.flops), "peak_bandwidth": .number(machine.bandwidth),
      "steps": .array(entries.map { .object($0.1) }),
    ])
  }

  private static func fields(_ node: String, operation: String, pass: String, _ time: Time)
    -> [String: Json]
  {
    [
      "node": .string(node), "operation": .string(operation), "pass": .string(pass),
      "runs": .number(Double(time.runCount)), "seconds": .number(time.seconds),
      "last_start": .number(time.lastStart), "last_seconds": .number(time.lastSeconds),
    ]
  }
}

/// The most that the processors of this machine do.
private struct Machine {
  /// Float operations, and bytes copied, a second.
  let flops, bandwidth: Double

  /// By the number of threads.
  private static let known = Mutex<[Int: Machine]>([:])

  /// Measures once for each number of threads.
  static func measured(threads: Int) -> Machine {
    known.withLock { known in
      if let machine = known[threads] { return machine }
      let measured = d3k_measure_machine(Int32(clamping: threads))
      let machine = Machine(flops: measured.flops, bandwidth: measured.bandwidth)
      known[threads] = machine
      return machine
    }
  }
}
