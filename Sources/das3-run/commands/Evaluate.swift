// `das3-run evaluate`: frames and truth in, intersection over union out.
import ArgumentParser

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare a model's labels with the truth: mIoU, IoU of each class, accuracy.",
    discussion: """
      The truth of NAME.png (or .jpg, …) is NAME.png in the --truth directory, of
      the same size, or NAME with one suffix for all, such as NAME_labelIds.png
      (of NAME_leftImg8bit.png too). Where frames are in directories below --input,
      truth is in such below --truth. It is a PNG of class numbers: gray of 1 to 16
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
      "road", …}. With either, "classes" and "map" may be left out. Where red, green
      and blue are different numbers, "channel": 0 says that red holds the class.

      The name of a known labelling is a class map, too. It pairs classes that are
      called as in the presets; other classes of the model never win, other labels
      are not counted, and numbers or colours that it does not have are refused:
      \(labelTable)
      --protocol measures as the literature does: --input is the folder of a data set
      as it comes, from which frames, truth and class map follow. 'das3-run help
      adapt' lists the protocols. Their names are class maps, too.

      With --json: {"miou", "iou": {class: value}, "pixel_accuracy", "frames",
      "classes", "left_out"}, in percent, rounded to 2 decimals; null = class left
      out; "miou13" follows "miou" where the protocol has it; "classes" = how many
      count in the mean; "left_out" = frames that could not be read (--keep-going),
      with exit code 4.

      Example:
        das3-run evaluate --model net.onnx --input val --truth val_labels \\
          --class-map cityscapes_to_camvid.json --size 480x360 --json
        das3-run evaluate net.onnx GTA5/images --truth GTA5/labels \\
          --class-map gta5-ids
        das3-run evaluate net.onnx Cityscapes --protocol gta5-cityscapes
      """)

  @OptionGroup var network: NetworkAndFrames

  @OptionGroup var reference: TruthOptions
  @OptionGroup var ignoring: IgnoreOption
  @OptionGroup var reading: ReadingOptions
  @OptionGroup var sizeOption: SizeOption
  @OptionGroup var shared: SharedOptions

  /// Names of class maps, and which files they are for.
  private static var labelTable: String {
    var table = Table([.left, .left])
    for labels in LabelSet.all { table.add("  " + labels.name, labels.files) }
    return table.text
  }

  func validate() throws {
    guard reference.rules != nil || reference.truth != nil else {
      throw ValidationError("the truth is missing: '--truth DIR', or '--protocol NAME'")
    }
  }

  mutating func run() throws {
    let input = try reference.follow(in: network.input) ?? network.input
    let model = try network.load()
    let labeller = try Labeller(
      model: model, classMap: reference.classMap, size: sizeOption.size, shared: shared)
    labeller.noteMissing()
    let validation = try Validation(
      input: input, truth: reference.truth ?? "", suffix: reference.truthSuffix,
      coding: labeller.coding, ignored: try ignoring.area(reading), reading: reading,
      keptByteLimit: 0)
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
