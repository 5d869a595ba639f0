import Glibc

/// A folder whose files a hostile file may name: only regular files directly or deeper inside it are
/// read.
///
/// No "..", no absolute path, no symbolic link anywhere on the way, no file with a second hard link,
/// no device or pipe.
@safe package final class FileFolder {
  private let folder: OpenFile

  private static let maximumDepth = 64

  /// - Throws: `.io` where there is no such folder.
  package init(_ path: String) throws(Das3Error) {
    // The right to reach files is enough, listing them is not needed.
    guard let folder = OpenFile.path(path, O_DIRECTORY) else {
      throw .system("cannot open directory \(path.shown)")
    }
    self.folder = folder
  }

  /// Opens a file for reading.
  ///
  /// - Parameters:
  ///   - location: its path inside the folder.
  ///   - offset: where what is needed of it begins.
  ///   - byteCount: how many bytes are needed.
  ///   - owner: whose they are, for messages.
  /// - Returns: the file, whose bytes from `offset` on are there.
  /// - Throws: `.io` where it is no such file, `.format` where it is too short.
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
    // A hard link can give a file from elsewhere a name in here.
    guard status.st_nlink == 1 else {
      throw .io("\(name) has \(status.st_nlink) hard links, expected 1")
    }
    let size = Int(status.st_size)
    guard offset >= 0, offset <= size, byteCount <= size - offset else {
      throw .format("\(name) has \(size) bytes, expected \(byteCount) from offset \(offset)")
    }
    return file
  }

  /// "a/b/c" as its names; anything that could lead out of the folder is refused.
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
