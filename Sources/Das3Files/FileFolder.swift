import Glibc

/// A folder in which a hostile file may name other files.
///
/// Only regular files inside the folder are read.
///
/// Refused are "..", absolute paths, symbolic links anywhere in the path, files with more than one
/// hard link, devices and pipes.
@safe package final class FileFolder {
  private let folder: OpenFile

  private static let maximumDepth = 64

  /// - Throws: `.io` where the folder cannot be opened.
  package init(_ path: String) throws(Das3Error) {
    // Files must be reachable; the folder need not be readable.
    guard let folder = OpenFile.path(path, O_DIRECTORY) else {
      throw .system("cannot open directory \(path.shown)")
    }
    self.folder = folder
  }

  /// Opens a file for reading.
  ///
  /// - Parameters:
  ///   - location: its path inside the folder.
  ///   - offset: the first byte that is needed.
  ///   - byteCount: the number of bytes that are needed.
  ///   - owner: the tensor that the bytes belong to, for messages.
  /// - Returns: the open file, which has `byteCount` bytes from `offset` on.
  /// - Throws: `.io` where the file is refused, `.format` where it is too short.
  package func open(_ location: String, offset: Int, byteCount: Int, of owner: String)
    throws(Das3Error) -> OpenFile
  {
    let names = try Self.names(location, owner)
    let name = "\(location.shown) (external data of \(owner))"
    var inner = folder
    for name in names.dropLast() {
      guard
        let next = OpenFile.path(name, in: inner, O_DIRECTORY | O_NOFOLLOW)
      else { throw .system("cannot open \(location.shown) (external data of \(owner))") }
      inner = next
    }
    let file = try OpenFile.regular(
      names[names.count - 1], in: inner, followsLinks: false, name: name)
    guard let status = file.status else { throw .system("cannot open \(name)") }
    // A hard link can give a file of another folder a name in this one.
    guard status.st_nlink == 1 else {
      throw .io("\(name) has \(status.st_nlink) hard links, expected 1")
    }
    let size = Int(status.st_size)
    guard offset >= 0, offset <= size, byteCount <= size - offset else {
      throw .format("\(name) has \(size) bytes, expected \(byteCount) from offset \(offset)")
    }
    return file
  }

  /// Splits "a/b/c" into its names; throws where the path could lead out of the folder.
  private static func names(_ location: String, _ owner: String) throws(Das3Error) -> [String] {
    let names = location.utf8.split(
      separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    let isPlain = names.allSatisfy { name in
      !name.isEmpty && !name.elementsEqual(".".utf8) && !name.elementsEqual("..".utf8)
        && !name.contains(UInt8(ascii: "\\"))
    }
    guard isPlain, names.count <= maximumDepth else {
      throw .io(
        "\(owner) is stored in \(location.shown), expected a plain path inside the model's directory"
      )
    }
    return names.map { String($0) ?? "" }
  }
}
