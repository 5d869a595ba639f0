import Das3Files
import Das3Graph

/// A file of numbers that another process goes on from.
///
/// It is a line of magic and version, the length of a JSON header, the header, float32 vectors as long
/// as the header says, and a SHA-256 of all before it. Numbers are little endian.
struct CheckpointFile {
  /// All but the lengths of the vectors.
  var header: [String: Json]
  var vectors: [[Float]]

  private static let maximumBytes: UInt64 = 1 << 36

  init(header: [String: Json], vectors: [[Float]]) {
    self.header = header
    self.vectors = vectors
  }

  /// Writes it, whole or not at all.
  ///
  /// - Parameters:
  ///   - path: in an existing directory.
  ///   - title: what kind of file it is, and its version.
  /// - Throws: `.io`.
  func write(to path: String, title: String) throws(Das3Error) {
    var header = header
    header["vectors"] = .array(vectors.map { .number(Double($0.count)) })
    let text = Array(Json.object(header).text.utf8)
    var parts = [WholeFile.Part.bytes(Self.magic(title) + Self.bytes(of: text.count) + text)]
    parts += vectors.map { .floats($0) }
    parts.append(.bytes(WholeFile.digest(parts)))
    try WholeFile.write(parts, to: path)
  }

  /// Reads one.
  ///
  /// - Parameters:
  ///   - path: of the file.
  ///   - title: of the only kind and version that is read.
  /// - Throws: `.io` where there is none, `.format` where it is damaged or of another version.
  init(contentsOf path: String, title: String) throws(Das3Error) {
    let file = try ReadFile(path, maximumBytes: Self.maximumBytes)
    do throws(Das3Error) {
      try self.init(file, Self.magic(title))
    } catch {
      throw error.code == .io ? error : error.at(path)
    }
  }

  /// Reads the file twice, so that nothing of it is believed before its checksum.
  private init(_ file: ReadFile, _ magic: [UInt8]) throws(Das3Error) {
    let start: [UInt8] = try file.next(min(file.byteCount, 40))
    // All but the version and the end of the line.
    guard start.starts(with: magic.dropLast(2)) else {
      let kind = String(decoding: magic.dropFirst("DAS3 ".utf8.count).dropLast(3), as: UTF8.self)
      throw .format("not a \(kind) of das3")
    }
    guard start.starts(with: magic) else {
      let line = start.prefix { $0 != UInt8(ascii: "\n") }
      throw .format(
        "it is of another version: it begins '\(String(decoding: line, as: UTF8.self))'; this library reads '\(String(decoding: magic.dropLast(), as: UTF8.self))'"
      )
    }
    let end = file.byteCount - 32
    guard end >= magic.count + 8, try file.digest(upTo: end) == file.next(32) else {
      throw .format("the checkpoint is damaged: its checksum does not fit")
    }
    // From here on only a file that was made to deceive can be wrong.
    file.position = magic.count
    let length = try file.next(8).reversed().reduce(0) { $0 << 8 | UInt64($1 as UInt8) }
    guard length <= UInt64(end - file.position) else { throw Checkpoint.inconsistent }
    let text = String(decoding: try file.next(Int(length)) as [UInt8], as: UTF8.self)
    guard var header = try Json(parsing: text).object,
      let counts = header.removeValue(forKey: "vectors")?.array?.map({
        Int(exactly: $0.number ?? -1) ?? -1
      }),
      counts.allSatisfy({ (0...end / 4).contains($0) }),
      file.position + 4 * counts.reduce(0, +) == end
    else { throw Checkpoint.inconsistent }
    try AddressSpace.check(end + AddressSpace.margin)
    self.header = header
    vectors = []
    for count in counts { vectors.append(try file.next(count)) }
  }

  private static func magic(_ title: String) -> [UInt8] { Array("DAS3 \(title)\n".utf8) }

  private static func bytes(of count: Int) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
  }
}
