/// A JSON value to its text: one line without blanks, keys in alphabetical order, numbers that read
/// back the same.
extension Json {
  package var text: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .number(let value): Self.text(of: value)
    case .string(let value): Self.text(of: value)
    case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
    case .object(let values):
      "{"
        + values.sorted { $0.key < $1.key }
        .map { "\(Self.text(of: $0.key)):\($0.value.text)" }.joined(separator: ",") + "}"
    }
  }

  private static func text(of number: Double) -> String {
    // Integers as such, but not −0, whose sign would be lost.
    if number.magnitude < 0x1p53, number != 0 || number.sign == .plus,
      let integer = Int(exactly: number)
    {
      return "\(integer)"
    }
    return "\(number)"
  }

  private static func text(of string: String) -> String {
    var result = "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      case "\u{0}"..<" ":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
