// Directories: what is in them, whether two paths are one place, and making them.
import Foundation

enum Folder {
  static func exists(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
      && isDirectory.boolValue
  }

  /// Names of the visible files with one of `endings` (lower case), sorted.
  static func files(in path: String, endings: Set<String>) throws(Failure) -> [String] {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: path)
    } catch {
      throw Failure("cannot read the directory \(path)", because: error)
    }
    return names.filter { name in
      !name.hasPrefix(".") && endings.contains(Path.ending(of: name).lowercased())
        && !exists(Path.join(path, name))
    }.sorted()
  }

  /// Creates a directory and those above it; one that exists is fine.
  static func create(_ path: String) throws(Failure) {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw Failure("cannot create the directory \(path)", because: error)
    }
  }

  /// Throws where a file could not be written, or is something other than a file.
  static func checkCanReplace(_ path: String) throws(Failure) {
    guard let last = path.utf8.last, last != UInt8(ascii: "/") else {
      throw Failure("cannot write '\(path)': it names no file")
    }
    let folder = Path.parent(of: path)
    let manager = FileManager.default
    if manager.fileExists(atPath: path) {
      let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
      let type = try? manager.attributesOfItem(atPath: target)[.type] as? FileAttributeType
      guard type == .typeRegular else { throw Failure("cannot write \(path): it is no file") }
    }
    try checkIsWritable(folder, "cannot write \(path)")
  }

  /// Throws where a directory takes no new files; `subject` says what they are wanted for.
  static func checkIsWritable(_ path: String, _ subject: String) throws(Failure) {
    guard exists(path) else { throw Failure("\(subject): no directory \(path)") }
    // Permissions do not tell all: a file is tried out.
    let trial = Path.join(path, ".das3-\(ProcessInfo.processInfo.processIdentifier)")
    guard FileManager.default.createFile(atPath: trial, contents: nil) else {
      throw Failure("\(subject): the directory \(path) is not writable")
    }
    try? FileManager.default.removeItem(atPath: trial)
  }

  /// Whether both paths lead to the same place, also through links.
  static func isSame(_ first: String, _ second: String) -> Bool {
    func resolved(_ path: String) -> String {
      URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path
    }
    return resolved(first) == resolved(second)
  }
}
