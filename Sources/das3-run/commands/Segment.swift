// `das3-run segment`: frames in, label pictures, overlays or a table of classes out.
import ArgumentParser

struct Segment: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Label every pixel of an image, a directory of images or a video.",
    discussion: """
      Files below --output, called after the frames (000000, 000001, … in a video):
        labels/NAME.png       class numbers, 8-bit gray, 255 = no class
        confidence/NAME.png   the winning probability, 255 = certain
        entropy/NAME.png      uncertainty from 0 to 255 = all classes alike
        overlay/NAME.png      class colours over the frame, with a legend
        STEM_overlay.mp4      the same, where the input is the video STEM
      Without --output nothing is written; the table shows how much each class takes.

      --input may also be a pattern such as 'frames/%06d.png' or 'frames/*.jpg', a
      camera (/dev/video0), an address (rtsp://, http://, …), or - for a video on
      stdin; --raw says how the pixels of raw video lie. Frames of cameras and
      addresses that come while another one is labelled are left out (--drop), and a
      stream that breaks off is opened again for --reconnect seconds.

      Frames are turned upright first, and results have the frame's size as it is
      shown. The overlay of a video keeps its times, --every 30 too, and its pixels'
      shape; --audio copies its sound.

      Ctrl-C ends it after the frame; what is written so far is complete, and the
      exit code is 130. Where images of a directory were left out (--keep-going), or
      parts of a video were damaged or missing, all else is done, and it is 4.

      With --json: for each frame a line {"event": "frame", "frame", "milliseconds",
      "shares"}, of a video with "seconds" since its first picture and "damaged";
      then {"event": "summary", …}. Shares are percent of the pixels. In names, bytes
      that are not UTF-8 are \\udc80 to \\udcff, as Python's os.fsdecode has them.

      Examples:
        das3-run segment net.onnx frame.png
        das3-run segment --model net.onnx --input frames --output out \\
          --save labels,entropy
        das3-run segment --model net.onnx --input drive.mp4 --output out --overlay
        camera | das3-run segment net.onnx - --raw yuyv:640x480@30 --json
      """)

  @OptionGroup var network: NetworkAndFrames

  @Option(help: ArgumentHelp("Directory for the results; created if need be.", valueName: "dir"))
  var output: String?

  @Flag(help: "Also write the frames tinted with the class colours.")
  var overlay = false

  @Option(
    help: ArgumentHelp(
      "Pictures to write: labels, confidence, entropy, with commas between them. Default: labels.",
      valueName: "list"),
    transform: Segment.outputs(argument:))
  var save: [Segmentation.Output]?

  @Flag(help: "Copy the sound of a video beside its overlay.")
  var audio = false

  @OptionGroup var choice: FrameChoice
  @OptionGroup var streaming: StreamOptions
  @OptionGroup var reading: ReadingOptions
  @OptionGroup var sizeOption: SizeOption
  @OptionGroup var shared: SharedOptions

  /// Reads the value of `--save`: words with commas between them.
  private static func outputs(argument: String) throws -> [Segmentation.Output] {
    let known: [Segmentation.Output] = [.labels, .confidence, .entropy]
    return try argument.split(separator: ",", omittingEmptySubsequences: false).map { word in
      guard let output = known.first(where: { $0.rawValue == word }) else {
        let names = known.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("'\(word)' is not one of \(names)")
      }
      return output
    }
  }

  func validate() throws {
    if output == nil, overlay || save != nil {
      throw ValidationError("'\(overlay ? "--overlay" : "--save")' needs '--output DIR'")
    }
    guard overlay || !audio else { throw ValidationError("'--audio' needs '--overlay'") }
  }

  func run() throws {
    let model = try network.load()
    Interrupt.watch()
    let reader = try FrameReader(
      path: network.input, choice: choice, reading: reading, threadCount: shared.threadCount,
      stream: streaming)
    let stream = FrameStream(reader, limit: choice.limit, drop: streaming.drop)
    guard reader.live == nil || !audio else {
      throw Failure("'--audio' copies the sound of a file; \(network.input) is none")
    }
    if reader.kind == .directory { try reader.checkStemsDiffer() }
    let segmenter = try SegmenterHandle(model: model, size: sizeOption.size, shared: shared)
    let saved = save ?? [.labels]
    let writer = try output.map { directory in
      try ResultWriter(
        directory: directory, saved: saved,
        overlay: overlay ? Overlay(classes: model.classes) : nil, reader: reader,
        audio: audio ? try AudioTrack(path: network.input) : nil, threadCount: shared.threadCount)
    }
    var result = Segmentation(
      Set(output == nil ? [] : saved).union([.labels]), classCount: model.classes.count)
    var frame = Frame()
    var report = SegmentReport(
      classes: model.classes, timing: reader.kind == .video ? reader.timing : nil,
      isJson: shared.json)
    var progress = ProgressBar(title: "segment", count: stream.frameCount)

    let clock = ContinuousClock()
    while !Interrupt.isRequested, try stream.read(into: &frame) {
      let elapsed = try clock.measure { try segmenter.segment(frame, into: &result) }
      let shares = try report.add(
        frame, labels: result.labels, milliseconds: elapsed.seconds * 1000)
      try writer?.write(frame, result, shares: shares)
      progress.update(finished: report.frameCount)
    }
    try writer?.finish(after: frame)
    progress.clear()
    try report.finish(
      networkSize: try segmenter.describe().size, output: output, stream: stream,
      isWhole: !Interrupt.isRequested)
    if Interrupt.isRequested { throw ExitCode.interrupted }
    try reader.reportDamage()
  }
}
