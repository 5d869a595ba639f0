// Paths of any bytes in, paths in UTF-8 for the library out.
import Foundation

/// Lends another path to the same file, where its own path is not UTF-8.
enum LibraryPath {
  /// Lends a path for reading.
  ///
  /// Files of the same stem with the endings `beside`, which the library looks for, are beside it.
  static func reading<Result>(
    _ path: String, beside: [String] = [], _ use: (String) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    guard !Path.isPlain(path) else { return try use(path) }
    return try throughParent(of: path) { parent throws(Failure) in
      let name = Path.name(of: path)
      guard !Path.isPlain(name) else { return try use(Path.join(parent, name)) }
      // These links have UTF-8 names and stand in a new directory.
      let folder = Path.join(NSTemporaryDirectory(), "das3-\(UUID().uuidString)")
      guard SystemFile.makeDirectory(folder) else {
        throw Failure("cannot create the directory \(folder): \(SystemFile.reason)")
      }
      var links: [String] = []
      defer {
        for link in links { SystemFile.remove(link) }
        SystemFile.removeDirectory(folder)
      }
      let stem = Path.join(Path.parent(of: path), Path.stem(of: name))
      for target in [path] + beside.map({ "\(stem).\($0)" }) where SystemFile.exists(target) {
        let link = Path.join(folder, "file." + Path.ending(of: target))
        guard let real = SystemFile.resolved(target), SystemFile.makeLink(link, to: real) else {
          throw Failure("cannot read \(path): \(SystemFile.reason)")
        }
        links.append(link)
      }
      return try use(Path.join(folder, "file." + Path.ending(of: path)))
    }
  }

  /// Lends a path for writing; an old file at `path` stays until the new one is complete.
  static func writing(
    _ path: String, _ use: (String) throws(Failure) -> Void
  ) throws(Failure) {
    guard !Path.isPlain(path) else { return try use(path) }
    try throughParent(of: path) { parent throws(Failure) in
      guard !Path.isPlain(Path.name(of: path)) else {
        return try use(Path.join(parent, Path.name(of: path)))
      }
      let trial = Path.join(parent, ".das3-\(UUID().uuidString)")
      try use(trial)
      guard SystemFile.rename(trial, to: SystemFile.resolved(path) ?? path) else {
        let reason = SystemFile.reason
        SystemFile.remove(trial)
        throw Failure("cannot write \(path): \(reason)")
      }
    }
  }

  /// Lends a path in UTF-8 to the directory that holds a file.
  private static func throughParent<Result>(
    of path: String, _ use: (String) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let parent = Path.parent(of: path)
    guard !Path.isPlain(parent) else { return try use(parent) }
    guard let directory = FileBytes(parent) else {
      throw Failure("no directory \(parent): \(SystemFile.reason)")
    }
    defer { withExtendedLifetime(directory) {} }
    return try use("/proc/self/fd/\(directory.descriptor)")
  }
}
