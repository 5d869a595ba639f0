import Das3Files
import Das3Runtime

/// Records of one size by number: in memory, or beyond a limit in a file without a name, which ends
/// with the store.
@safe final class RecordStore {
  let byteCount: Int
  private let memory: Arena?
  private let file: ScratchFile?

  /// - Parameters:
  ///   - recordCount: records there may be.
  ///   - byteCount: of one record.
  ///   - memoryLimit: bytes beyond which they go to disk.
  ///   - directory: where the file lies; nil = $TMPDIR or /var/tmp.
  /// - Throws: `.io` where the file cannot be made.
  init(recordCount: Int, byteCount: Int, memoryLimit: Int, directory: String?) throws(Das3Error) {
    self.byteCount = byteCount
    let isSmall = recordCount * byteCount <= memoryLimit
    memory = isSmall ? try Arena(elementCount: (recordCount * byteCount + 3) / 4) : nil
    file = isSmall ? nil : try ScratchFile(in: directory)
  }

  /// Bytes held in memory.
  var memoryByteCount: Int { memory.map { 4 * $0.elementCount } ?? 0 }

  /// Takes the physical memory now.
  func populate() { memory?.populate() }

  /// Half of the memory there is: for labels where there is no limit.
  static let largestMemory = MachineMemory.byteCount() / 2

  /// Writes numbers as they lie in memory.
  func write<Element: BitwiseCopyable>(_ values: [Element], to record: Int, at offset: Int = 0)
    throws(Das3Error)
  {
    let start = record * byteCount + offset
    try unsafe values.span.bytes.withUnsafeBytes { bytes throws(Das3Error) in
      guard let memory else { return try unsafe file?.write(bytes, at: start) ?? () }
      guard let source = bytes.baseAddress else { return }
      unsafe (UnsafeMutableRawPointer(memory.pointer(at: 0)) + start)
        .copyMemory(from: source, byteCount: bytes.count)
    }
  }

  /// Reads as many numbers as there are.
  func read<Element: BitwiseCopyable>(
    into values: inout [Element], from record: Int, at offset: Int = 0
  ) throws(Das3Error) {
    let start = record * byteCount + offset
    var span = values.mutableSpan
    var bytes = unsafe span.mutableBytes
    try unsafe bytes.withUnsafeMutableBytes { bytes throws(Das3Error) in
      guard let memory else { return try unsafe file?.read(bytes, at: start) ?? () }
      let source = unsafe UnsafeRawPointer(memory.pointer(at: 0)) + start
      unsafe bytes.baseAddress?.copyMemory(from: source, byteCount: bytes.count)
    }
  }
}
