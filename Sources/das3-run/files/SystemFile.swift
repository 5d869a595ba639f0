// Paths in, what is there, its bytes, or new files out.
import Foundation

/// Files by calls of the system, because a path may have any bytes; Foundation wants UTF-8.
///
/// Functions that return nil or false leave the reason in errno.
@safe
enum SystemFile {
  enum Kind {
    case regular, directory, camera, device, pipe, other
  }

  /// Lends a path as a C string.
  static func withPath<Result>(_ path: String, _ use: (UnsafePointer<CChar>) -> Result) -> Result {
    let bytes = Path.bytes(of: path).map { CChar(truncatingIfNeeded: $0) } + [0]
    return unsafe bytes.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return unsafe use("") }
      return unsafe use(start)
    }
  }

  static func status(_ path: String, followsLinks: Bool = true) -> stat? {
    var status = stat()
    let result = unsafe withPath(path) { path in
      unsafe followsLinks ? stat(path, &status) : lstat(path, &status)
    }
    return result == 0 ? status : nil
  }

  /// What kind of thing a path leads to; nil where there is nothing.
  static func kind(_ path: String) -> Kind? {
    guard let status = status(path) else { return nil }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return .regular
    case S_IFDIR: return .directory
    case S_IFIFO, S_IFSOCK: return .pipe
    case S_IFCHR: return Path.name(of: path).hasPrefix("video") ? .camera : .device
    case S_IFBLK: return .device
    default: return .other
    }
  }

  static func exists(_ path: String) -> Bool { status(path) != nil }

  static func isLink(_ path: String) -> Bool {
    status(path, followsLinks: false).map { $0.st_mode & S_IFMT == S_IFLNK } ?? false
  }

  /// The absolute path after all links are followed; nil where there is nothing.
  static func resolved(_ path: String) -> String? {
    guard let found = unsafe withPath(path, { unsafe realpath($0, nil) }) else { return nil }
    defer { unsafe free(found) }
    let bytes = unsafe UnsafeBufferPointer(start: found, count: strlen(found))
    return unsafe Path.text(ofBytes: bytes.map { UInt8(truncatingIfNeeded: $0) })
  }

  /// The path that a link contains; nil where `path` is no link.
  static func target(ofLink path: String) -> String? {
    var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = unsafe withPath(path) { unsafe readlink($0, &bytes, bytes.count) }
    guard count > 0 else { return nil }
    return Path.text(ofBytes: bytes.prefix(count).map { UInt8(truncatingIfNeeded: $0) })
  }

  /// Names in a directory; nil where it cannot be read.
  static func names(in directory: String) -> [String]? {
    guard let stream = unsafe withPath(directory, { unsafe opendir($0) }) else { return nil }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let bytes = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { name in
        unsafe Array(name.prefix { $0 != 0 })
      }
      names.append(Path.text(ofBytes: bytes))
    }
    return names
  }

  /// Makes one directory.
  static func makeDirectory(_ path: String) -> Bool {
    unsafe withPath(path) { unsafe mkdir($0, 0o777) } == 0
  }

  @discardableResult
  static func removeDirectory(_ path: String) -> Bool {
    unsafe withPath(path) { unsafe rmdir($0) } == 0
  }

  /// Makes a symbolic link at `path`.
  static func makeLink(_ path: String, to target: String) -> Bool {
    unsafe withPath(target) { target in
      unsafe withPath(path) { path in unsafe symlink(target, path) }
    } == 0
  }

  @discardableResult
  static func remove(_ path: String) -> Bool {
    unsafe withPath(path) { unsafe unlink($0) } == 0
  }

  static func rename(_ old: String, to new: String) -> Bool {
    unsafe withPath(old) { old in unsafe withPath(new) { new in unsafe Glibc.rename(old, new) } }
      == 0
  }

  /// The system's message for the errno of the last failed call.
  static var reason: String { unsafe String(cString: strerror(errno)) }

  /// Reads a whole file; messages put `kind` before its path, such as "the class map ".
  static func read(_ path: String, kind: String = "") throws(Failure) -> [UInt8] {
    guard let file = FileBytes(path) else { throw Failure("cannot read \(kind)\(path): \(reason)") }
    return file.bytes(at: 0, count: file.count)
  }

  /// Writes all of the bytes to an open file.
  static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
    var rest = unsafe bytes[...]
    while unsafe !rest.isEmpty {
      let count = unsafe Glibc.write(
        descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      unsafe rest = rest.dropFirst(count)
    }
    return true
  }

  /// Writes a whole file as the function below does.
  static func write(_ bytes: [UInt8], to path: String) throws(Failure) {
    // A closure that throws would lose the type of its error.
    let failure = unsafe bytes.withUnsafeBytes { bytes -> Failure? in
      do throws(Failure) {
        try unsafe write(bytes, to: path)
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw failure }
  }

  /// Writes a whole file; an old file at `path` stays until the new one is complete.
  ///
  /// Where `path` is a link or a device, the bytes go to what is there. A failure leaves no
  /// incomplete file.
  static func write(_ bytes: UnsafeRawBufferPointer, to path: String) throws(Failure) {
    let isPlain = status(path, followsLinks: false).map { $0.st_mode & S_IFMT == S_IFREG } ?? true
    let trial =
      isPlain ? Path.join(Path.parent(of: path), ".das3-\(getpid())-\(Path.name(of: path))") : path
    let descriptor = unsafe withPath(trial) {
      unsafe open($0, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    }
    guard descriptor >= 0 else { throw Failure("cannot write \(path): \(reason)") }
    var reason = unsafe write(bytes, to: descriptor) ? nil : Self.reason
    if close(descriptor) != 0, reason == nil { reason = Self.reason }
    if reason == nil, isPlain, !rename(trial, to: path) { reason = Self.reason }
    guard let reason else { return }
    if isPlain || kind(path) == .regular { remove(trial) }
    throw Failure("cannot write \(path): \(reason)")
  }
}

extension Sequence<UInt8> {
  /// The number that these bytes make, the highest byte first.
  var bigEndianNumber: Int { reduce(0) { $0 << 8 | Int($1) } }
}

/// A file that is read in pieces.
@safe
final class FileBytes {
  let count: Int
  let descriptor: Int32

  /// Opens a file; nil where that fails.
  init?(_ path: String) {
    descriptor = unsafe SystemFile.withPath(path) {
      unsafe open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    }
    var status = stat()
    guard descriptor >= 0, unsafe fstat(descriptor, &status) == 0 else { return nil }
    count = Int(status.st_size)
  }

  deinit {
    close(descriptor)
  }

  /// `wanted` bytes; nil where the file ends before.
  func wholeBytes(at offset: Int, count wanted: Int) -> [UInt8]? {
    let bytes = bytes(at: offset, count: wanted)
    return bytes.count == wanted ? bytes : nil
  }

  /// `wanted` bytes, or fewer where the file ends before.
  func bytes(at offset: Int, count wanted: Int) -> [UInt8] {
    let wanted = max(0, min(wanted, count - offset))
    var bytes = [UInt8](repeating: 0, count: wanted)
    var filled = 0
    while filled < wanted {
      let found = unsafe bytes.withUnsafeMutableBytes { buffer in
        unsafe pread(
          descriptor, UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]).baseAddress,
          wanted - filled, offset + filled)
      }
      guard found > 0 else { return Array(bytes.prefix(filled)) }
      filled += found
    }
    return bytes
  }

  /// The boxes in a part of an MP4 or AVIF file: at most a thousand; the last may be cut off.
  func boxes(in range: Range<Int>) -> [(name: String, contents: Range<Int>)] {
    var boxes: [(name: String, contents: Range<Int>)] = []
    var offset = range.lowerBound
    while range.upperBound - offset >= 8, boxes.count < 1000 {
      let head = bytes(at: offset, count: 16)
      guard head.count >= 8 else { break }
      let isLong = head[0..<4].bigEndianNumber == 1 && head.count == 16
      let size = isLong ? head[8..<16].bigEndianNumber : head[0..<4].bigEndianNumber
      let room = range.upperBound - offset
      let contents = (isLong ? 16 : 8)..<max(isLong ? 16 : 8, min(size, room))
      boxes.append(
        (
          String(decoding: head[4..<8], as: UTF8.self),
          offset + contents.lowerBound..<offset + contents.upperBound
        ))
      guard size >= contents.lowerBound, size <= room else { break }
      offset += size
    }
    return boxes
  }
}
