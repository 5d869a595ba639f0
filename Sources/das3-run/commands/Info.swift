// `das3-run info`: what a model is made of and what it expects.
import ArgumentParser

struct Info: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Describe a model: classes, input, size, preprocessing.",
    discussion: """
      Example:
        das3-run info net.onnx

      --threads, --precision, --memory-limit and --scenes change nothing here.
      """)

  @OptionGroup var network: Network
  @OptionGroup var shared: SharedOptions

  func run() throws {
    let model = try network.load()
    let classifier = try model.parameters().filter(\.isClassifier).map(\.name)
    if shared.json {
      try json(model, classifier).printLine()
    } else {
      try Terminal.say(text(model, classifier), terminator: "")
    }
  }

  private func text(_ model: ModelHandle, _ classifier: [String]) -> String {
    var facts = Table([.left, .left])
    facts.add("model", model.path)
    facts.add("producer", model.producer ?? "–")
    facts.add("format", "ONNX opset \(model.opset), IR \(model.irVersion)")
    facts.add("graph", "\(model.nodeCount) nodes, \(grouped(model.parameterCount)) parameters")
    if model.quantizedCount > 0 {
      facts.add(
        "quantized", "\(model.quantizedCount) weights, used, adapted and saved as float32")
    }
    if !model.sceneFrames.isEmpty {
      let frames = model.sceneFrames.map(String.init).joined(separator: ", ")
      facts.add(
        "scenes", "\(model.sceneFrames.count), with statistics of their own of \(frames) frames")
    }
    facts.add("input", "\(model.inputName ?? "–"): \(model.channelCount) channels, \(size(model))")
    facts.add("preprocessing", preprocessing(model))
    facts.add("scores", model.scoresPath ?? "–")
    facts.add("classifier", classifier.isEmpty ? "–" : classifier.joined(separator: ", "))
    facts.add("classes", "\(model.classes.count), ignored label \(model.ignoreLabel)")
    var classes = Table([.right, .left, .left])
    for (index, entry) in model.classes.enumerated() {
      let colour = entry.colour.hexadecimal
      classes.add("  \(index)", Terminal.swatch(entry.colour, " ") + colour, entry.name)
    }
    return facts.text + "\n" + classes.text
  }

  private func size(_ model: ModelHandle) -> String {
    let width = model.fixedWidth > 0 ? String(model.fixedWidth) : "any width"
    let height = model.fixedHeight > 0 ? String(model.fixedHeight) : "any height"
    if model.fixedWidth > 0, model.fixedHeight > 0 { return "fixed \(width)x\(height)" }
    let multiple = "multiple of \(model.strideMultiple)"
    if model.fixedWidth > 0 || model.fixedHeight > 0 { return "\(width) x \(height), \(multiple)" }
    return "any size, \(multiple)"
  }

  private func preprocessing(_ model: ModelHandle) -> String {
    let order = model.channelCount == 1 ? "gray" : model.colourOrder.uppercased()
    let mean = model.mean.map(\.description).joined(separator: " ")
    let deviation = model.standardDeviation.map(\.description).joined(separator: " ")
    let note = model.isInputAssumed ? ", assumed where the model does not say it" : ""
    return "(\(order) · \(model.scale) − [\(mean)]) / [\(deviation)]\(note)"
  }

  private func json(_ model: ModelHandle, _ classifier: [String]) -> JsonValue {
    let classes = model.classes.map { entry in
      let colour = [entry.colour.red, entry.colour.green, entry.colour.blue]
      return JsonValue.object([
        (key: "name", value: .string(entry.name)),
        (key: "colour", value: .array(colour.map { .integer(Int($0)) })),
      ])
    }
    return .object([
      (key: "model", value: .string(model.path)),
      (key: "producer", value: .text(model.producer)),
      (key: "opset", value: .integer(model.opset)),
      (key: "ir_version", value: .integer(model.irVersion)),
      (key: "nodes", value: .integer(model.nodeCount)),
      (key: "parameters", value: .integer(model.parameterCount)),
      (key: "quantized", value: .integer(model.quantizedCount)),
      (key: "scenes", value: .array(model.sceneFrames.map(JsonValue.integer))),
      (key: "channels", value: .integer(model.channelCount)),
      (key: "width", value: model.fixedWidth > 0 ? .integer(model.fixedWidth) : .null),
      (key: "height", value: model.fixedHeight > 0 ? .integer(model.fixedHeight) : .null),
      (key: "stride_multiple", value: .integer(model.strideMultiple)),
      (
        key: "input",
        value: .object([
          (key: "name", value: .text(model.inputName)),
          (key: "colour_order", value: .string(model.colourOrder)),
          (key: "scale", value: number(model.scale)),
          (key: "mean", value: .array(model.mean.map(number))),
          (key: "std", value: .array(model.standardDeviation.map(number))),
          (key: "is_assumed", value: .bool(model.isInputAssumed)),
        ])
      ),
      (
        key: "output",
        value: .object([
          (key: "name", value: .text(model.outputName)),
          (key: "kind", value: .text(model.outputKind)),
          (key: "scores_path", value: .text(model.scoresPath)),
        ])
      ),
      (key: "classifier", value: .array(classifier.map(JsonValue.string))),
      (key: "ignore", value: .integer(model.ignoreLabel)),
      (key: "classes", value: .array(classes)),
    ])
  }

  /// The shortest decimal of a float, not its longer value as a double.
  private func number(_ value: Float) -> JsonValue {
    Double(value.description).map(JsonValue.number) ?? .null
  }

  /// 2754000 → "2 754 000".
  private func grouped(_ value: Int) -> String {
    String(value).replacing(/\B(?=(?:[0-9]{3})+$)/, with: " ")
  }
}
