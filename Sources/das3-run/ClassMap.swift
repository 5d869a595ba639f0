// A JSON file in, the model's class probabilities to labels of another class list out.
import Foundation

/// Which classes of the model make up which class of the truth.
struct ClassMap {
  /// Names of the truth's classes by number.
  let classes: [String]
  let ignoreLabel: Int
  /// For each truth class the model classes whose probabilities are summed; maybe none.
  private let sources: [[Int]]
  /// The truth class of each label where that is all: none left out, no two the same.
  let renumbering: [UInt8]?

  private struct File: Decodable {
    let classes: [String]
    let ignore: Int?
    let map: [String: String]
  }

  private static let blockLength = 4096

  /// - Parameters:
  ///   - path: JSON with the keys classes, ignore, map.
  ///   - modelClasses: names that the keys of its map must be among.
  /// - Throws: `Failure` for a file that is not such JSON, or names that are unknown.
  init(path: String, modelClasses: [String]) throws(Failure) {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw Failure("cannot read the class map \(path)")
    }
    let file: File
    do {
      file = try JSONDecoder().decode(File.self, from: data)
    } catch {
      throw Failure(
        "class map \(path): expected JSON {\"classes\": [names], \"ignore\": number, "
          + "\"map\": {model class: truth class}}")
    }
    guard (1...255).contains(file.classes.count), Set(file.classes).count == file.classes.count
    else { throw Failure("class map \(path): expected 1 to 255 different names in \"classes\"") }
    let ignore = file.ignore ?? 255
    guard (0...255).contains(ignore) else {
      throw Failure("class map \(path): \"ignore\" is \(ignore), expected 0 to 255")
    }
    try Self.checkNames(file.map.keys, among: modelClasses, "the model has no class", path)
    try Self.checkNames(file.map.values, among: file.classes, "\"classes\" lacks", path)
    guard !file.map.isEmpty else { throw Failure("class map \(path): \"map\" is empty") }
    classes = file.classes
    ignoreLabel = ignore
    sources = file.classes.map { name in
      modelClasses.indices.filter { file.map[modelClasses[$0]] == name }
    }
    let targets = modelClasses.compactMap { name in
      file.classes.firstIndex { $0 == file.map[name] }.map(UInt8.init)
    }
    let isOneToOne = Set(targets).count == modelClasses.count
    let others = [UInt8](repeating: 255, count: 256 - targets.count)
    renumbering = isOneToOne ? targets + others : nil
  }

  /// The classes of the truth, in the colours of what becomes them.
  func truthClasses(of modelClasses: [ModelClass]) -> [ModelClass] {
    zip(classes, sources).map { name, sources in
      ModelClass(name: name, colour: sources.first.map { modelClasses[$0].colour } ?? .dim)
    }
  }

  /// Sums the probabilities of each truth class and takes the largest; the first of equal ones.
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

  private static func checkNames(
    _ names: some Collection<String>, among known: [String], _ complaint: String, _ path: String
  ) throws(Failure) {
    let unknown = Set(names).subtracting(known).sorted().map { "\"\($0)\"" }
    guard unknown.isEmpty else {
      throw Failure("class map \(path): \(complaint) \(unknown.joined(separator: ", "))")
    }
  }
}
