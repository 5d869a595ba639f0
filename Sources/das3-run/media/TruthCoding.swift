// Numbers or colours of truth pictures in, class numbers out; values without a meaning are refused.
import Foundation

/// The meaning of the values in truth pictures.
struct TruthCoding {
  /// Whether the pictures hold colours.
  let areColours: Bool
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
    areColours: Bool = false
  ) {
    self.classes = classes
    self.ignoreLabel = UInt8(clamping: ignoreLabel)
    self.values = values
    self.others = others
    self.areColours = areColours
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
      return !areColours && value == UInt32(ignoreLabel) ? ignoreLabel : nil
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
    if let values {
      let known = values.count == 1 ? "the one value" : "the \(values.count) values"
      let key = areColours ? "colours" : "values"
      return Failure(
        "truth \(path) has \(areColours ? "colours" : "values") beside \(known) of the class map: "
          + "\(list); add them under \"\(key)\", or {\"*\": null} for all others")
    }
    let looks =
      (16...20).contains(classes.count) && unknown.keys.allSatisfy(Self.cityscapesNumbers.contains)
      ? "; it looks like labelIds of Cityscapes, and the classes are its trainIds" : ""
    return Failure(
      "truth \(path) has values outside the \(classes.count) classes and the ignored \(ignoreLabel): "
        + "\(list)\(looks); a class map says what each is: {\"values\": {\"7\": "
        + "\"\(classes.first ?? "")\", …, \"*\": null}}")
  }

  private func name(of value: UInt32) -> String {
    areColours ? String(format: "#%06x", value) : String(value)
  }
}
