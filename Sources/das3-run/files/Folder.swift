// Directories: what is in them, whether two paths are one place, and making them.
import Foundation

enum Folder {
  static func exists(_ path: String) -> Bool { SystemFile.kind(path) == .directory }

  /// Names of the visible files with one of `endings` (lower case), as people count: 2 before 10.
  static func files(in path: String, endings: Set<String>) throws(Failure) -> [String] {
    guard let names = SystemFile.names(in: path) else {
      throw Failure("cannot read the directory \(path): \(SystemFile.reason)")
    }
    return names.filter { name in
      !name.hasPrefix(".") && endings.contains(Path.ending(of: name).lowercased())
        && !exists(Path.join(path, name))
    }.sorted(by: Path.isOrdered)
  }

  /// Creates a directory and those above it; one that exists is fine.
  static func create(_ path: String) throws(Failure) {
    guard !path.isEmpty else { throw Failure("cannot create the directory '': it has no name") }
    guard !exists(path), !SystemFile.makeDirectory(path) else { return }
    let parent = Path.parent(of: path)
    if errno == ENOENT, parent != path, !SystemFile.isLink(path) {
      try create(parent)
      if SystemFile.makeDirectory(path) { return }
    }
    let reason = SystemFile.reason
    // Somebody else may have made it meanwhile.
    guard !exists(path) else { return }
    throw Failure("cannot create the directory \(path): \(reason)")
  }

  /// Throws where a file could not be written, or is something other than a file.
  static func checkCanReplace(_ path: String) throws(Failure) {
    guard let last = path.utf8.last, last != UInt8(ascii: "/") else {
      throw Failure("cannot write '\(path)': it names no file")
    }
    guard let kind = SystemFile.kind(path) else {
      if let target = SystemFile.target(ofLink: path) {
        throw Failure("cannot write \(path): it is a link to \(target), which is not there")
      }
      return try checkIsWritable(Path.parent(of: path), "cannot write \(path)")
    }
    guard kind != .directory else {
      throw Failure("cannot write \(path): it is no file but a directory")
    }
    guard kind == .regular else { throw Failure("cannot write \(path): it is no file") }
    // The file that a link leads to is replaced where it is.
    let place = SystemFile.resolved(path) ?? path
    try checkIsWritable(Path.parent(of: place), "cannot write \(path)")
  }

  /// Throws where a directory takes no new files; `subject` says what they are wanted for.
  static func checkIsWritable(_ path: String, _ subject: String) throws(Failure) {
    guard exists(path) else { throw Failure("\(subject): no directory \(path)") }
    // Permissions do not tell all: a file is tried out.
    let trial = Path.join(path, ".das3-\(getpid())")
    do throws(Failure) {
      try unsafe SystemFile.write(UnsafeRawBufferPointer(start: nil, count: 0), to: trial)
    } catch {
      throw Failure("\(subject): the directory \(path) is not writable")
    }
    SystemFile.remove(trial)
  }

  /// Whether both paths lead to the same place, also through links.
  static func isSame(_ first: String, _ second: String) -> Bool {
    func resolved(_ path: String) -> String {
      SystemFile.resolved(path)
        ?? Path.join(
          SystemFile.resolved(Path.parent(of: path)) ?? Path.parent(of: path), Path.name(of: path))
    }
    if let one = SystemFile.status(first), let two = SystemFile.status(second) {
      return one.st_dev == two.st_dev && one.st_ino == two.st_ino
    }
    return resolved(first) == resolved(second)
  }
}
