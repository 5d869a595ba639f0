// Numbers in, texts for readers out.
import Foundation

/// How a page writes numbers.
enum Number {
  private static let superscripts: [Character] = ["⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"]

  /// Three significant digits, such as "0.0123" or "1.2×10⁻⁵".
  static func short(_ value: Double) -> String {
    guard value.isFinite, value != 0, !(1e-3..<1e5).contains(abs(value)) else {
      return plain(value)
    }
    var exponent = Int(floor(log10(abs(value))))
    // 9.999 becomes 10.
    if abs(value) / pow(10, Double(exponent)) >= 9.995 { exponent += 1 }
    let factor = plain(value / pow(10, Double(exponent)))
    let digits = String(abs(exponent)).compactMap(\.wholeNumberValue).map { superscripts[$0] }
    return "\(factor == "1" ? "" : factor + "×")10\(exponent < 0 ? "⁻" : "")\(String(digits))"
  }

  private static func plain(_ value: Double) -> String {
    guard value.isFinite else { return "not finite" }
    guard abs(value) >= 1000 else { return brief(value) }
    return grouped(Int(value.rounded()))
  }

  /// With commas between thousands.
  static func grouped(_ value: Int) -> String {
    let digits = Array(String(value.magnitude))
    var text = value < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return text
  }

  /// A difference with its sign; none where it is rounded to 0.
  static func change(_ value: Double, decimals: Int) -> String {
    let text = fixed(abs(value), decimals)
    guard Double(text) != 0 else { return text }
    return (value < 0 ? "-" : "+") + text
  }
}
