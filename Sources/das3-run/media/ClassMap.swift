// A JSON file or a name in, a mapping from the model's classes to the classes of the truth out.
import Foundation

/// Says which classes of the model make up each class of the truth.
struct ClassMap {
  /// Names of the truth's classes; the index is the class number.
  let classes: [String]
  let ignoreLabel: Int
  /// For each truth class the model classes whose probabilities are summed; there may be none.
  private let sources: [[Int]]
  private let modelClassCount: Int
  /// The truth class of each of the model's labels, where each model class is a truth class of its
  /// own; nil where probabilities must be summed.
  let renumbering: [UInt8]?

  /// What the numbers or colours of truth pictures mean.
  let coding: TruthCoding
  /// Classes whose mean is given beside that of all.
  let subset: ClassSubset?
  /// Which classes a public labelling and the model do not have in common.
  private(set) var remarks: [String] = []

  private struct File: Decodable {
    let classes: [String]?
    let ignore: Int?
    let map: [String: String]?
    /// The class of each number or colour in the truth; null = not counted, "*" = all others.
    let values: [String: String?]?
    let colours: [String: String?]?
    /// Which channel holds the numbers.
    let channel: Int?
  }

  private static let blockLength = 4096

  /// Takes the labels of a protocol or of a public data set by their name, or else reads a file.
  init(_ name: String, modelClasses: [String]) throws(Failure) {
    if let rules = AdaptationProtocol(argument: name) {
      try Self.checkNames(
        rules.classes, among: modelClasses,
        "the model, whose classes '--class-preset' can name, lacks", name)
      self.init(
        rules.target.labels, classes: rules.classes, subset: rules.subset,
        modelClasses: modelClasses)
    } else if let labels = LabelSet(named: name) {
      let known = Set(labels.classes.values.compactMap(\.self))
      let classes = modelClasses.filter(known.contains)
      guard !classes.isEmpty else {
        throw Failure(
          "class map \(name): the model has none of the classes \(known.sorted().joined(separator: ", "))"
            + "; '--class-preset' names its classes, or a class map of your own says what they are")
      }
      self.init(labels, classes: classes, subset: nil, modelClasses: modelClasses)
      remarks = [
        (Set(modelClasses).subtracting(known), "of the model never win"),
        (known.subtracting(modelClasses), "of the truth are not counted"),
      ].filter { !$0.0.isEmpty }.map { missing, verdict in
        "\(name): \(missing.sorted().joined(separator: ", ")) \(verdict)"
      }
    } else {
      try self.init(path: name, modelClasses: modelClasses)
    }
  }

  /// Each of `classes` is one of the model's and called as in the labels.
  private init(
    _ labels: LabelSet, classes: [String], subset: ClassSubset?, modelClasses: [String]
  ) {
    let ignore = 255
    let values = labels.classes.mapValues { Self.number(of: $0, classes, ignore) }
    self.init(
      classes: classes, map: Self.identity(classes), modelClasses: modelClasses,
      coding: TruthCoding(
        classes: classes, ignoreLabel: ignore, values: values, pixels: labels.pixels,
        labels: labels),
      ignoreLabel: ignore, subset: subset)
  }

  /// Reads JSON with the keys classes, ignore, map, values, colours and channel; each may be missing.
  ///
  /// - Throws: `Failure` for a key of "map" that is no class of the model, and for other mistakes.
  private init(path: String, modelClasses: [String]) throws(Failure) {
    let data: [UInt8]
    do throws(Failure) {
      data = try SystemFile.read(path, kind: "the class map ")
    } catch {
      let names = (LabelSet.all.map(\.name) + AdaptationProtocol.allValueStrings)
        .joined(separator: ", ")
      throw Failure("\(error.message); expected a file, or one of \(names)")
    }
    let file: File
    do {
      file = try JSONDecoder().decode(File.self, from: Data(data))
    } catch {
      throw Failure(
        "class map \(path): expected JSON {\"classes\": [names], \"ignore\": number, "
          + "\"map\": {model class: truth class}, \"values\": {number: truth class or null}, "
          + "\"colours\": {\"#rrggbb\": truth class or null}, \"channel\": number}")
    }
    let subject = "class map \(path)"
    let names = file.classes ?? modelClasses
    guard (1...255).contains(names.count), Set(names).count == names.count else {
      throw Failure("\(subject): expected 1 to 255 different names in \"classes\"")
    }
    let ignore = file.ignore ?? 255
    guard (0...255).contains(ignore) else {
      throw Failure("\(subject): \"ignore\" is \(ignore), expected 0 to 255")
    }
    if file.map == nil {
      try Self.checkNames(
        names, among: modelClasses, "without a \"map\" the model must have all classes; it lacks",
        path)
    }
    let map = file.map ?? Self.identity(names)
    try Self.checkNames(map.keys, among: modelClasses, "the model has no class", path)
    try Self.checkNames(map.values, among: names, "\"classes\" lacks", path)
    guard !map.isEmpty else { throw Failure("\(subject): \"map\" is empty") }
    self.init(
      classes: names, map: map, modelClasses: modelClasses,
      coding: try Self.coding(file, classes: names, ignore: ignore, path), ignoreLabel: ignore,
      subset: nil)
  }

