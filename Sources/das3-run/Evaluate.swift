// `das3-run evaluate`: frames and truth in, intersection over union out.
import ArgumentParser

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare a model's labels with the truth: mIoU, IoU of each class, accuracy.",
    discussion: """
      The truth of NAME.png (or .jpg, …) is NAME.png in the --truth directory, of
      the same size: an 8-bit PNG of class numbers, gray or palette indices. One
      confusion matrix covers all frames. A class in neither truth nor prediction
      is left out of the mean; one in the truth that is never predicted counts
      as 0. The ignored number and numbers above the classes are not counted.

      A class map is JSON: {"classes": [names of the truth's numbers], "ignore":
      number, "map": {model class: truth class}}. Probabilities of model classes
      with the same truth class are summed before the largest is taken; a model
      class that the map leaves out never wins. Without a map the truth holds the
      model's own class numbers.

      With --json: {"miou", "iou": {class: value}, "pixel_accuracy", "frames",
      "classes"}, in percent, rounded to 2 decimals; null = class left out;
      "classes" = how many count in the mean.

      Example:
        das3-run evaluate --model net.onnx --input val --truth val_labels \\
          --class-map cityscapes_to_camvid.json --size 480x360 --json
      """)

  @OptionGroup var modelOption: ModelOption

  @Option(help: ArgumentHelp("A directory of images, or one image.", valueName: "dir"))
  var input: String

  @Option(help: ArgumentHelp("The directory of truth PNGs.", valueName: "dir"))
  var truth: String

  @Option(
    help: ArgumentHelp("From the model's class names to the truth's.", valueName: "file"))
  var classMap: String?

  @OptionGroup var sizeOption: SizeOption
  @OptionGroup var shared: SharedOptions

  func run() throws {
    let model = try ModelHandle(path: modelOption.model)
    let map = try classMap.map {
      try ClassMap(path: $0, modelClasses: model.classNames)
    }
    let reader = try FrameReader(path: input, threadCount: shared.threads)
    guard reader.kind != .video else {
      throw Failure("\(input) is a video; evaluate compares images with the truth of each")
    }
    let truthReader = try TruthReader(directory: truth)
    let names = map?.classes ?? model.classNames
    let evaluator = try EvaluatorHandle(
      classCount: names.count, ignoreLabel: map?.ignoreLabel ?? model.ignoreLabel)
    let segmenter = try SegmenterHandle(model: model, size: sizeOption.size, shared: shared)
    var result = Segmentation(
      map == nil ? [.labels] : [.labels, .probabilities], classCount: model.classes.count)
    var frame = Frame()
    var finished = 0
    var progress = ProgressBar(title: "evaluate", frameCount: reader.frameCount)
    while try reader.read(into: &frame) {
      try truthReader.read(for: frame)
      try segmenter.segment(frame, into: &result)
      map?.label(result.probabilities, into: &result.labels)
      try evaluator.add(labels: result.labels, truth: truthReader.labels)
      finished += 1
      progress.update(finished: finished)
    }
    progress.clear()
    let evaluation = try evaluator.result()
    guard evaluation.pixelCount > 0 else {
      throw Failure("no pixel counts: all truth in \(truth) is ignored or above the classes")
    }
    if shared.json {
      try json(evaluation, names: names, frameCount: finished).printLine()
    } else {
      print(text(evaluation, names: names, frameCount: finished))
    }
  }

  private func json(
    _ result: EvaluatorHandle.Result, names: [String], frameCount: Int
  ) -> JsonValue {
    let iou = zip(names, result.iou).map { name, value in
      (key: name, value: value.map { JsonValue.rounded($0 * 100, 2) } ?? .null)
    }
    return .object([
      (key: "miou", value: .rounded(result.miou * 100, 2)),
      (key: "iou", value: .object(iou)),
      (key: "pixel_accuracy", value: .rounded(result.pixelAccuracy * 100, 2)),
      (key: "frames", value: .integer(frameCount)),
      (key: "classes", value: .integer(result.seenClassCount)),
    ])
  }

  private func text(
    _ result: EvaluatorHandle.Result, names: [String], frameCount: Int
  ) -> String {
    var table = Table([.left, .right])
    for (name, value) in zip(names, result.iou) {
      table.add(name, value.map { fixed($0 * 100, 2) } ?? "–")
    }
    table.add("")
    table.add("mIoU", fixed(result.miou * 100, 2))
    table.add("pixel accuracy", fixed(result.pixelAccuracy * 100, 2))
    let frames = frameCount == 1 ? "1 frame" : "\(frameCount) frames"
    return table.text + "\n\(frames), \(result.seenClassCount) of \(names.count) classes, percent"
  }
}
