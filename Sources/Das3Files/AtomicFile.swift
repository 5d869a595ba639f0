import Glibc

/// A file that appears under its name when it is complete; until then it is gone with the value.
@safe package final class AtomicFile {
  private let shown: String
  /// Any bytes, and 0.
  private let name: [CChar]
  /// "" once it has its name.
  private var temporary: String
  private let folder: OpenFile
  private let file: OpenFile

  /// Begins a file.
  ///
  /// What was there stays until `commit`, and its permissions beyond that; a link is followed to an
  /// existing regular file. What a killed process has left half written in the same folder is
  /// removed.
  ///
  /// - Parameters:
  ///   - path: a regular file, or nothing yet.
  ///   - byteCount: what will be written.
  /// - Throws: `.io` naming path and reason.
  package init(_ path: String, byteCount: UInt64) throws(Das3Error) {
    shown = path.shown
    let (target, status) = try Self.resolved(path)
    if let limit = OpenFile.sizeLimit, byteCount > limit {
      throw .io(
        "cannot write \(shown): it needs \(byteCount) bytes, files of this process may have \(limit)"
      )
    }
    let start = target.lastIndex(of: Self.slash).map { $0 + 1 } ?? 0
    name = Array(target[start...])
    guard name.count > 1 else { throw .io("cannot write \(shown): the path names no file") }
    let parent = start == 0 ? Array(".".utf8CString) : target[..<start] + [0]
    folder = try Self.folder(parent, for: shown)
    Self.removeAbandoned(in: folder)
    (temporary, file) = try Self.temporaryFile(in: folder, isNew: status == nil, for: shown)
    if let status, fchmod(file.descriptor, status.st_mode & 0o777) != 0 {
      throw .system("cannot write \(shown)")
    }
  }

  deinit {
    if !temporary.isEmpty { unsafe unlinkat(folder.descriptor, temporary, 0) }
  }

  /// Where others may write to it.
  package var descriptor: Int32 { file.descriptor }

  package func write(_ bytes: UnsafeRawBufferPointer) throws(Das3Error) {
    try unsafe file.write(bytes, name: shown)
  }

  /// Waits until it is on disk, and names it.
  package func commit() throws(Das3Error) {
    guard fsync(file.descriptor) == 0,
      unsafe renameat(folder.descriptor, temporary, folder.descriptor, name) == 0
    else { throw .system("cannot write \(shown)") }
    temporary = ""
    // The new file is there, whole and on disk: a failure from here on would say that the old one
    // still is. Where the folder cannot be synced, a crash of the machine may bring that back.
    fsync(folder.descriptor)
  }

  private static let slash = CChar(UInt8(ascii: "/"))

  /// The path behind a link, else the path itself, as bytes; and what is there, nil = nothing.
  private static func resolved(_ path: String) throws(Das3Error) -> ([CChar], stat?) {
    var (status, target) = (stat(), Array(path.utf8CString))
    guard unsafe lstat(path, &status) == 0 else {
      if errno != ENOENT { throw .system("cannot write \(path.shown)") }
      return (target, nil)
    }
    if status.st_mode & S_IFMT == S_IFLNK {
      guard let real = unsafe realpath(path, nil) else {
        throw .system("cannot write \(path.shown)")
      }
      defer { unsafe free(real) }
      target = unsafe Array(UnsafeBufferPointer(start: real, count: strlen(real) + 1))
      guard unsafe stat(real, &status) == 0 else { throw .system("cannot write \(path.shown)") }
    }
    guard status.isRegular else {
      throw .io("cannot write \(path.shown): it is \(status.kind), expected a regular file or none")
    }
    return (target, status)
  }

  private static func folder(_ path: [CChar], for shown: String) throws(Das3Error) -> OpenFile {
    if let folder = OpenFile(path, O_RDONLY | O_DIRECTORY) { return folder }
    // It may be written but not read; then it cannot be synced.
    if errno == EACCES, let folder = OpenFile(path, OpenFile.O_PATH | O_DIRECTORY) {
      return folder
    }
    throw .system("cannot write \(shown)")
  }

  private static func temporaryFile(in folder: OpenFile, isNew: Bool, for shown: String)
    throws(Das3Error) -> (String, OpenFile)
  {
    for _ in 0..<1000 {
      let name = ".das3-\(getpid())-\(UInt32.random(in: 0 ... .max)).tmp"
      let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
      let mode: mode_t = isNew ? 0o666 : 0o600
      guard let file = OpenFile(Array(name.utf8CString), in: folder, flags, mode: mode)
      else {
        if errno == EEXIST { continue }
        throw .system("cannot write \(shown)")
      }
      // Somebody may have seen it before it was locked, and removes it.
      let isOurs = isLocked(file) || errno != EWOULDBLOCK
      if isOurs, isNamed(name, in: folder, file) { return (name, file) }
    }
    throw .system("cannot write \(shown)")
  }

  /// Whoever writes a temporary file holds a lock on it, which ends with its process.
  private static func isLocked(_ file: OpenFile) -> Bool {
    flock(file.descriptor, LOCK_EX | LOCK_NB) == 0
  }

  private static func isNamed(_ name: String, in folder: OpenFile, _ file: OpenFile) -> Bool {
    var named = stat()
    guard unsafe fstatat(folder.descriptor, name, &named, AT_SYMLINK_NOFOLLOW) == 0 else {
      return false
    }
    return file.status?.isSame(as: named) ?? false
  }

  /// Removes what killed processes have left: files that nobody holds.
  ///
  /// Process numbers do not tell, for containers and machines share folders but not numbers.
  /// Without locks nothing is removed.
  private static func removeAbandoned(in folder: OpenFile) {
    for name in folder.names where isTemporary(name) {
      guard let file = OpenFile(name, in: folder, O_WRONLY | O_NOFOLLOW | O_NONBLOCK) else {
        continue
      }
      if isLocked(file), isNamed(name, in: folder, file) {
        unsafe unlinkat(folder.descriptor, name, 0)
      }
    }
  }

  // .das3-PROCESS-NUMBER.tmp
  private static func isTemporary(_ name: String) -> Bool {
    guard name.hasPrefix(".das3-"), name.hasSuffix(".tmp") else { return false }
    let numbers = name.dropFirst(6).dropLast(4).split(
      separator: "-", omittingEmptySubsequences: false)
    return numbers.count == 2 && numbers.allSatisfy { UInt64($0) != nil }
  }
}
