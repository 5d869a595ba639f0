// `das3-run pick`: frames without labels in, the few that are worth labelling, prepared for it, out.
import ArgumentParser

struct Pick: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Choose the frames that are worth labelling, and prepare them for it.",
    discussion: """
      Frames are chosen one after the other: the network is unsure of them, they
      differ from those chosen before in what is where, and they are not like no
      others. Frames that show nothing (black, a covered lens) are not chosen, nor is
      one that is as good as equal to another. There may be fewer than --n then, and
      a note says so.

      Files below --output, NAME is the number of the choice and the frame's name,
      such as 03_street7:
        frames/NAME.png          the frame: a copy of its file, or a PNG from a video
        frames/NAME.json         outlines of the network's labels for LabelMe
        labels/NAME.png          the network's labels: class numbers in the classes'
                                 colours, 255 = no class
        labelme_labels.txt       names of the classes
        picked.json              what was picked, and why

      Correct either the outlines or the PNGs. In LabelMe:
        labelme out/frames --labels out/labelme_labels.txt --nodata
      Then both are truth for evaluate and adapt: --truth out/frames takes the
      outlines, --truth out/labels the PNGs. Regions too small for an outline are part
      of what is around them there; the PNGs have them all.

      --input is an image, a directory, a pattern such as 'frames/*.jpg', or a video,
      of which the frames with something missing are left out. Pixels that --ignore
      names have no class. Directories that hold frames or labels already are not
      written to.

      Exit codes: 130 after Ctrl-C, nothing is written then; 4 where parts of the
      input could not be used. With --json: one object, which picked.json has, too:
      {"frames", "wanted", "picked": [{"frame", "file", "seconds", "entropy",
      "uncertain", "different", "nearest", "outlier", "polygons", "specks",
      "agreement"}, …], "equal", "blank", "damaged", "left_out"}. entropy is the mean
      of the frame, from 0 to 1; uncertain, how many percent of the others have
      less; different, the distance to "nearest", the most similar frame picked
      before, from 0 to 1; an outlier is like no other frame, and picked when nothing
      else is left; specks are regions without an outline; agreement, how many
      percent of the pixels the outlines label as the PNG does.

      Example:
        das3-run pick --model net.onnx --input drive.mp4 --every 5 --n 10 --output out
      """)

  @OptionGroup var network: NetworkAndFrames

  @Option(
    name: .customLong("n"), parsing: .unconditional,
    help: ArgumentHelp("How many frames to pick.", valueName: "N"))
  var count = 10

  @Option(
    help: ArgumentHelp("Directory for frames and labels; created if need be.", valueName: "dir"))
  var output: String

  @OptionGroup var ignoring: IgnoreOption
  @OptionGroup var choice: FrameChoice
  @OptionGroup var reading: ReadingOptions
  @OptionGroup var sizeOption: SizeOption
  @OptionGroup var shared: SharedOptions

  func validate() throws {
    guard (1...1_000_000).contains(count) else {
      throw ValidationError("'--n \(count)': expected 1 to 1000000")
    }
  }

  func run() throws {
    let model = try network.load()
    Interrupt.watch()
    let reader = try FrameReader(
      path: network.input, choice: choice, reading: reading, threadCount: shared.threadCount)
    let labeller = PickLabeller(
      segmenter: try SegmenterHandle(model: model, size: sizeOption.size, shared: shared),
      ignored: IgnoredMasks(try ignoring.area(reading)), classCount: model.classes.count)
    let writer = try PickWriter(
      directory: output, input: network.input, classes: model.classes)
    let survey = try FrameSurvey(of: reader, labeller)
    let picks = FramePicker(frames: survey.frames).pick(count)
    let written = try write(picks, of: survey, reader, labeller, writer)
    let report = PickReport(
      survey: survey, wanted: count, picks: picks, written: written, reader: reader)
    try writer.finish(report.json)
    try shared.json ? report.json.printLine() : Terminal.say(report.text(output: output))
    report.noteMissing()
    try reader.reportDamage()
  }

  /// Reads and labels the picked frames again, in the order in which a video has them.
  private func write(
    _ picks: [FramePicker.Pick], of survey: FrameSurvey, _ reader: FrameReader,
    _ labeller: PickLabeller, _ writer: PickWriter
  ) throws(Failure) -> [PickWriter.Written] {
    try writer.begin()
    let digitCount = String(picks.count).count
    var written: [Int: PickWriter.Written] = [:]
    var frame = Frame()
    for place in picks.indices.sorted(by: { picks[$0].frame < picks[$1].frame }) {
      let index = survey.frames[picks[place].frame].index
      guard try reader.read(index, into: &frame) else {
        throw Failure("\(reader.path): frame \(index) is gone")
      }
      try labeller.label(frame)
      let number = String(place + 1)
      let zeros = String(repeating: "0", count: digitCount - number.count)
      written[place] = try writer.write(
        frame, from: reader.file(of: index), labels: labeller.result.labels, number: zeros + number)
    }
    return picks.indices.compactMap { written[$0] }
  }
}
