// Paths of directories in, their files, new directories, or what is wrong with them out.
import Foundation

enum Folder {
  static func exists(_ path: String) -> Bool { SystemFile.kind(path) == .directory }

  /// Names of the files that are not hidden and have one of `endings` (lower case); the number 2
  /// comes before 10.
  ///
  /// Where there are none, those in the directories below, as "aachen/0001.png", down to `depth`.
  static func files(
    in path: String, endings: Set<String>, depth: Int = 1
  ) throws(Failure) -> [String] {
    guard let all = SystemFile.names(in: path) else {
      throw Failure("cannot read the directory \(path): \(SystemFile.reason)")
    }
    let names = all.filter { !$0.hasPrefix(".") }.sorted(by: Path.isOrdered)
    let files = names.filter { name in
      endings.contains(Path.ending(of: name).lowercased()) && !exists(Path.join(path, name))
    }
    guard files.isEmpty, depth > 0 else { return files }
    var below: [String] = []
    for name in names where exists(Path.join(path, name)) {
      let own = try Self.files(in: Path.join(path, name), endings: endings, depth: depth - 1)
      below += own.map { Path.join(name, $0) }
    }
    return below
  }

  /// The path of a file that is written below a directory; creates the directory that `name` is in.
  static func place(_ name: String, in directory: String) throws(Failure) -> String {
    let path = Path.join(directory, name)
    if name.utf8.contains(UInt8(ascii: "/")) { try create(Path.parent(of: path)) }
    return path
  }

  /// Creates a directory and those above it, as far as they do not exist.
  static func create(_ path: String) throws(Failure) {
    guard !path.isEmpty else { throw Failure("cannot create the directory '': it has no name") }
    guard !exists(path), !SystemFile.makeDirectory(path) else { return }
    let parent = Path.parent(of: path)
    if errno == ENOENT, parent != path, !SystemFile.isLink(path) {
      try create(parent)
      if SystemFile.makeDirectory(path) { return }
    }
    let reason = SystemFile.reason
    // Another program may have created it at the same time.
    guard !exists(path) else { return }
    throw Failure("cannot create the directory \(path): \(reason)")
  }

  /// Throws where no file could be written at `path`, such as where a directory is.
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
    // Writing through a link replaces the file that it leads to.
    let place = SystemFile.resolved(path) ?? path
    try checkIsWritable(Path.parent(of: place), "cannot write \(path)")
  }

  /// Throws where no file can be created in a directory; `subject` begins the message.
  static func checkIsWritable(_ path: String, _ subject: String) throws(Failure) {
    guard exists(path) else { throw Failure("\(subject): no directory \(path)") }
    // Permissions do not tell everything, so this creates a file.
    let trial = Path.join(path, ".das3-\(getpid())")
    do throws(Failure) {
      try unsafe SystemFile.write(UnsafeRawBufferPointer(start: nil, count: 0), to: trial)
    } catch {
      throw Failure("\(subject): the directory \(path) is not writable")
    }
    SystemFile.remove(trial)
  }

  /// Whether both paths lead to the same place, after links are followed.
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
