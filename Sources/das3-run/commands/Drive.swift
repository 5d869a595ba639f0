// `das3-run drive`: frames of a camera in, their labels out, by a network that learns from them.
import ArgumentParser
import CDas3
import Foundation

struct Drive: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Label frames as they come, and adapt the network to them meanwhile.",
    discussion: """
      --input is a video, a directory of images, a pattern of their names, a camera
      (/dev/video0; needs libavdevice), an address that FFmpeg reads (rtsp://,
      http://, srt://, …), or - for a video on stdin.

      Every frame is labelled first, and may be learned from afterwards. Every third
      frame that shows something new is never learned from: by these a guard compares
      what was learned with the network as it came, and only what does better labels
      the next frame. If it no longer does, the network as it came returns at once.

      Cameras, addresses, and files with --realtime come at their own pace: a thread
      learns within --budget, and frames that come while another one is labelled are
      left out. A stream that breaks off is opened again for --reconnect seconds.
      Other files and stdin are read as fast as it goes, and after each frame
      --steps-per-frame steps are taken: the same input gives the same network.

      --ignore names what is labelled, but counts for nothing in what is learned: the
      bonnet, an overlay, the robot's own arm. What never changes although the camera
      moves is found by itself; --set find_ignored=0 turns that off.

      --overlay writes a video of the labels: on the left by the network as it came,
      on the right by what it has become.

      Ctrl-C ends the drive after the frame: the network, the checkpoint and the video
      are written, and the exit code is 130. If nothing that was learned is in use at
      the end, the exit code is 3. Parts of the input that were damaged are labelled
      as they are, and the exit code is 4.

      With --json: {"event": "frame", "frame", "milliseconds", "weights", …} for each
      frame, with "seconds" of a video; {"event": "weights", …} whenever other weights
      label from then on; and last {"event": "summary", …}. M is the mutual
      information of pixels and classes, times the part of the pixels that have the
      same label in the mirror image.

      Examples:
        das3-run drive net.onnx drive.mp4 --output better.onnx --overlay drive_labels.mp4
        das3-run drive net.onnx /dev/video0 --size 480x360 --checkpoint robot.das3 --resume
        das3-run drive net.onnx rtsp://camera.local/stream --budget 0.5 --output better.onnx
      """)

  @OptionGroup var network: NetworkAndFrames

  @Option(help: ArgumentHelp("The network at the end, an ONNX file.", valueName: "file"))
  var output: String?

  @Option(help: ArgumentHelp("A video of labels before and now (MP4).", valueName: "file"))
  var overlay: String?

  @Option(
    name: .customLong("report"),
    help: ArgumentHelp("Directory for an HTML page about the drive.", valueName: "dir"))
  var reportDirectory: String?

  @Option(help: ArgumentHelp("Where to write what was learned.", valueName: "file"))
  var checkpoint: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How often to write it. Default: 60.", valueName: "seconds"))
  var checkpointEvery: Int?

  @Flag(help: "Go on from the checkpoint, if there is one.")
  var resume = false

  @Flag(help: "Take the frames of a video when they are due, as a camera would give them.")
  var realtime = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The share of one core's time that learning may take, 0 to 1.", valueName: "share"))
  var budget = 1.0

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Threads that learn.", valueName: "N"))
  var learningThreads = 1

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Of files without --realtime. Default: 2.", valueName: "N"))
  var stepsPerFrame: Int?

  @OptionGroup var how: MethodOptions
  @OptionGroup var ignoring: IgnoreOption
  @OptionGroup var choice: FrameChoice
  @OptionGroup var streaming: StreamOptions
  @OptionGroup var reading: ReadingOptions
  @OptionGroup var sizeOption: SizeOption
  @OptionGroup var shared: SharedOptions

  func validate() throws {
    guard (0...1).contains(budget) else {
      throw ValidationError("'--budget \(budget)': expected 0 to 1")
    }
    guard (1...1024).contains(learningThreads) else {
      throw ValidationError("'--learning-threads \(learningThreads)': expected 1 to 1024")
    }
    if let stepsPerFrame, !(1...1000).contains(stepsPerFrame) {
      throw ValidationError("'--steps-per-frame \(stepsPerFrame)': expected 1 to 1000")
    }
    guard how.method == .auto || how.method == .das3 else {
      throw ValidationError("'--method \(how.method.rawValue)': drive learns by auto or das3")
    }
    for (option, given) in [
      ("--resume", resume), ("--checkpoint-every", checkpointEvery != nil),
    ] where given && checkpoint == nil {
      throw ValidationError("'\(option)' needs '--checkpoint FILE'")
    }
    if let checkpointEvery, !(0...1_000_000).contains(checkpointEvery) {
      throw ValidationError("'--checkpoint-every \(checkpointEvery)': expected 0 to 1000000")
    }
    let targets = [
      ("--output", output), ("--overlay", overlay), ("--checkpoint", checkpoint),
      ("--report", reportDirectory.map(ReportPage.path(in:))),
    ]
    var taken = [("--model", network.model), ("--input", network.input)]
    for (option, path) in targets {
      guard let path else { continue }
      for (other, used) in taken where Folder.isSame(path, used) {
        throw ValidationError("'\(option)' and '\(other)' are both \(path)")
      }
      taken.append((option, path))
    }
    if let checkpoint, !resume, SystemFile.exists(checkpoint) {
      throw ValidationError(
        "'--checkpoint \(checkpoint)' is there already; '--resume' goes on from it")
    }
  }

  func run() throws {
    for target in [output, overlay, checkpoint].compactMap(\.self) {
      try Folder.checkCanReplace(target)
    }
    if let reportDirectory { try ReportPage.checkCanWrite(into: reportDirectory) }
    let ignored = try ignoring.area(reading)
    let model = try network.load()
    Interrupt.watch()
    let reader = try FrameReader(
      path: network.input, choice: choice, reading: reading, threadCount: shared.threadCount,
      stream: streaming)
    let stream = FrameStream(
      reader, limit: choice.limit, drop: streaming.drop, isRealtime: realtime)
    var frame = Frame()
    guard try stream.read(into: &frame) else { throw Failure("\(network.input): no frames") }
    let size = NetworkSize(wanted: sizeOption.size, model: model, frame: frame.size).size
    if let size, size != sizeOption.size { NetworkSize.note(frame, works: size) }
    let online = try OnlineHandle(
      model: model, settings: try how.settings(), pace: pace(of: reader), size: size,
      shared: shared)
    if let ignored { try online.ignore(ignored.mask(for: frame.size)) }
    if resume, let checkpoint, SystemFile.exists(checkpoint) { try online.resume(from: checkpoint) }
    let loop = DriveLoop(
      online: online,
      report: DriveReport(
        isJson: shared.json, stream: stream, keepsFrames: reportDirectory != nil),
      overlay: try overlay.map { path throws(Failure) in
        try BeforeAndNow(
          path: path, model: model, size: size, reader: reader, shared: shared)
      }, checkpoint: checkpoint, checkpointEvery: .seconds(checkpointEvery ?? 60))
    try loop.run(stream, from: &frame, classCount: model.classes.count)
    if let output { try online.snapshot().save(to: output) }
    try writeReport(loop.report, online, model, stream, size)
    let isSource = try loop.finish(
      output: output, page: reportDirectory.map(ReportPage.path(in:)))
    if Interrupt.isRequested { throw ExitCode.interrupted }
    try reader.reportDamage()
    if isSource { throw ExitCode.sourceKept }
  }

  /// Writes the page, if it is wanted.
  private func writeReport(
    _ report: DriveReport, _ online: OnlineHandle, _ model: ModelHandle, _ stream: FrameStream,
    _ size: PixelSize?
  ) throws(Failure) {
    guard let reportDirectory else { return }
    let reader = stream.reader
    let (seconds, memory) = (report.seconds, ProcessMemory.most)
    let last = try online.report()
    let kept = report.history.kept.frames
    let comparison = try LabelComparison(
      before: model, after: try online.snapshot(),
      labeller: try Labeller(
        model: model, classMap: nil, outputs: [.entropy], size: size, shared: shared),
      frameCount: kept.count
    ) { (kept[$0], nil) }
    let pace = pace(of: reader)
    let facts: [(title: String, value: String?)] = [
      ("date", Date.now.formatted(.iso8601)),
      ("state", Interrupt.isRequested ? "interrupted" : "complete"),
      ("network", network.model), ("input", network.input),
      ("frames", String(last.frame_count)),
      ("left out", reader.leftOutCount > 0 ? String(reader.leftOutCount) : nil),
      ("came while busy", stream.droppedCount > 0 ? String(stream.droppedCount) : nil),
      ("method", how.method.rawValue), ("seed", String(try how.settings().seed)),
      ("learning threads", pace.stepsPerFrame > 0 ? nil : String(pace.learningThreads)),
      ("budget", pace.stepsPerFrame > 0 ? nil : "\(fixed(pace.budget * 100, 0)) % of one core"),
      ("steps after each frame", pace.stepsPerFrame > 0 ? String(pace.stepsPerFrame) : nil),
      ("ignored", last.ignoredPart), ("output", output), ("overlay", overlay),
      ("checkpoint", checkpoint),
      ("version", Das3Run.version),
    ]
    let page = DrivePage(
      model: network.model, facts: facts, history: report.history, last: last,
      medianMilliseconds: report.medianMilliseconds, lateMilliseconds: report.lateMilliseconds,
      seconds: seconds, processBytes: memory,
      comparison: ComparisonBlocks(
        comparison: comparison, path: network.input, frameCount: Int(last.frame_count)),
      program: Das3Run.version)
    try page.page().write(into: reportDirectory)
  }

  private func pace(of reader: FrameReader) -> OnlineHandle.Pace {
    var pace = OnlineHandle.Pace(learningThreads: learningThreads, budget: budget)
    if !realtime, !reader.hasOwnPace { pace.stepsPerFrame = stepsPerFrame ?? 2 }
    return pace
  }
}
