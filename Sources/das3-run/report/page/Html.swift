// Text from anywhere in, text that is safe in an HTML page out.

enum Html {
  /// Text for the contents of an element or a quoted attribute.
  ///
  /// A byte that is not UTF-8 is written as "\xE9". What would end the page or turn its direction
  /// round, such as control characters, is replaced.
  static func escaped(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;".unicodeScalars
      case "<": result += "&lt;".unicodeScalars
      case ">": result += "&gt;".unicodeScalars
      case "\"": result += "&quot;".unicodeScalars
      case "'": result += "&#39;".unicodeScalars
      case "\n", "\t": result.append(" ")
      default:
        if let byte = Path.foreignByte(scalar) {
          result += "\\x\(String(byte, radix: 16, uppercase: true))".unicodeScalars
        } else {
          result.append(isUnwanted(scalar) ? "\u{FFFD}" : scalar)
        }
      }
    }
    return String(result)
  }

  /// Control characters, those that change the direction of text, and those that are none.
  private static func isUnwanted(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0...0x1F, 0x7F...0x9F, 0x202A...0x202E, 0x2066...0x2069, 0xFFFE, 0xFFFF: true
    default: false
    }
  }
}
