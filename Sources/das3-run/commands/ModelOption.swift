// The options that name the network and, where its file does not, describe its preprocessing.
import ArgumentParser

/// `--model` and what overrides the network's metadata.
struct ModelOption: ParsableArguments {
  enum ColourOrder: String, ExpressibleByArgument, CaseIterable {
    case rgb, bgr
  }

  @Option(help: ArgumentHelp("The network, an ONNX file.", valueName: "file"))
  var model: String?

  @Option(
    help: ArgumentHelp(
      "Class names and colours: cityscapes19, synthia16, synthia13, crosscity13 or camvid11.",
      valueName: "name"))
  var classPreset: String?

  @Option(
    help: ArgumentHelp(
      "JSON whose keys come before the network's own: classes, colours, ignore, input, output.",
      valueName: "file"))
  var metadata: String?

  @Option(help: ArgumentHelp("Order of the colours that the network wants.", valueName: "order"))
  var colourOrder: ColourOrder?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The network sees (pixel · scale − mean) / std; pixels are 0 to 255. Such as 1/255.",
      valueName: "x"))
  var scale: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Of each colour in the network's order, such as 0.485,0.456,0.406; or one for all.",
      valueName: "x,x,x"))
  var mean: String?

  @Option(parsing: .unconditional, help: ArgumentHelp("Likewise.", valueName: "x,x,x"))
  var std: String?

  func validate() throws {
    guard metadata == nil || !changesInput else {
      throw ValidationError(
        "'--metadata' has an \"input\" for what '--colour-order', '--scale', '--mean' and '--std' say"
      )
    }
    try Self.check("--scale", scale, counts: [1], isFactor: true)
    try Self.check("--mean", mean, counts: [1, 3], isFactor: false)
    try Self.check("--std", std, counts: [1, 3], isFactor: true)
  }

  /// Loads the network with what these options say.
  func load(_ path: String) throws(Failure) -> ModelHandle {
    try FileDiagnosis.checkNetwork(path)
    let json = try metadata.map { file throws(Failure) in
      String(decoding: try SystemFile.read(file, kind: "the metadata "), as: UTF8.self)
    }
    let model = try ModelHandle(path: path, metadata: json, classPreset: classPreset)
    guard changesInput else { return model }
    return try ModelHandle(
      path: path, metadata: inputJson(over: model).line, classPreset: classPreset)
  }

  private var changesInput: Bool {
    colourOrder != nil || scale != nil || mean != nil || std != nil
  }

  /// The whole preprocessing as JSON: what no option says is the network's own.
  private func inputJson(over model: ModelHandle) -> JsonValue {
    func list(_ text: String?, _ own: [Float]) -> JsonValue {
      .array((text.flatMap(Self.numbers) ?? own.map(Double.init)).map(JsonValue.number))
    }
    let order = colourOrder ?? (model.wantsBGR ? .bgr : .rgb)
    let input: [JsonValue.Member] = [
      (key: "colour_order", value: .string(order.rawValue)),
      (key: "scale", value: .number(scale.flatMap { Self.number($0[...]) } ?? Double(model.scale))),
      (key: "mean", value: list(mean, model.mean)),
      (key: "std", value: list(std, model.standardDeviation)),
    ]
    return .object([(key: "input", value: .object(input))])
  }

  /// Reads "0.5" or "1/255"; nil where it is not finite.
  private static func number(_ text: Substring) -> Double? {
    guard
      let parts = all(text.split(separator: "/", omittingEmptySubsequences: false), { Double($0) }),
      parts.count <= 2
    else { return nil }
    let value = parts.count == 2 ? parts[0] / parts[1] : parts[0]
    return value.isFinite ? value : nil
  }

  /// Reads numbers with commas between; nil where one of them is no number.
  private static func numbers(_ text: String) -> [Double]? {
    all(text.split(separator: ",", omittingEmptySubsequences: false), number)
  }

  private static func all(_ texts: [Substring], _ read: (Substring) -> Double?) -> [Double]? {
    let values = texts.compactMap(read)
    return values.count == texts.count ? values : nil
  }

  private static func check(
    _ option: String, _ text: String?, counts: [Int], isFactor: Bool
  ) throws {
    guard let text else { return }
    guard let values = numbers(text), counts.contains(values.count) else {
      let expected = counts == [1] ? "a number such as 1/255" : "1 or 3 numbers with commas between"
      throw ValidationError("'\(option) \(text)': expected \(expected)")
    }
    if isFactor, values.contains(0) {
      throw ValidationError("'\(option) \(text)': expected no 0")
    }
  }
}

/// A network, given by `--model` or as the first word.
struct Network: ParsableArguments {
  @OptionGroup var options: ModelOption

  @Argument(help: ArgumentHelp("The network, in place of --model.", valueName: "model-file"))
  var word: String?

  func validate() throws {
    if options.model != nil, let word { throw ValidationError("unexpected argument '\(word)'") }
    guard options.model != nil || word != nil else {
      throw ValidationError("the network is missing: '--model FILE'")
    }
  }

  func load() throws(Failure) -> ModelHandle {
    try options.load(options.model ?? word ?? "")
  }
}

/// A network and frames, given by `--model` and `--input` or as the first two words.
struct NetworkAndFrames: ParsableArguments {
  @OptionGroup var options: ModelOption

  @Option(
    name: .customLong("input"),
    help: ArgumentHelp(
      "Images, a video or, but for evaluate and pick, a stream: see above.", valueName: "path"))
  var named: String?

  @Argument(
    help: ArgumentHelp(
      "The network and the frames, in place of --model and --input.", valueName: "model-file input")
  )
  var words: [String] = []

  func validate() throws {
    let missing = [
      options.model == nil ? "the network is missing: '--model FILE'" : nil,
      named == nil ? "the frames are missing: '--input PATH'" : nil,
    ].compactMap(\.self)
    guard words.count >= missing.count else {
      throw ValidationError("\(missing[words.count]), or MODEL and INPUT without them")
    }
    guard words.count == missing.count else {
      throw ValidationError("unexpected argument '\(words[missing.count])'")
    }
  }

  /// Where the network is.
  var model: String { options.model ?? words.first ?? "" }

  /// Where the frames are.
  var input: String { named ?? words.last ?? "" }

  func load() throws(Failure) -> ModelHandle {
    try options.load(model)
  }
}
