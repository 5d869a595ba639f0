// Where the time of a network goes in, tables, JSON and a trace for viewers out.

/// Work of one kind: its time, and what arithmetic and traffic there were.
private struct Share {
  var count = 0
  /// Of a frame or step, in the mean.
  var milliseconds = 0.0
  var flops = 0.0, bytes = 0.0

  mutating func add(_ step: StepProfile.Step, passCount: Int) {
    // A step may run more or less often than once a pass.
    let runs = Double(step.runs) / Double(max(1, passCount))
    count += 1
    milliseconds += runs * step.milliseconds
    flops += runs * (step.flops ?? 0)
    bytes += runs * (step.bytes ?? 0)
  }

  var gflops: Double { milliseconds > 0 ? flops / milliseconds * 1e-6 : 0 }
  var gigabytes: Double { milliseconds > 0 ? bytes / milliseconds * 1e-6 : 0 }
}

struct ProfileReport {
  let profile: StepProfile
  /// Frames or steps that were measured.
  let passCount: Int

  private var total: Share { share(of: profile.steps) }

  private func share(of steps: [StepProfile.Step]) -> Share {
    steps.reduce(into: Share()) { $0.add($1, passCount: passCount) }
  }

  /// Steps of one operator and kernel, those that take the most time first.
  private var operations: [(name: String, kernel: String, share: Share)] {
    Dictionary(grouping: profile.steps) { [$0.operation, $0.kernel ?? ""] }
      .map { ($0[0], $0[1], share(of: $1)) }
      .sorted { ($0.share.milliseconds, $0.name) > ($1.share.milliseconds, $1.name) }
  }

  // MARK: Tables

  private var gflopsPeak: Double { profile.peakFlops * 1e-9 }
  private var gigabytesPeak: Double { profile.peakBandwidth * 1e-9 }

  private static let head = ["ms", "share", "GFLOPS", "of peak", "GB/s", "of peak"]
  private static let alignments = [Table.Alignment](repeating: .right, count: head.count)

  private func cells(_ share: Share) -> [String] {
    func percent(_ part: Double, of whole: Double) -> String {
      whole > 0 && part > 0 ? fixed(100 * part / whole, 1) + " %" : ""
    }
    return [
      fixed(share.milliseconds, 3), percent(share.milliseconds, of: total.milliseconds),
      share.gflops > 0 ? fixed(share.gflops, 1) : "", percent(share.gflops, of: gflopsPeak),
      share.gigabytes > 0 ? fixed(share.gigabytes, 1) : "",
      percent(share.gigabytes, of: gigabytesPeak),
    ]
  }

  /// One table of operators and one of steps, in their order.
  var text: String {
    var byOperation = Table([.left, .left, .right] + Self.alignments)
    byOperation.add(["operation", "kernel", "steps"] + Self.head)
    for entry in operations {
      byOperation.add([entry.name, entry.kernel, String(entry.share.count)] + cells(entry.share))
    }
    byOperation.add(["all", "", String(total.count)] + cells(total))
    var bySteps = Table([.left, .left, .left] + Self.alignments)
    bySteps.add(["step", "operation", "kernel"] + Self.head)
    for step in profile.steps {
      bySteps.add([step.node, step.operation, step.kernel ?? ""] + cells(share(of: [step])))
    }
    let machine =
      "of peak: of \(fixed(gflopsPeak, 1)) GFLOPS and \(fixed(gigabytesPeak, 1)) GB/s, which the same "
      + "\(counted(profile.threads, "thread")) reached just now (\(profile.instructionSet))\n"
    return "\n" + byOperation.text + "\n" + bySteps.text + "\n" + machine
  }

  // MARK: Files

  var json: JsonValue {
    .object([
      (key: "instruction_set", value: .string(profile.instructionSet)),
      (key: "peak_gflops", value: .rounded(gflopsPeak, 2)),
      (key: "peak_gbytes_per_s", value: .rounded(gigabytesPeak, 2)),
      (
        key: "operations",
        value: .array(
          operations.map { entry in
            .object(
              [
                (key: "operation", value: .string(entry.name)),
                (key: "kernel", value: .string(entry.kernel)),
                (key: "steps", value: .integer(entry.share.count)),
              ] + members(entry.share))
          })
      ),
      (
        key: "steps",
        value: .array(
          profile.steps.map { step in
            .object(
              [
                (key: "node", value: .string(step.node)),
                (key: "operation", value: .string(step.operation)),
                (key: "kernel", value: .string(step.kernel ?? "")),
                (key: "pass", value: .string(step.pass)),
              ] + members(share(of: [step])))
          })
      ),
    ])
  }

  private func members(_ share: Share) -> [JsonValue.Member] {
    [
      (key: "ms", value: .rounded(share.milliseconds, 4)),
      (key: "share", value: .rounded(share.milliseconds / max(total.milliseconds, 1e-9), 4)),
      (key: "gflops", value: .rounded(share.gflops, 2)),
      (key: "gbytes_per_s", value: .rounded(share.gigabytes, 2)),
    ]
  }

  /// The last frame or step as the events that chrome://tracing and Perfetto read.
  private var trace: JsonValue {
    let start = profile.steps.map(\.lastStart).min() ?? 0
    let events = profile.steps.map { step -> JsonValue in
      .object([
        (key: "name", value: .string(step.operation)), (key: "cat", value: .string(step.pass)),
        (key: "ph", value: .string("X")), (key: "pid", value: .integer(1)),
        (key: "tid", value: .integer(1)),
        (key: "ts", value: .rounded(1e6 * (step.lastStart - start), 3)),
        (key: "dur", value: .rounded(1e6 * step.lastSeconds, 3)),
        (
          key: "args",
          value: .object([
            (key: "node", value: .string(step.node)),
            (key: "kernel", value: .string(step.kernel ?? "")),
            (key: "flops", value: .number(step.flops ?? 0)),
            (key: "bytes", value: .number(step.bytes ?? 0)),
          ])
        ),
      ])
    }
    return .object([(key: "traceEvents", value: .array(events))])
  }

  func writeTrace(to path: String) throws(Failure) {
    try SystemFile.write(Array((trace.line + "\n").utf8), to: path)
  }
}
