import Glibc

/// An open file or folder; its descriptor is closed with this value.
@safe package final class OpenFile {
  package let descriptor: Int32

  /// The flag O_PATH of Linux, which Swift's Glibc lacks: opens a file without access to its
  /// content.
  static let O_PATH: Int32 = 0o10000000

  /// One read or write transfers less than 2 GiB.
  private static let largestTransfer = 1 << 30

  convenience init?(_ path: String, in folder: OpenFile? = nil, _ flags: Int32) {
    self.init(Array(path.utf8CString), in: folder, flags)
  }

  /// Fails with errno where the file cannot be opened; the path is any bytes with a 0 at the end.
  init?(_ path: [CChar], in folder: OpenFile? = nil, _ flags: Int32, mode: mode_t = 0) {
    var descriptor: Int32
    repeat {
      descriptor = unsafe openat(folder?.descriptor ?? AT_FDCWD, path, flags | O_CLOEXEC, mode)
    } while descriptor < 0 && errno == EINTR
    guard descriptor >= 0 else { return nil }
    self.descriptor = descriptor
  }

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// Opens a path without access to the content, so that a pipe does not block and a device does
  /// not notice.
  static func path(_ path: String, in folder: OpenFile? = nil, _ flags: Int32 = 0) -> OpenFile? {
    OpenFile(path, in: folder, O_PATH | flags)
  }

  /// Opens a regular file for reading.
  ///
  /// It checks that the file is the same that it found to be regular.
  static func regular(
    _ path: String, in folder: OpenFile? = nil, followsLinks: Bool = true, name: String
  ) throws(Das3Error) -> OpenFile {
    let follow = followsLinks ? 0 : O_NOFOLLOW
    guard let looked = Self.path(path, in: folder, follow), let seen = looked.status else {
      throw .system("cannot open \(name)")
    }
    guard seen.isRegular else {
      throw .io("\(name) is \(seen.kind), expected a regular file")
    }
    guard let file = OpenFile(path, in: folder, O_RDONLY | O_NONBLOCK | O_NOCTTY | follow),
      let status = file.status
    else { throw .system("cannot open \(name)") }
    guard status.isSame(as: seen) else {
      throw .io("\(name) was replaced while it was being opened")
    }
    return file
  }

  /// The status of the file; nil with errno where there is none.
  var status: stat? {
    var status = stat()
    return unsafe fstat(descriptor, &status) == 0 ? status : nil
  }

  /// The names in the folder; empty where they cannot be read.
  var names: [String] {
    let copy = unsafe openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard copy >= 0, let entries = unsafe fdopendir(copy) else {
      if copy >= 0 { close(copy) }
      return []
    }
    defer { unsafe closedir(entries) }
    var names: [String] = []
    while let entry = unsafe readdir(entries) {
      names.append(
        unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
          unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        })
    }
    return names
  }

  /// Fills the buffer from `offset` of the file on; `name` is for messages.
  func read(_ bytes: UnsafeMutableRawBufferPointer, at offset: Int, name: String)
    throws(Das3Error)
  {
    var done = 0
    while done < bytes.count {
      let count = unsafe pread(
        descriptor, bytes.baseAddress.map { unsafe $0 + done },
        min(bytes.count - done, Self.largestTransfer), offset + done)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .system("cannot read \(name)") }
      guard count > 0 else { throw .io("\(name) became shorter while it was read") }
      done += count
    }
  }

  /// Writes at `offset` of the file, or at the current position where it is nil.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int? = nil, name: String)
    throws(Das3Error)
  {
    var done = 0
    while done < bytes.count {
      let start = unsafe bytes.baseAddress.map { unsafe $0 + done }
      let size = min(bytes.count - done, Self.largestTransfer)
      let count =
        if let offset {
          unsafe pwrite(descriptor, start, size, offset + done)
        } else {
          unsafe Glibc.write(descriptor, start, size)
        }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .system("cannot write \(name)") }
      done += count
    }
  }

  /// The largest file that this process may write, in bytes; nil = no limit.
  ///
  /// The kernel ends a process that writes more.
  static var sizeLimit: UInt64? {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0 else {
      return nil
    }
    return limit.rlim_cur == .max ? nil : UInt64(limit.rlim_cur)
  }
}

extension stat {
  var isRegular: Bool { st_mode & S_IFMT == S_IFREG }

  func isSame(as other: stat) -> Bool { st_dev == other.st_dev && st_ino == other.st_ino }

  /// The kind of a file that is not a regular one, for messages.
  var kind: String {
    switch st_mode & S_IFMT {
    case S_IFDIR: "a directory"
    case S_IFLNK: "a symbolic link"
    case S_IFIFO: "a pipe"
    case S_IFSOCK: "a socket"
    default: "a device"
    }
  }
}

extension Das3Error {
  /// The error that errno describes.
  static func system(_ action: @autoclosure () -> String) -> Das3Error {
    let error = errno  // making the text may change errno
    return Das3Error(
      error == ENOMEM ? .memory : .io, "\(action()): \(unsafe String(cString: strerror(error)))")
  }
}

extension String {
  /// A name for a message: quoted, printable ASCII, at most about 80 bytes.
  package var shown: String {
    var bytes = Array(utf8)
    // Both ends are kept, because exporters put the scope in front and a counter at the end.
    if bytes.count > 80 { bytes = bytes[..<40] + Array("...".utf8) + bytes.suffix(37) }
    let text = bytes.map { (0x20..<0x7f).contains($0) ? $0 : UInt8(ascii: "?") }
    return "'\(String(decoding: text, as: UTF8.self))'"
  }
}
