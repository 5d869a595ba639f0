// Numbers or colours of truth pictures in, class numbers out; values without a meaning are refused.
import Foundation

/// What a pixel of a PNG holds.
enum PixelKind: Equatable {
  case number, colour
  /// A number in each of several channels, of which one is read.
  case channel(Int)

  /// What a class map calls such values, and what messages do.
  var name: String {
    switch self {
    case .number: "values"
    case .colour: "colours"
    case .channel(let index): "channel \(index)"
    }
  }
}

/// The meaning of the values in truth pictures.
struct TruthCoding {
  let pixels: PixelKind
  /// The public labelling that says it, if one does.
  let labels: LabelSet?
  /// Names of the classes, by number.
  let classes: [String]
  private let ignoreLabel: UInt8
  /// The class number of each value; nil = values are class numbers themselves.
  private let values: [UInt32: UInt8]?
  /// The class number of values that are not listed; nil = they are refused.
  private let others: UInt8?
  /// Whether any pixel had a class other than the first.
  private(set) var isVaried = false
  private(set) var hasSeenTop = false

  private static let mostListed = 12
  /// The label numbers of Cityscapes.
  private static let cityscapesNumbers: ClosedRange<UInt32> = 0...33

  /// Without `values`, the values are class numbers; the ignored number and 255 are not counted.
  init(
    classes: [String], ignoreLabel: Int, values: [UInt32: UInt8]? = nil, others: UInt8? = nil,
    pixels: PixelKind = .number, labels: LabelSet? = nil
  ) {
    self.classes = classes
    self.ignoreLabel = UInt8(clamping: ignoreLabel)
    self.values = values
    self.others = others
    self.pixels = pixels
    self.labels = labels
  }

  /// The class number of each pixel; a pixel that is not counted has the ignored number or 255.
  /// - Throws: `Failure` with the values of `path` that have no meaning, and their shares.
  mutating func classNumbers(_ pixels: [UInt32], path: String) throws(Failure) -> [UInt8] {
    var numbers = [UInt8](repeating: 0, count: pixels.count)
    var unknown: [UInt32: Int] = [:]
    var last: (value: UInt32, number: UInt8)?
    for (index, value) in pixels.enumerated() {
      if let last, last.value == value {
        numbers[index] = last.number
      } else if let number = number(of: value) {
        numbers[index] = number
        last = (value, number)
        if number == 255 { hasSeenTop = true } else if number > 0 { isVaried = true }
      } else {
        unknown[value, default: 0] += 1
      }
    }
    guard unknown.isEmpty else { throw failure(unknown, of: pixels.count, path: path) }
    return numbers
  }

  /// Throws where the values that were seen may have two meanings.
  func checkMeaning(of truth: String) throws(Failure) {
    guard values == nil, classes.count == 2, ignoreLabel == 255, hasSeenTop, !isVaried else {
      return
    }
    throw Failure(
      "the truth in \(truth) is all 0 and 255: that may be two classes, or one and what is not "
        + "counted; a class map says which: {\"values\": {\"0\": \"\(classes[0])\", "
        + "\"255\": \"\(classes[1])\"}}")
  }

  private func number(of value: UInt32) -> UInt8? {
    if let values {
      if let number = values[value] ?? others { return number }
      return pixels != .colour && value == UInt32(ignoreLabel) ? ignoreLabel : nil
    }
    guard value < classes.count || value == UInt32(ignoreLabel) || value == 255 else { return nil }
    return UInt8(truncatingIfNeeded: value)
  }

  private func failure(_ unknown: [UInt32: Int], of count: Int, path: String) -> Failure {
    let listed = unknown.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { value, pixels in
      "\(name(of: value)) (\(fixed(Double(pixels) / Double(max(1, count)) * 100, 1)) %)"
    }
    let most = listed.prefix(Self.mostListed).joined(separator: ", ")
    let list =
      listed.count > Self.mostListed ? "\(most), and \(listed.count - Self.mostListed) more" : most
    let looks = looks(unknown.keys).map { "; \($0)" } ?? ""
    if let values {
      let key = pixels == .colour ? "colours" : "values"
      let known = values.count == 1 ? "the one value" : "the \(values.count) values"
      let source = labels.map { "\(known) of \($0.name)" } ?? "\(known) of the class map"
      let help =
        labels == nil
        ? "add them under \"\(key)\", or {\"*\": null} for all others"
        : "a class map of your own says what each is"
      return Failure("truth \(path) has \(key) beside \(source): \(list)\(looks); \(help)")
    }
    return Failure(
      "truth \(path) has values outside the \(classes.count) classes and the ignored \(ignoreLabel): "
        + "\(list)\(looks); a class map says what each is: {\"values\": {\"7\": "
        + "\"\(classes.first ?? "")\", …, \"*\": null}}")
  }

  /// What values without a meaning may be; nil where they look like nothing that is known.
  private func looks(_ unknown: some Collection<UInt32>) -> String? {
    if pixels == .colour {
      let areGray = unknown.allSatisfy { $0 == ($0 & 0xFF) * 0x01_0101 }
      return areGray ? "it looks like numbers and not like colours" : nil
    }
    if unknown.allSatisfy({ $0 >= 1000 && Self.cityscapesNumbers.contains($0 / 1000) }) {
      return "it looks like instanceIds of Cityscapes; labelIds have classes alone"
    }
    guard values == nil, (13...20).contains(classes.count),
      unknown.allSatisfy(Self.cityscapesNumbers.contains)
    else { return nil }
    return "it looks like labelIds of Cityscapes, and the classes are its trainIds; "
      + "'--class-map \(LabelSet.cityscapesIds.name)' reads them"
  }

  private func name(of value: UInt32) -> String {
    pixels == .colour ? String(format: "#%06x", value) : String(value)
  }
}
