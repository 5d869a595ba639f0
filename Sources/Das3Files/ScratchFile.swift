import Glibc

/// A file without a name, for reading and writing at any offset.
///
/// It is deleted with this value, also when the process is killed.
@safe package final class ScratchFile {
  private let file: OpenFile
  /// The folder, for messages.
  private let name: String

  /// - Parameter folder: the folder of the file; nil = $TMPDIR or /var/tmp.
  /// - Throws: `.io` where the file cannot be created.
  package init(in folder: String?) throws(Das3Error) {
    let environment = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) }
    let folder = folder ?? environment ?? "/var/tmp"
    name = "a scratch file in \(folder.shown)"
    // The file loses its name as soon as it is open.
    var path = Array("\(folder)/das3-XXXXXX".utf8CString)
    let descriptor = unsafe mkstemp(&path)
    guard descriptor >= 0 else { throw .system("cannot make \(name)") }
    file = OpenFile(descriptor)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    unsafe unlink(path)
  }

  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(Das3Error) {
    if let limit = OpenFile.sizeLimit, UInt64(offset + bytes.count) > limit {
      throw .io("cannot write \(name): files of this process may have \(limit) bytes")
    }
    try unsafe file.write(bytes, at: offset, name: name)
  }

  package func read(_ bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(Das3Error) {
    try unsafe file.read(bytes, at: offset, name: name)
  }
}
