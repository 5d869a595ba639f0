import Das3Graph
import Das3Runtime
import Glibc

/// Records of one size by number: in memory, or beyond a limit in a file without a name, which ends
/// with the store.
@safe final class RecordStore {
  let byteCount: Int
  private let memory: Arena?
  private var file: Int32 = -1
  private let directory: String

  /// - Parameters:
  ///   - recordCount: records there may be.
  ///   - byteCount: of one record.
  ///   - memoryLimit: bytes beyond which they go to disk.
  ///   - directory: where the file lies; nil = $TMPDIR or /var/tmp.
  /// - Throws: `.io` where the file cannot be made.
  init(recordCount: Int, byteCount: Int, memoryLimit: Int, directory: String?) throws(Das3Error) {
    self.byteCount = byteCount
    let environment = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) }
    self.directory = directory ?? environment ?? "/var/tmp"
    if recordCount * byteCount <= memoryLimit {
      memory = try Arena(elementCount: (recordCount * byteCount + 3) / 4)
      return
    }
    memory = nil
    // The file has a name only for a moment, so that nothing is left of a killed process.
    var path = Array("\(self.directory)/das3-XXXXXX".utf8CString)
    file = unsafe mkstemp(&path)
    guard file >= 0 else { throw failure("make a file in") }
    _ = fcntl(file, F_SETFD, FD_CLOEXEC)
    unsafe unlink(path)
  }

  deinit {
    if file >= 0 { close(file) }
  }

  /// Bytes held in memory.
  var memoryByteCount: Int { memory.map { 4 * $0.elementCount } ?? 0 }

  /// Half of the memory there is: for labels where there is no limit.
  static let largestMemory = MachineMemory.byteCount() / 2

  /// Writes part of a record.
  private func write(_ bytes: UnsafeRawBufferPointer, to record: Int, at offset: Int)
    throws(Das3Error)
  {
    let start = record * byteCount + offset
    if let memory {
      guard let source = bytes.baseAddress else { return }
      unsafe (UnsafeMutableRawPointer(memory.pointer(at: 0)) + start)
        .copyMemory(from: source, byteCount: bytes.count)
      return
    }
    // Beyond this limit the kernel would end the process.
    var limit = rlimit()
    if unsafe getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0,
      UInt64(start + bytes.count) > limit.rlim_cur
    {
      throw .io(
        "cannot write labels to \(directory): files of this process may have \(limit.rlim_cur) bytes"
      )
    }
    var done = 0
    while done < bytes.count {
      let count = unsafe pwrite(
        file, bytes.baseAddress.map { unsafe $0 + done }, bytes.count - done, start + done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure("write labels to") }
      done += count
    }
  }

  /// Reads part of a record.
  private func read(_ bytes: UnsafeMutableRawBufferPointer, from record: Int, at offset: Int)
    throws(Das3Error)
  {
    let start = record * byteCount + offset
    if let memory {
      let source = unsafe UnsafeRawPointer(memory.pointer(at: 0)) + start
      unsafe bytes.baseAddress?.copyMemory(from: source, byteCount: bytes.count)
      return
    }
    var done = 0
    while done < bytes.count {
      let count = unsafe pread(
        file, bytes.baseAddress.map { unsafe $0 + done }, bytes.count - done, start + done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure("read labels from") }
      done += count
    }
  }

  private func failure(_ action: String) -> Das3Error {
    .io("cannot \(action) \(directory): \(unsafe String(cString: strerror(errno)))")
  }
}

extension RecordStore {
  /// Writes numbers as they lie in memory.
  func write<Element: BitwiseCopyable>(_ values: [Element], to record: Int, at offset: Int = 0)
    throws(Das3Error)
  {
    try unsafe values.span.bytes.withUnsafeBytes { bytes throws(Das3Error) in
      try unsafe write(bytes, to: record, at: offset)
    }
  }

  /// Reads as many numbers as there are.
  func read<Element: BitwiseCopyable>(
    into values: inout [Element], from record: Int, at offset: Int = 0
  ) throws(Das3Error) {
    var span = values.mutableSpan
    var bytes = unsafe span.mutableBytes
    try unsafe bytes.withUnsafeMutableBytes { bytes throws(Das3Error) in
      try unsafe read(bytes, from: record, at: offset)
    }
  }
}
