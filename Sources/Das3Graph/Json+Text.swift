/// Writes a JSON value as text: one line without blanks, keys in alphabetical order.
///
/// Numbers are read back as the same numbers.
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
    // Integers are written without a fraction, except −0, which would lose its sign.
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
