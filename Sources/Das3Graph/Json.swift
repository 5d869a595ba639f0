/// A JSON value, and its parser, which limits the size and the depth of the text.
package enum Json: Equatable, Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([Json])
  case object([String: Json])

  /// - Throws: `.format` with the position of the error, `.limit` for a text above 1 MiB.
  package init(parsing text: String) throws(Das3Error) {
    var parser = Parser(bytes: Array(text.utf8))
    guard parser.bytes.count <= 1 << 20 else { throw .limit("JSON text above 1 MiB") }
    self = try parser.document()
  }

  package var string: String? { if case .string(let value) = self { value } else { nil } }
  package var number: Double? { if case .number(let value) = self { value } else { nil } }
  package var array: [Json]? { if case .array(let value) = self { value } else { nil } }
  package var object: [String: Json]? { if case .object(let value) = self { value } else { nil } }

  private struct Parser {
    let bytes: [UInt8]
    var position = 0
    var depth = 0

    mutating func document() throws(Das3Error) -> Json {
      let value = try value()
      skipSpace()
      guard position == bytes.count else { throw failure("the end") }
      return value
    }

    private mutating func value() throws(Das3Error) -> Json {
      skipSpace()
      depth += 1
      defer { depth -= 1 }
      guard depth <= 32 else { throw .format("JSON nested deeper than 32 levels") }
      switch peek {
      case UInt8(ascii: "{"): return try object()
      case UInt8(ascii: "["): return try array()
      case UInt8(ascii: "\""): return .string(try string())
      case UInt8(ascii: "t"): return try word("true", .bool(true))
      case UInt8(ascii: "f"): return try word("false", .bool(false))
      case UInt8(ascii: "n"): return try word("null", .null)
      default: return .number(try number())
      }
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func failure(_ expected: String) -> Das3Error {
      .format("JSON: expected \(expected) at byte \(position)")
    }

    private mutating func skipSpace() {
      while let byte = peek, byte == 32 || (9...13).contains(byte) { position += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
      skipSpace()
      guard peek == UInt8(ascii: character) else { return false }
      position += 1
      return true
    }

    private mutating func word(_ word: String, _ value: Json) throws(Das3Error) -> Json {
      guard bytes[position...].starts(with: word.utf8) else { throw failure("'\(word)'") }
      position += word.utf8.count
      return value
    }

    private mutating func number() throws(Das3Error) -> Double {
      let start = position
      while let byte = peek, "+-.0123456789eE".utf8.contains(byte) { position += 1 }
      let text = String(decoding: bytes[start..<position], as: UTF8.self)
      guard let value = Double(text), value.isFinite else {
        position = start
        throw failure("a value")
      }
      return value
    }

    private mutating func string() throws(Das3Error) -> String {
      guard take("\"") else { throw failure("a string") }
      var result: [UInt8] = []
      while let byte = peek {
        position += 1
        switch byte {
        case UInt8(ascii: "\""): return String(decoding: result, as: UTF8.self)
        case UInt8(ascii: "\\"): result += Array(String(try escape()).utf8)
        case 0..<32: throw failure("no control character in a string")
        default: result.append(byte)
        }
      }
      throw failure("the end of a string")
    }

    private mutating func escape() throws(Das3Error) -> Character {
      guard let byte = peek else { throw failure("an escape") }
      position += 1
      switch byte {
      case UInt8(ascii: "n"): return "\n"
      case UInt8(ascii: "t"): return "\t"
      case UInt8(ascii: "r"): return "\r"
      case UInt8(ascii: "b"): return "\u{8}"
      case UInt8(ascii: "f"): return "\u{c}"
      case UInt8(ascii: "u"):
        var unit = try hexadecimal()
        if (0xD800..<0xDC00).contains(unit), bytes[position...].starts(with: "\\u".utf8) {
          let start = position
          position += 2
          let low = try hexadecimal()
          if (0xDC00..<0xE000).contains(low) {
            unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
          } else {
            position = start
          }
        }
        return Character(Unicode.Scalar(unit) ?? "\u{FFFD}")
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
        return Character(Unicode.Scalar(byte))
      default: throw failure("an escape")
      }
    }

    private mutating func hexadecimal() throws(Das3Error) -> UInt32 {
      let digits = String(decoding: bytes[position...].prefix(4), as: UTF8.self)
      guard digits.utf8.count == 4, digits.allSatisfy(\.isHexDigit),
        let value = UInt32(digits, radix: 16)
      else {
        throw failure("4 hexadecimal digits")
      }
      position += 4
      return value
    }

    private mutating func array() throws(Das3Error) -> Json {
      position += 1
      var values: [Json] = []
      if take("]") { return .array(values) }
      repeat { values.append(try value()) } while take(",")
      guard take("]") else { throw failure("',' or ']'") }
      return .array(values)
    }

    private mutating func object() throws(Das3Error) -> Json {
      position += 1
      var values: [String: Json] = [:]
      if take("}") { return .object(values) }
      repeat {
        skipSpace()
        let key = try string()
        guard take(":") else { throw failure("':'") }
        values[key] = try value()
      } while take(",")
      guard take("}") else { throw failure("',' or '}'") }
      return .object(values)
    }
  }
}
