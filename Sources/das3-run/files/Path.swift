// Paths as text in, their parts out.

/// Paths that are taken apart at "/", as the file system does it.
///
/// The path methods of NSString end the process on some short paths. This code compares bytes, not
/// characters: a slash before a combining accent is a slash.
///
/// A name need not be UTF-8. In text, a private character stands for each byte that is not part of
/// valid UTF-8; `bytes(of:)` turns it back into the byte.
enum Path {
  private static let slash = UInt8(ascii: "/")
  private static let dot = UInt8(ascii: ".")
  /// Added to a byte, 0x80 to 0xFF, it gives the private character that stands for the byte.
  private static let foreignBase: UInt32 = 0x10_FE00

  /// `name` below `folder`.
  static func join(_ folder: String, _ name: String) -> String {
    folder.isEmpty || folder.utf8.last == slash ? folder + name : folder + "/" + name
  }

  /// The last part of a path: "photos" of "photos/", "" of "/".
  static func name(of path: String) -> String {
    path.utf8.split(separator: slash).last.map(text) ?? ""
  }

  /// The directory that holds a path: "." where the path has no slash, "/" at the top.
  static func parent(of path: String) -> String {
    let own = path.utf8.reversed().drop { $0 == slash }.drop { $0 != slash }
    let rest = own.drop { $0 == slash }
    guard rest.isEmpty else { return String(decoding: rest.reversed(), as: UTF8.self) }
    return path.utf8.first == slash ? "/" : "."
  }

  /// The ending of a name without its dot; "" where there is none, such as in ".hidden".
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
  /// The byte that a private character stands for; nil for any other character.
  static func foreignByte(_ scalar: Unicode.Scalar) -> UInt8? {
    (foreignBase + 0x80...foreignBase + 0xFF).contains(scalar.value)
      ? UInt8(scalar.value - foreignBase) : nil
  }

  /// Whether a path is UTF-8; the library takes no other.
  static func isPlain(_ path: String) -> Bool {
    !path.unicodeScalars.contains { foreignByte($0) != nil }
  }

  /// The text of a path whose bytes the system has given.
  static func text(ofBytes bytes: [UInt8]) -> String {
    var text = String.UnicodeScalarView()
    var rest = bytes[...]
    while let byte = rest.first {
      let decoded = (1...4).lazy.compactMap { String(validating: rest.prefix($0), as: UTF8.self) }
      if let scalar = decoded.first?.unicodeScalars.first, foreignByte(scalar) == nil {
        text.append(scalar)
        rest = rest.dropFirst(UTF8.width(scalar))
      } else {
        if let scalar = Unicode.Scalar(foreignBase + UInt32(byte)) { text.append(scalar) }
        rest = rest.dropFirst()
      }
    }
    return String(text)
  }

  /// The bytes by which the system knows a path, without the NUL at the end.
  static func bytes(of text: String) -> [UInt8] {
    guard !isPlain(text) else { return Array(text.utf8) }
    return text.unicodeScalars.flatMap { scalar in
      foreignByte(scalar).map { [$0] } ?? Array(String(scalar).utf8)
    }
  }

  /// Whether `first` stands before `second` as people count: "frame2" before "frame10".
  static func isOrdered(_ first: String, _ second: String) -> Bool {
    let (one, two) = (sortingKey(first), sortingKey(second))
    return one == two ? first < second : one.lexicographicallyPrecedes(two)
  }

  /// The bytes of a name; a number is "0", the count of its digits, and its digits.
  private static func sortingKey(_ name: String) -> [Int] {
    let zero = UInt8(ascii: "0")
    var key: [Int] = []
    var rest = name.utf8[...]
    while let byte = rest.first {
      let digits = rest.prefix { (zero...UInt8(ascii: "9")).contains($0) }
      let number = digits.drop { $0 == zero }
      key += digits.isEmpty ? [Int(byte)] : [Int(zero), number.count] + number.map(Int.init)
      rest = rest.dropFirst(max(1, digits.count))
    }
    return key
  }
}
