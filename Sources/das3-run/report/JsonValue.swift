// Values in, one line of JSON out; keys keep their order.
import Foundation

indirect enum JsonValue {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JsonValue])
  case object([Member])

  typealias Member = (key: String, value: JsonValue)

  /// A number rounded to `decimals` places; null where it is not finite.
  static func rounded(_ value: Double, _ decimals: Int) -> JsonValue {
    guard value.isFinite, let short = Double(fixed(value, decimals)) else { return .null }
    return .number(short)
  }

  static func text(_ value: String?) -> JsonValue {
    value.map(JsonValue.string) ?? .null
  }

  /// The JSON text, without a line end.
  var line: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .integer(let value): String(value)
    case .number(let value): value.isFinite ? String(value) : "null"
    case .string(let value): Self.quoted(value)
    case .array(let values): "[" + values.map(\.line).joined(separator: ", ") + "]"
    case .object(let members):
      "{"
        + members.map { Self.quoted($0.key) + ": " + $0.value.line }.joined(separator: ", ")
        + "}"
    }
  }

  func printLine() throws(Failure) {
    try Terminal.say(line)
  }

  /// Prints a line whose first key, "event", says what it is.
  static func printEvent(_ name: String, _ members: [Member]) throws(Failure) {
    try JsonValue.object([(key: "event", value: .string(name))] + members).printLine()
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      default:
        // A byte that is not UTF-8 is written as Python's os.fsdecode does it.
        if let byte = Path.foreignByte(scalar) {
          result += "\\udc" + String(byte, radix: 16)
        } else if scalar.value < 0x20 || scalar.value == 0x7F {
          result += String(format: "\\u%04x", scalar.value)
        } else {
          result.unicodeScalars.append(scalar)
        }
      }
    }
    return result + "\""
  }
}
