// `das3-run adapt`: a model and frames without labels in, a model that knows their place out.
import ArgumentParser
import Foundation

struct Adapt: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Adapt a model to frames without labels, and save it.",
    discussion: """
      Methods: auto, a blend and then the stages of das3 under a guard; das3 in its
      stages a (alignment), b (self-training), c (propagation); blend, which trains
      nothing and takes a minute; tent, bn, entropy, maxsquare, selftrain, atp
      (align, teach, propagate as its stages a, b, c), ld, hcl, dine and urma to
      compare with.

      A blend moves the statistics of BatchNormalization a part of the way to those
      of the frames. How far is chosen without labels. Every method that trains
      begins at a blend; with --start source it begins at the network as it is, as
      the paper does.

      The guard sets every k-th frame aside, at most 40, and judges by them what each
      stage leaves, without labels. The best weights are the result. If none does
      better than the network as it came, this is kept bit for bit, the reason is
      given, and the exit code is 3. --set guard=0 turns the guard off, guard=2 turns
      it on in every method.

      With --labelled, a few frames with truth are learned from in every stage; pick
      chooses which to label. With --set label_weight=0 nothing is learned from them,
      and five or more help the guard: where they show which of two sets of weights
      is better, they decide.

      With --val and --truth, mIoU is measured before, after, and at the end of
      each stage, just as evaluate does it. --strip draws frame, source, blend,
      adapted network and truth side by side into NAME_strip.png, for a few frames
      of --val or else of --input.

      --protocol repeats an experiment of the literature: --input is the folder of
      the target's data set as it comes. The network, which has learned from the
      source alone, is adapted to the first frames below, and mIoU is measured on the
      second by their truth, in the classes of the protocol; other classes of the
      network never win. Two numbers of classes: both means are given.
      \(AdaptationProtocol.table)
      --report writes one page without scripts, DIR/index.html: what was decided and
      why, settings, curves, every set of weights that the guard has judged, shares
      and IoU of the classes, frames before and after, times and memory. A run that
      is interrupted has one, too.

      --ignore names what counts for nothing in losses, labels, guard and mIoU: the
      bonnet, an overlay, the robot's own arm. Under a guard, what never changes
      although the camera moves is found and ignored by itself, and the share of it
      is said; --set find_ignored=0 turns that off.

      --teacher starts from what another network predicts (black box; stage a is
      left out). It is an ONNX file, or a directory of predictions called after the
      frames: labels/NAME.png and confidence/NAME.png as segment writes them, or
      NAME.npy with classes x height x width probabilities, float32 or float16. Only
      methods that learn from labels ask it: auto, das3, selftrain and dine.

      Ctrl-C ends the run after the step: the checkpoint, if one is named, and the
      model so far are written and measured, and the exit code is 130. --resume then
      goes on as if nothing had happened. So do SIGTERM, a terminal that is closed,
      and whatever fails on the way.

      Frames of a video with something missing are not learned from, nor images that
      --keep-going leaves out; they are counted, and the exit code is 4.

      --input is an image, a directory, a pattern such as 'frames/*.jpg', a video, or
      what comes only once: a camera or an address (--limit says how many frames are
      enough), or - for a video on stdin. Frames of these must fit into memory.

      Frames stay in memory while they fit (into --memory-limit, or else into half
      of the machine); if not, each is read again whenever it is wanted.

      With --json: for each step a line {"event": "step", "stage", "step",
      "step_count", "total_step", …, losses, …} whose keys are the fields of
      das3_adapter_report in das3.h but those of labels in the making and of blends;
      {"event": "blend", "share", "reason", "seconds", "candidates"} when a blend has
      been made, with M, IM, F and V of each candidate; {"event": "guard", "choice",
      "reason", "candidates", …} when the guard has judged; {"event": "ignored",
      "share", "found_share"} when it is known which part of the pixels is ignored;
      {"event": "labels", …} when labels have been made; {"event": "evaluation",
      "step", "miou", "iou", …} in percent; {"event": "resumed", "step", "done"}
      where a checkpoint goes on; and last {"event": "summary", …}.

      Settings for --set, with their defaults; das3.h says more of each:
      \(settingsTable)
      Examples:
        das3-run adapt net.onnx frames --output better.onnx --method blend
        das3-run adapt --model net.onnx --input drive.mp4 --every 10 \\
          --output better.onnx --checkpoint drive.das3 --resume
        das3-run adapt --model net.onnx --input train --output better.onnx \\
          --val val --truth val_labels --class-map cityscapes_to_camvid.json \\
          --size 480x360 --steps a=120,b=240,c=60 --strip strips --json
        das3-run adapt gta5.onnx Cityscapes --protocol gta5-cityscapes \\
          --class-preset cityscapes19 --size 1024x512 --output better.onnx
      """)

  @OptionGroup var network: NetworkAndFrames

  @Option(help: ArgumentHelp("The adapted network, an ONNX file.", valueName: "file"))
  var output: String

  @OptionGroup var how: MethodOptions
  @OptionGroup var ignoring: IgnoreOption
  @OptionGroup var choice: FrameChoice
  @OptionGroup var streaming: StreamOptions
  @OptionGroup var reading: ReadingOptions

  @Option(help: ArgumentHelp("A network, or stored predictions of the frames.", valueName: "path"))
  var teacher: String?

  @Option(
    help: ArgumentHelp("Frames to measure mIoU on: a directory of images.", valueName: "dir"))
  var val: String?

  @OptionGroup var reference: TruthOptions

  @Option(
    help: ArgumentHelp("A few frames with truth to learn from: a directory.", valueName: "dir")
  )
  var labelled: String?

  @Option(
    help: ArgumentHelp(
      "The directory of their truth PNGs. Default: that of --truth.", valueName: "dir"))
  var labelledTruth: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Measure mIoU after every N steps, too.", valueName: "N"))
  var evaluateEvery: Int?

  @Option(help: ArgumentHelp("Directory for pictures before and after.", valueName: "dir"))
  var strip: String?

  @Option(
    name: .customLong("report"),
    help: ArgumentHelp("Directory for a page about the run, index.html.", valueName: "dir"))
  var reportDirectory: String?

  @Option(
    help: ArgumentHelp("Where to write how far the run has come.", valueName: "file"))
  var checkpoint: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How often to write it. Default: 60.", valueName: "seconds"))
  var checkpointEvery: Int?

  @Flag(help: "Go on from the checkpoint, if there is one.")
  var resume = false

  @OptionGroup var sizeOption: SizeOption
  @OptionGroup var shared: SharedOptions

  /// Name, default and meaning of each.
  private static var settingsTable: String {
    let defaults = AdapterSettings()
    var table = Table([.left, .left, .left])
    for setting in AdapterSettings.known {
      let words = setting.words.dropLast().joined(separator: ", ")
      let meaning = words.isEmpty ? setting.meaning : "\(words) or \(setting.words.last ?? "")"
      table.add("  " + setting.name, defaults[setting.name], meaning)
    }
    return table.text
  }

  func validate() throws {
    let rules = reference.rules
    if let rules, val != nil {
      throw ValidationError("'--val' is what '--protocol \(rules.name)' says; expected one")
    }
    let truth = reference.truth
    let judges = rules == nil ? "--truth DIR" : "--labelled-truth DIR"
    let pairs: [(String, String?, String, String?)] = [
      ("--truth", truth, "--val DIR", val ?? labelled), ("--val", val, "--truth DIR", truth),
      ("--labelled", labelled, judges, labelledTruth ?? truth),
      ("--labelled-truth", labelledTruth, "--labelled DIR", labelled),
      ("--class-map", reference.classMap, "--truth DIR", truth ?? labelledTruth),
      ("--truth-suffix", reference.truthSuffix, "--truth DIR", truth ?? labelledTruth),
      ("--evaluate-every", evaluateEvery?.description, "--val DIR", val ?? rules?.name),
      ("--resume", resume ? "" : nil, "--checkpoint FILE", checkpoint),
      ("--checkpoint-every", checkpointEvery?.description, "--checkpoint FILE", checkpoint),
    ]
    for (option, given, needed, other) in pairs where given != nil && other == nil {
      throw ValidationError("'\(option)' needs '\(needed)'")
    }
    if let evaluateEvery, evaluateEvery < 1 {
      throw ValidationError("'--evaluate-every \(evaluateEvery)': expected 1 or more")
    }
    if let checkpointEvery, !(0...1_000_000).contains(checkpointEvery) {
      throw ValidationError("'--checkpoint-every \(checkpointEvery)': expected 0 to 1000000")
    }
    let sources = [("--model", network.model), ("--input", network.input)]
    for (option, path, others) in [
      ("--output", output, sources), ("--checkpoint", checkpoint, sources + [("--output", output)]),
      ("--report", reportDirectory.map(ReportPage.path(in:)), [("--output", output)]),
    ] {
      guard let path else { continue }
      for (other, taken) in others where Folder.isSame(path, taken) {
        throw ValidationError("'\(option)' and '\(other)' are both \(path)")
      }
    }
    if let checkpoint, hasCheckpoint, !Folder.exists(checkpoint), !resume {
      throw ValidationError(
        "'--checkpoint \(checkpoint)' is there already; '--resume' goes on from it")
    }
  }

  mutating func run() throws {
    if let rules = reference.rules {
      val = try reference.follow(in: network.input)
      network.named = try rules.training(in: network.input)
    }
    try checkTargets()
    let model = try network.load()
    let ignored = try ignoring.area(reading)
    let measurement = try measurement(of: model, ignored)
    let target = try AdaptationTarget(
      input: network.input, choice: choice, streaming: streaming, reading: reading,
      teacher: teacher, model: model, settings: try how.settings(), ignored: ignored,
      size: sizeOption.size, shared: shared)
    let adapter = target.adapter
    let judgeCount = try addJudges(to: adapter, of: model)
    if let checkpoint, hasCheckpoint { try adapter.resume(from: checkpoint) }
    let report = try AdaptReport(
      isJson: shared.json, before: measurement?.measure(model), isResumed: hasCheckpoint)
    let loop = AdaptationLoop(
      adapter: adapter, report: report, measurement: measurement, evaluateEvery: evaluateEvery,
      checkpoint: checkpoint, checkpointEvery: .seconds(checkpointEvery ?? 60))
    let end = loop.run()
    if case .failed(let failure) = end { throw keep(adapter, after: report.stepCount, failure) }
    let adapted = try adapter.snapshot()
    try adapted.save(to: output)
    // The model is there already, should somebody not want to wait for this.
    if let measurement { try report.finish(after: try measurement.measure(adapted)) }
    var isPaused = false
    if case .paused = end { isPaused = true }
    if !isPaused { try drawStrips(before: model, after: adapted, measurement, target) }
    try writeReport(
      Run(
        before: model, after: adapted, report: report, measurement: measurement, target: target,
        isPaused: isPaused))
    let facts: [JsonValue.Member] = [
      (key: "protocol", value: .text(reference.rules?.name)),
      (key: "method", value: .string(how.method.rawValue)),
      (key: "start", value: .string(try how.settings().start.rawValue)),
      (key: "stages", value: .text(try how.stages(hasTeacher: teacher != nil))),
      (key: "seed", value: .integer(Int(clamping: try how.settings().seed))),
      (key: "checkpoint", value: .text(checkpoint)), (key: "strip", value: .text(strip)),
      (key: "report", value: .text(reportDirectory.map(ReportPage.path(in:)))),
      (key: "labelled", value: .integer(judgeCount)),
      (key: "left_out", value: .integer(target.reader.leftOutCount)),
      (key: "damaged", value: .integer(target.reader.damagedFrameCount)),
    ]
    try report.finish(
      facts, schedule: try schedule, frameCount: target.frameCount,
      workload: try adapter.describe(), output: output)
    // What was missing has been said.
    if loop.lacksCheckpoint { throw ExitCode.failure }
    if isPaused { throw ExitCode.interrupted }
    if let reason = report.reasonForSource {
      Terminal.note("\(output) is the network as it came: \(reason)")
      throw ExitCode.sourceKept
    }
    try target.reader.reportDamage()
  }

  /// What is done one after the other: a blend, stages, or a method without any.
  private var schedule: [String] {
    get throws(Failure) {
      let blend = try how.settings().start == .blend ? ["blend"] : []
      let stages = try how.stages(hasTeacher: teacher != nil)?.map(String.init)
      return blend + (stages ?? [how.method.rawValue])
    }
  }

  /// Writes the model that a failure has left, and adds to it where that is.
  private func keep(_ adapter: AdapterHandle, after stepCount: Int, _ failure: Failure) -> Failure {
    guard stepCount > 0 else { return failure }
    do throws(Failure) {
      try adapter.snapshot().save(to: output)
      return Failure("\(failure.message); \(output) is the model after step \(stepCount)")
    } catch {
      return Failure("\(failure.message); \(error.message)")
    }
  }

  private var hasCheckpoint: Bool {
    checkpoint.map(SystemFile.exists) ?? false
  }

  /// What would fail after hours must fail at once.
  private func checkTargets() throws(Failure) {
    try Folder.checkCanReplace(output)
    if let checkpoint { try Folder.checkCanReplace(checkpoint) }
    if let scratch = try how.settings().texts["scratch_directory"] {
      try Folder.checkIsWritable(scratch, "cannot write labels")
      guard Path.isPlain(scratch) else {
        throw Failure("cannot write labels: the name of \(scratch) must be UTF-8")
      }
    }
    if let strip {
      try Folder.create(strip)
      try Folder.checkIsWritable(strip, "cannot write strips")
    }
    if let reportDirectory { try ReportPage.checkCanWrite(into: reportDirectory) }
  }

  private func measurement(of model: ModelHandle, _ ignored: IgnoredArea?) throws(Failure)
    -> Measurement?
  {
    guard let val, let truth = reference.truth else { return nil }
    let labeller = try Labeller(
      model: model, classMap: reference.classMap, size: sizeOption.size, shared: shared)
    labeller.noteMissing()
    return Measurement(
      validation: try Validation(
        input: val, truth: truth, suffix: reference.truthSuffix, coding: labeller.coding,
        ignored: ignored, reading: reading, keptByteLimit: Measurement.keptByteLimit),
      labeller: labeller)
  }

  /// Gives the adapter the frames of `--labelled` with their truth.
  ///
  /// - Returns: how many there are.
  private func addJudges(to adapter: AdapterHandle, of model: ModelHandle) throws(Failure) -> Int {
    guard let labelled, let truth = labelledTruth ?? reference.truth else { return 0 }
    let map = try reference.classMap.map { name throws(Failure) in
      try ClassMap(name, modelClasses: model.classNames)
    }
    if let map { try adapter.setTruthClasses(map.truthClasses) }
    let judges = try Validation(
      input: labelled, truth: truth, suffix: reference.truthSuffix,
      coding: map?.coding
        ?? TruthCoding(classes: model.classNames, ignoreLabel: model.ignoreLabel),
      ignored: nil, reading: reading, keptByteLimit: 0)
    let ignored = UInt8(clamping: map?.ignoreLabel ?? model.ignoreLabel)
    for index in 0..<judges.frameCount {
      let (frame, truth) = try judges.read(index)
      guard try adapter.add(frame, truth: truth.map { $0 == ignored ? 255 : $0 }) else {
        throw Failure(
          "\(labelled): its \(counted(judges.frameCount, "frame")) do not fit in memory")
      }
    }
    return judges.frameCount
  }

  private func drawStrips(
    before: ModelHandle, after: ModelHandle, _ measurement: Measurement?,
    _ target: AdaptationTarget
  ) throws(Failure) {
    guard let strip else { return }
    let models = try moments(before: before, after: after)
    guard let measurement else {
      let labeller = try Labeller(
        model: before, classMap: nil, size: sizeOption.size, shared: shared)
      return try StripWriter(directory: strip, labeller: labeller).write(
        models, frameCount: target.readableCount
      ) { index throws(Failure) in (try target.read(index), nil) }
    }
    try StripWriter(directory: strip, labeller: measurement.labeller).write(
      models, frameCount: measurement.validation.frameCount
    ) { index throws(Failure) in
      let (frame, truth) = try measurement.validation.read(index)
      return (frame, truth)
    }
  }

  /// The network as it came, the blend where there is one, and what training has made of that.
  private func moments(
    before: ModelHandle, after: ModelHandle
  ) throws(Failure) -> [(name: String, model: ModelHandle)] {
    let settings = try how.settings()
    guard how.method.trains else { return [("source", before), (how.method.rawValue, after)] }
    // Training leaves the statistics of the blend alone where they are frozen.
    let isFrozen =
      settings["batch_norm"] == "frozen"
      || settings["batch_norm"] == "default" && how.method != .tent
    let blend: [(name: String, model: ModelHandle)] =
      settings.start == .blend && isFrozen
      ? [("blend", try before.with(statisticsOf: after))] : []
    return [("source", before)] + blend + [("adapted", after)]
  }
}
