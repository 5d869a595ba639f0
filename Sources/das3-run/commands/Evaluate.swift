// `das3-run evaluate`: frames and truth in, intersection over union out.
import ArgumentParser

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare a model's labels with the truth: mIoU, IoU of each class, accuracy.",
    discussion: """
      The truth of NAME.png (or .jpg, …) is NAME.png in the --truth directory, of
      the same size, or NAME with one suffix for all, such as NAME_labelIds.png
      (of NAME_leftImg8bit.png too). It is a PNG of class numbers: gray of 1 to 16
      bits, palette indices, or red, green and blue alike; alpha does not count. Where
      there is NAME.json with the shapes of LabelMe, it comes first: polygons and
      rectangles called after the classes of the truth, later ones above; what has no
      shape, or one called __ignore__, is not counted.
      One confusion matrix covers all frames. A class in neither truth nor
      prediction is left out of the mean; one in the truth that is never predicted
      counts as 0. The ignored number, and 255, are not counted; any other number
      outside the classes is refused.

      Pixels that --ignore names are not counted: the bonnet, an overlay.

      A class map is JSON: {"classes": [names of the truth's numbers], "ignore":
      number, "map": {model class: truth class}}. Probabilities of model classes
      with the same truth class are summed before the largest is taken; a model
      class that the map leaves out never wins. Without a map the truth holds the
      model's own class numbers. Where it holds other numbers, "values": {"7":
      "road", …, "*": null} says the class of each, null where it is not counted,
      "*" for all others; where it holds colours, so does "colours": {"#804080":
      "road", …}. With either, "classes" and "map" may be left out.

      With --json: {"miou", "iou": {class: value}, "pixel_accuracy", "frames",
      "classes", "left_out"}, in percent, rounded to 2 decimals; null = class left out;
      "classes" = how many count in the mean; "left_out" = frames that could not be read
      (--keep-going), with exit code 4.

      Example:
        das3-run evaluate --model net.onnx --input val --truth val_labels \\
          --class-map cityscapes_to_camvid.json --size 480x360 --json
      """)

  @OptionGroup var network: NetworkAndFrames

  @Option(help: ArgumentHelp("The directory of truth PNGs.", valueName: "dir"))
  var truth: String

  @Option(
    help: ArgumentHelp("From the model's class names to the truth's.", valueName: "file"))
  var classMap: String?

  @Option(
    help: ArgumentHelp("What names of truth have behind the frames'.", valueName: "text"))
  var truthSuffix: String?

  @OptionGroup var ignoring: IgnoreOption
  @OptionGroup var reading: ReadingOptions
  @OptionGroup var sizeOption: SizeOption
  @OptionGroup var shared: SharedOptions

  func run() throws {
    let model = try network.load()
    let labeller = try Labeller(
      model: model, classMap: classMap, size: sizeOption.size, shared: shared)
    let validation = try Validation(
      input: network.input, truth: truth, suffix: truthSuffix, coding: labeller.coding,
      ignored: try ignoring.area(reading), reading: reading, keptByteLimit: 0)
    let result = try validation.evaluate(labeller)
    if shared.json {
      let counts = [
        (key: "frames", value: JsonValue.integer(validation.evaluatedCount)),
        (key: "classes", value: .integer(result.seenClassCount)),
        (key: "left_out", value: .integer(validation.leftOutCount)),
      ]
      try JsonValue.object(result.json + counts).printLine()
    } else {
      try Terminal.say(text(result, frameCount: validation.evaluatedCount))
    }
    try validation.reportLeftOut()
  }

  private func text(_ result: EvaluatorHandle.Result, frameCount: Int) -> String {
    var table = Table([.left, .right])
    for (name, value) in result.rows(decimals: 2) { table.add(name, value) }
    return table.text
      + "\n\(counted(frameCount, "frame")), \(result.seenClassCount) of \(result.classes.count) classes, percent"
  }
}
