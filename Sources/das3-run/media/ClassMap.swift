// A JSON file in, a mapping from the model's classes to the classes of the truth out.
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

  private struct File: Decodable {
    let classes: [String]?
    let ignore: Int?
    let map: [String: String]?
    /// The class of each number or colour in the truth; null = not counted, "*" = all others.
    let values: [String: String?]?
    let colours: [String: String?]?
  }

  private static let blockLength = 4096

  /// Reads JSON with the keys classes, ignore, map, values and colours; each may be missing.
  ///
  /// - Throws: `Failure` for a key of "map" that is no class of the model, and for other mistakes.
  init(path: String, modelClasses: [String]) throws(Failure) {
    let data = try SystemFile.read(path, kind: "the class map ")
    let file: File
    do {
      file = try JSONDecoder().decode(File.self, from: Data(data))
    } catch {
      throw Failure(
        "class map \(path): expected JSON {\"classes\": [names], \"ignore\": number, "
          + "\"map\": {model class: truth class}, \"values\": {number: truth class or null}, "
          + "\"colours\": {\"#rrggbb\": truth class or null}}")
    }
    let names = file.classes ?? modelClasses
    guard (1...255).contains(names.count), Set(names).count == names.count else {
      throw Failure("class map \(path): expected 1 to 255 different names in \"classes\"")
    }
    let ignore = file.ignore ?? 255
    guard (0...255).contains(ignore) else {
      throw Failure("class map \(path): \"ignore\" is \(ignore), expected 0 to 255")
    }
    if file.map == nil {
      try Self.checkNames(
        names, among: modelClasses, "without a \"map\" the model must have all classes; it lacks",
        path)
    }
    let map = file.map ?? Dictionary(names.map { ($0, $0) }) { first, _ in first }
    try Self.checkNames(map.keys, among: modelClasses, "the model has no class", path)
    try Self.checkNames(map.values, among: names, "\"classes\" lacks", path)
    guard !map.isEmpty else { throw Failure("class map \(path): \"map\" is empty") }
    classes = names
    ignoreLabel = ignore
    modelClassCount = modelClasses.count
    coding = try Self.coding(file, classes: names, ignore: ignore, path)
    sources = names.map { name in
      modelClasses.indices.filter { map[modelClasses[$0]] == name }
    }
    let targets = modelClasses.compactMap { name in
      names.firstIndex { $0 == map[name] }.map(UInt8.init)
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
    guard let table = file.colours ?? file.values else {
      return TruthCoding(classes: classes, ignoreLabel: ignore)
    }
    guard file.colours == nil || file.values == nil else {
      throw Failure("class map \(path): expected \"values\" or \"colours\", not both")
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
      others: table["*"].map { number(of: $0, classes, ignore) }, areColours: areColours)
  }

  private static func value(_ text: String, _ isColour: Bool) -> UInt32? {
    guard isColour else { return UInt16(text).map(UInt32.init) }
    guard text.utf8.count == 7, text.hasPrefix("#") else { return nil }
    return UInt32(text.dropFirst(), radix: 16)
  }

  private static func number(of name: String?, _ classes: [String], _ ignore: Int) -> UInt8 {
    UInt8(clamping: classes.firstIndex { $0 == name } ?? ignore)
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
