// `das3-run bench`: a model and a size in, times and memory of a frame or a training step out.
import ArgumentParser
import CDas3

struct Bench: ParsableCommand {
  enum Mode: String, ExpressibleByArgument, CaseIterable {
    case segment, adapt
  }

  static let configuration = CommandConfiguration(
    abstract: "Measure time, memory and arithmetic rate.",
    discussion: """
      Frames are random pixels of the given size; three of them warm up and are
      not counted. --mode segment measures a frame from pixels to labels, --mode
      adapt a whole step of stage b on one frame whose labels are made: pixels,
      forward, losses, backward and the new weights, everything trained. gflops
      counts a multiply-add of convolutions and matrix products as two operations,
      over the median time. bookkeeping is the part of all steps, in percent, that
      is not spent in passes of the network: frames, labels, losses, new weights.

      --profile says where the time goes: time, arithmetic and memory traffic of
      each operator and each step, beside the most that the machine reaches with
      as many threads, which is measured before. Traffic counts each element of
      what a step reads and writes once, so that it can exceed the bandwidth where
      caches help.

      With --json: {"median_ms", "min_ms", "p95_ms", "peak_bytes", "gflops",
      "precision", "threads"}, of adapt "bookkeeping", and of --profile "profile".

      Examples:
        das3-run bench --model net.onnx --size 480x360 --mode adapt --json
        das3-run bench --model net.onnx --size 480x360 --profile --trace net.json
      """)

  @OptionGroup var network: Network

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Size of the frames and of the network's input.", valueName: "WxH"),
    transform: PixelSize.init(argument:))
  var size: PixelSize

  @Option(help: ArgumentHelp("What to measure.", valueName: "mode"))
  var mode = Mode.segment

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Frames or steps to measure.", valueName: "N"))
  var iterations = 30

  @Flag(help: "Print time, arithmetic and traffic of each operator and step.")
  var profile = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Write the last frame or step, for chrome://tracing or Perfetto.", valueName: "file"))
  var trace: String?

  @OptionGroup var shared: SharedOptions

  private static let warmUpCount = 3

  func validate() throws {
    guard (1...1_000_000).contains(iterations) else {
      throw ValidationError("'--iterations \(iterations)': expected 1 to 1000000")
    }
  }

  func run() throws {
    let model = try network.load()
    let frame = Self.randomFrame(size)
    let milliseconds: [Double]
    let description: Workload
    var bookkeeping: Double?
    var steps: StepProfile?
    switch mode {
    case .segment:
      let segmenter = try SegmenterHandle(model: model, size: size, shared: shared)
      var result = Segmentation([.labels], classCount: model.classes.count)
      milliseconds = try measure(segmenter.measureSteps) {
        try segmenter.segment(frame, into: &result)
      }
      description = try segmenter.describe()
      if profiles { steps = try segmenter.profile() }
    case .adapt:
      let adapter = try AdapterHandle(
        model: model, settings: try stepSettings(), size: size, shared: shared)
      _ = try adapter.add(frame)
      var reports: [das3_adapter_report] = []
      milliseconds = try measure(adapter.measureSteps) { reports.append(try adapter.step()) }
      description = try adapter.describe()
      if profiles { steps = try adapter.profile() }
      reports.removeFirst(Self.warmUpCount)
      let network = reports.reduce(0) { $0 + $1.network_seconds }
      bookkeeping = 100 * (1 - network / reports.reduce(0) { $0 + $1.seconds })
    }
    let profile = steps.map { ProfileReport(profile: $0, passCount: iterations) }
    if let trace { try profile?.writeTrace(to: trace) }
    try report(milliseconds, description, bookkeeping, self.profile ? profile : nil)
  }

  private var profiles: Bool { profile || trace != nil }

  /// Stage (b) with plain SGD, which makes its labels once.
  ///
  /// Frames of noise change their labels quickly; that must not end the stage early.
  private func stepSettings() throws(Failure) -> AdapterSettings {
    var settings = AdapterSettings()
    settings.method = .das3
    let steps = String(Self.warmUpCount + iterations)
    for (name, value) in [
      ("stages", "b"), ("steps_b", steps), ("label_rounds", "1"), ("drift_b", "0"),
      ("optimizer", "sgd"), ("flip", "0"),
    ] {
      try settings.set(name, to: value)
    }
    return settings
  }

  private var unit: String { mode == .segment ? "frames" : "steps" }

  /// Calls `body`, a frame or step, again and again; `measureSteps` after the warm-up, where steps are
  /// to be measured.
  private func measure(_ measureSteps: () throws -> Void, _ body: () throws -> Void) throws
    -> [Double]
  {
    var milliseconds: [Double] = []
    var progress = ProgressBar(title: "bench", count: Self.warmUpCount + iterations, unit: unit)
    let clock = ContinuousClock()
    for index in 0..<(Self.warmUpCount + iterations) {
      if index == Self.warmUpCount, profiles { try measureSteps() }
      let elapsed = try clock.measure { try body() }
      if index >= Self.warmUpCount { milliseconds.append(elapsed.seconds * 1000) }
      progress.update(finished: index + 1)
    }
    progress.clear()
    return milliseconds
  }

  private func report(
    _ milliseconds: [Double], _ description: Workload, _ bookkeeping: Double?,
    _ profile: ProfileReport?
  ) throws {
    let median = milliseconds.median
    let gflops = median > 0 ? 2 * description.multiplyAdds / (median * 1e6) : 0
    if shared.json {
      var members: [JsonValue.Member] = [
        (key: "median_ms", value: .rounded(median, 3)),
        (key: "min_ms", value: .rounded((milliseconds.min() ?? 0), 3)),
        (key: "p95_ms", value: .rounded(milliseconds.percentile(95), 3)),
        (key: "peak_bytes", value: .integer(Int(clamping: description.peakBytes))),
        (key: "gflops", value: .rounded(gflops, 2)),
        (key: "precision", value: .string(description.precision.rawValue)),
        (key: "threads", value: .integer(description.threadCount)),
      ]
      if let bookkeeping {
        members.append((key: "bookkeeping", value: .rounded(bookkeeping, 2)))
      }
      if let profile { members.append((key: "profile", value: profile.json)) }
      return try JsonValue.object(members).printLine()
    }
    var table = Table([.left, .left])
    let times =
      "\(fixed(median, 2)) ms median, \(fixed((milliseconds.min() ?? 0), 2)) ms least, "
      + "\(fixed(milliseconds.percentile(95), 2)) ms for 95 % of \(iterations) \(unit)"
    table.add("time", times)
    table.add("rate", "\(fixed(median > 0 ? 1000 / median : 0, 1)) \(unit)/s")
    table.add(
      "arithmetic",
      "\(fixed(gflops, 1)) GFLOPS, \(fixed(description.multiplyAdds * 1e-9, 2)) G multiply-adds")
    if let bookkeeping { table.add("bookkeeping", "\(fixed(bookkeeping, 1)) %") }
    table.add("memory", ByteCount(bytes: description.peakBytes).text)
    table.add("network", "\(description.size), \(description.precision.rawValue)")
    table.add("threads", String(description.threadCount))
    try Terminal.say(table.text + (profile?.text ?? ""), terminator: "")
  }

  /// A frame of noise, which is the same in every run.
  private static func randomFrame(_ size: PixelSize) -> Frame {
    var frame = Frame()
    frame.name = "random frame"
    frame.resize(to: size)
    var random = SplitMix64(seed: 1)
    for index in frame.pixels.indices {
      frame.pixels[index] = UInt8(truncatingIfNeeded: random.next())
    }
    return frame
  }
}