  private init(
    classes: [String], map: [String: String], modelClasses: [String], coding: TruthCoding,
    ignoreLabel: Int, subset: ClassSubset?
  ) {
    self.classes = classes
    self.ignoreLabel = ignoreLabel
    self.coding = coding
    self.subset = subset
    modelClassCount = modelClasses.count
    sources = classes.map { name in
      modelClasses.indices.filter { map[modelClasses[$0]] == name }
    }
    let targets = modelClasses.compactMap { name in
      classes.firstIndex { $0 == map[name] }.map(UInt8.init)
    }
    let isOneToOne = Set(targets).count == modelClasses.count
    let others = [UInt8](repeating: 255, count: 256 - targets.count)
    renumbering = isOneToOne ? targets + others : nil
  }

  /// Of each class of the model the class of the truth; 255 = none.
  var truthClasses: [UInt8] {
    (0..<modelClassCount).map { modelClass in
      sources.firstIndex { $0.contains(modelClass) }.map(UInt8.init) ?? 255
    }
  }

  /// The classes of the truth; each has the colour of its first model class.
  func truthClasses(of modelClasses: [ModelClass]) -> [ModelClass] {
    zip(classes, sources).map { name, sources in
      ModelClass(name: name, colour: sources.first.map { modelClasses[$0].colour } ?? .dim)
    }
  }

  /// Labels each pixel with the truth class whose model classes have the largest sum of
  /// probabilities; of equal sums the first wins.
  /// - Parameters:
  ///   - probabilities: model classes × pixels.
  ///   - labels: receives one truth class per pixel; its count is the number of pixels.
  func label(_ probabilities: [Float], into labels: inout [UInt8]) {
    let pixelCount = labels.count
    var best = [Float](repeating: 0, count: Self.blockLength)
    var sum = best
    for start in stride(from: 0, to: pixelCount, by: Self.blockLength) {
      let length = min(Self.blockLength, pixelCount - start)
      for index in 0..<length { best[index] = -1 }
      for (truthClass, modelClasses) in sources.enumerated() where !modelClasses.isEmpty {
        for index in 0..<length { sum[index] = 0 }
        for modelClass in modelClasses {
          let offset = modelClass * pixelCount + start
          for index in 0..<length { sum[index] += probabilities[offset + index] }
        }
        for index in 0..<length where sum[index] > best[index] {
          best[index] = sum[index]
          labels[start + index] = UInt8(truthClass)
        }
      }
    }
  }

  private static func coding(
    _ file: File, classes: [String], ignore: Int, _ path: String
  ) throws(Failure) -> TruthCoding {
    guard file.colours == nil || file.values == nil && file.channel == nil else {
      let other = file.values == nil ? "channel" : "values"
      throw Failure("class map \(path): expected \"\(other)\" or \"colours\", not both")
    }
    if let channel = file.channel, !(0...3).contains(channel) {
      throw Failure(
        "class map \(path): \"channel\" is \(channel), expected 0 (red or gray) to 3 (alpha)")
    }
    let numbers = file.channel.map(PixelKind.channel) ?? .number
    guard let table = file.colours ?? file.values else {
      return TruthCoding(classes: classes, ignoreLabel: ignore, pixels: numbers)
    }
    let areColours = file.colours != nil
    let key = areColours ? "colours" : "values"
    try checkNames(table.values.compactMap(\.self), among: classes, "\"classes\" lacks", path)
    var values: [UInt32: UInt8] = [:]
    for (text, name) in table where text != "*" {
      guard let value = value(text, areColours) else {
        let expected = areColours ? "#rrggbb" : "a number from 0 to 65535"
        throw Failure("class map \(path): \"\(key)\" has \"\(text)\", expected \(expected)")
      }
      values[value] = number(of: name, classes, ignore)
    }
    return TruthCoding(
      classes: classes, ignoreLabel: ignore, values: values,
      others: table["*"].map { number(of: $0, classes, ignore) },
      pixels: areColours ? .colour : numbers)
  }

  private static func value(_ text: String, _ isColour: Bool) -> UInt32? {
    guard isColour else { return UInt16(text).map(UInt32.init) }
    guard text.utf8.count == 7, text.hasPrefix("#") else { return nil }
    return UInt32(text.dropFirst(), radix: 16)
  }

  private static func number(of name: String?, _ classes: [String], _ ignore: Int) -> UInt8 {
    UInt8(clamping: classes.firstIndex { $0 == name } ?? ignore)
  }

  private static func identity(_ names: [String]) -> [String: String] {
    Dictionary(names.map { ($0, $0) }) { first, _ in first }
  }

  private static func checkNames(
    _ names: some Collection<String>, among known: [String], _ complaint: String, _ path: String
  ) throws(Failure) {
    let unknown = Set(names).subtracting(known).sorted().map { "\"\($0)\"" }
    guard unknown.isEmpty else {
      throw Failure("class map \(path): \(complaint) \(unknown.joined(separator: ", "))")
    }
  }
}
