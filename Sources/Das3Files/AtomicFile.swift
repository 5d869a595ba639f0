import Glibc

/// A file that gets its name only when it is complete.
///
/// Before that it is deleted with this value.
@safe package final class AtomicFile {
  private let shown: String
  /// The name in the folder: any bytes, and a 0 at the end.
  private let name: [CChar]
  /// The temporary name; "" once the file has its final name.
  private var temporary: String
  private let folder: OpenFile
  private let file: OpenFile

  /// Creates the temporary file.
  ///
  /// An old file stays until `commit`, which keeps its permissions. A symbolic link to a regular
  /// file is followed. Unfinished files that killed processes have left in the folder are removed.
  ///
  /// - Parameters:
  ///   - path: a regular file to replace, or a name that does not exist.
  ///   - byteCount: the number of bytes that will be written.
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

  /// The descriptor, for C code that writes the file.
  package var descriptor: Int32 { file.descriptor }

  package func write(_ bytes: UnsafeRawBufferPointer) throws(Das3Error) {
    try unsafe file.write(bytes, name: shown)
  }

  /// Waits until the file is on disk, then gives it its name.
  package func commit() throws(Das3Error) {
    guard fsync(file.descriptor) == 0,
      unsafe renameat(folder.descriptor, temporary, folder.descriptor, name) == 0
    else { throw .system("cannot write \(shown)") }
    temporary = ""
    // The new file is complete now. An error here would mean that the old file is still there.
    // Where the folder cannot be synced, a crash of the machine may restore the old file.
    fsync(folder.descriptor)
  }

  private static let slash = CChar(UInt8(ascii: "/"))

  /// The path as bytes, with links resolved, and the status of the file; nil = no file exists.
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
    // A folder that can be written but not read cannot be synced.
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
      // Another process may have found the file before it was locked, and removed it.
      let isOurs = isLocked(file) || errno != EWOULDBLOCK
      if isOurs, isNamed(name, in: folder, file) { return (name, file) }
    }
    throw .system("cannot write \(shown)")
  }

  /// Locks a file; the writer of a temporary file holds this lock until its process ends.
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

  /// Removes the temporary files that no process has locked: those of killed processes.
  ///
  /// The process number in the name does not decide, because containers and machines share folders
  /// but not process numbers. Where the file system has no locks, nothing is removed.
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

  // The form of the name is .das3-PROCESS-NUMBER.tmp.
  private static func isTemporary(_ name: String) -> Bool {
    guard name.hasPrefix(".das3-"), name.hasSuffix(".tmp") else { return false }
    let numbers = name.dropFirst(6).dropLast(4).split(
      separator: "-", omittingEmptySubsequences: false)
    return numbers.count == 2 && numbers.allSatisfy { UInt64($0) != nil }
  }
}
