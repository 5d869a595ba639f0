// Paths as text in, their parts out: by the slashes alone, whatever the names between them are.

/// What the file system takes apart at "/".
///
/// NSString has its own idea of paths and ends the process on some short ones. Bytes are compared, not
/// characters: a slash before a combining accent is a slash.
enum Path {
  private static let slash = UInt8(ascii: "/")
  private static let dot = UInt8(ascii: ".")

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
