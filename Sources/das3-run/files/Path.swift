// Paths as text in, their parts out: by the slashes alone, whatever the names between them are.

/// What the file system takes apart at "/".
///
/// NSString has its own idea of paths and ends the process on some short ones. Bytes are compared, not
/// characters: a slash before a combining accent is a slash.
///
/// A name need not be UTF-8. As text, each byte that is not stands as one private character, and
/// `bytes(of:)` gives it back.
enum Path {
  private static let slash = UInt8(ascii: "/")
  private static let dot = UInt8(ascii: ".")
  /// Of the private characters that stand for the bytes 0x80 to 0xFF.
  private static let foreignBase: UInt32 = 0x10_FE00

  /// `name` below `folder`.
  static func join(_ folder: String, _ name: String) -> String {
    folder.isEmpty || folder.utf8.last == slash ? folder + name : folder + "/" + name
  }

  /// What stands after the last slash; of "photos/" it is "photos", of "/" nothing.
  static func name(of path: String) -> String {
    path.utf8.split(separator: slash).last.map(text) ?? ""
  }

  /// The directory that holds it: "." where no slash says which, "/" at the top.
  static func parent(of path: String) -> String {
    let own = path.utf8.reversed().drop { $0 == slash }.drop { $0 != slash }
    let rest = own.drop { $0 == slash }
    guard rest.isEmpty else { return String(decoding: rest.reversed(), as: UTF8.self) }
    return path.utf8.first == slash ? "/" : "."
  }

  /// The ending of a name without its dot; "" where there is none, also of ".hidden".
  static func ending(of path: String) -> String {
    let name = name(of: path).utf8
    guard let last = name.lastIndex(of: dot), last != name.startIndex else { return "" }
    return text(name[name.index(after: last)...])
  }

  /// A name without its ending: "0001.left.png" → "0001.left".
  static func stem(of name: String) -> String {
    let bytes = name.utf8
    guard let last = bytes.lastIndex(of: dot), last != bytes.startIndex else { return name }
    return text(bytes[..<last])
  }

  private static func text(_ bytes: Substring.UTF8View) -> String {
    String(decoding: bytes, as: UTF8.self)
  }
}

extension Path {
  /// The byte that a private character stands for.
  static func foreignByte(_ scalar: Unicode.Scalar) -> UInt8? {
    (foreignBase + 0x80...foreignBase + 0xFF).contains(scalar.value)
      ? UInt8(scalar.value - foreignBase) : nil
  }

  /// Whether a name is UTF-8, as the library wants it.
  static func isPlain(_ path: String) -> Bool {
    !path.unicodeScalars.contains { foreignByte($0) != nil }
  }

  /// What the system calls a path, as text.
  static func text(ofBytes bytes: [UInt8]) -> String {
    var text = String.UnicodeScalarView()
    var parser = Unicode.UTF8.ForwardParser()
    var rest = bytes.makeIterator()
    var position = 0
    while true {
      let length: Int
      switch parser.parseScalar(from: &rest) {
      case .emptyInput: return String(text)
      case .error(let count): length = count
      case .valid(let encoded):
        let scalar = Unicode.UTF8.decode(encoded)
        length = encoded.count
        if foreignByte(scalar) == nil {
          text.append(scalar)
          position += length
          continue
        }
      }
      for byte in bytes[position..<position + length] {
        if let scalar = Unicode.Scalar(foreignBase + UInt32(byte)) { text.append(scalar) }
      }
      position += length
    }
  }

  /// What the system calls it, without the NUL at the end.
  static func bytes(of text: String) -> [UInt8] {
    guard !isPlain(text) else { return Array(text.utf8) }
    return text.unicodeScalars.flatMap { scalar in
      foreignByte(scalar).map { [$0] } ?? Array(String(scalar).utf8)
    }
  }

  /// Whether `first` stands before `second` as people count: "frame2" before "frame10".
  static func isOrdered(_ first: String, _ second: String) -> Bool {
    var (one, two) = (first.utf8[...], second.utf8[...])
    func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    while let left = one.first, let right = two.first {
      guard isDigit(left), isDigit(right) else {
        guard left == right else { return left < right }
        one.removeFirst()
        two.removeFirst()
        continue
      }
      let numbers = (one.prefix(while: isDigit), two.prefix(while: isDigit))
      one.removeFirst(numbers.0.count)
      two.removeFirst(numbers.1.count)
      let zero = UInt8(ascii: "0")
      let digits = (numbers.0.drop { $0 == zero }, numbers.1.drop { $0 == zero })
      guard digits.0.count == digits.1.count else { return digits.0.count < digits.1.count }
      guard digits.0.elementsEqual(digits.1) else {
        return digits.0.lexicographicallyPrecedes(digits.1)
      }
    }
    guard one.isEmpty, two.isEmpty else { return one.isEmpty }
    return first < second
  }
}
