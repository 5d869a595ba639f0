import CDas3
import Das3Adapt
import Das3Graph
import Glibc

/// The message of the last call on this thread: one C string per thread, which is allocated at its
/// first use and freed when the thread ends.
enum LastError {
  private static let capacity = 1024

  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    unsafe pthread_key_create(&key) { block in unsafe free(block) }
    return key
  }()

  /// The buffer of this thread; nil if memory ran out.
  static var text: UnsafeMutablePointer<CChar>? {
    if let block = unsafe pthread_getspecific(key) {
      return unsafe block.assumingMemoryBound(to: CChar.self)
    }
    guard let block = unsafe calloc(capacity, 1) else { return nil }
    unsafe pthread_setspecific(key, block)
    return unsafe block.assumingMemoryBound(to: CChar.self)
  }

  /// Stores `message` as one line; "" clears it.
  ///
  /// A message that is longer than the buffer is cut between two characters.
  static func set(_ message: String) {
    guard let text = unsafe text else { return }
    var length = 0
    for scalar in message.unicodeScalars {
      let shown = endsLine(scalar) ? " " : scalar
      guard length + shown.utf8.count < capacity else { break }
      for byte in shown.utf8 {
        unsafe text[length] = CChar(truncatingIfNeeded: byte)
        length += 1
      }
    }
    unsafe text[length] = 0
  }

  /// Whether a program may end a line here: control characters, line and paragraph separators.
  private static func endsLine(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }
}

/// The body of every C function that returns a status.
///
/// It turns an error into its status and message. A success clears the message, also one that a call
/// inside a callback has left. Floating-point traps of the host program, such as for 0 / 0, are
/// turned off while `body` runs.
func status(_ body: () throws(Das3Error) -> Void) -> das3_status {
  var traps = fenv_t()
  unsafe feholdexcept(&traps)
  defer { unsafe fesetenv(&traps) }
  do throws(Das3Error) {
    try AddressSpace.checkReserve()
    try body()
    LastError.set("")
    return das3_status(DAS3_OK)
  } catch {
    LastError.set(error.message)
    return error.code.rawValue
  }
}

@c @implementation
public func das3_abi_version() -> UInt32 { UInt32(DAS3_ABI_VERSION) }

@c @implementation
public func das3_version() -> UnsafePointer<CChar>? { unsafe StaticStrings.version.start }

@c @implementation
public func das3_status_name(_ status: das3_status) -> UnsafePointer<CChar>? {
  unsafe (StaticStrings.statusNames[status] ?? StaticStrings.unknown).start
}

@c @implementation
public func das3_last_error() -> UnsafePointer<CChar>? {
  unsafe LastError.text.map { unsafe UnsafePointer($0) } ?? StaticStrings.empty.start
}

/// Strings that live as long as the process.
enum StaticStrings {
  static let version = CString(
    "\(DAS3_VERSION_MAJOR).\(DAS3_VERSION_MINOR).\(DAS3_VERSION_PATCH)")
  static let unknown = CString("unknown")
  static let empty = CString("")
  static let blendReasons = Dictionary(
    uniqueKeysWithValues: BlendRecord.Reason.allCases.map { ($0.rawValue, CString($0.sentence)) })
  static let guardReasons = Dictionary(
    uniqueKeysWithValues: GuardRecord.Reason.allCases.map { ($0.rawValue, CString($0.sentence)) })
  static let statusNames: [das3_status: CString] = [
    das3_status(DAS3_OK): CString("DAS3_OK"),
    das3_status(DAS3_E_ARGUMENT): CString("DAS3_E_ARGUMENT"),
    das3_status(DAS3_E_SHAPE): CString("DAS3_E_SHAPE"),
    das3_status(DAS3_E_MEMORY): CString("DAS3_E_MEMORY"),
    das3_status(DAS3_E_IO): CString("DAS3_E_IO"),
    das3_status(DAS3_E_FORMAT): CString("DAS3_E_FORMAT"),
    das3_status(DAS3_E_UNSUPPORTED): CString("DAS3_E_UNSUPPORTED"),
    das3_status(DAS3_E_LIMIT): CString("DAS3_E_LIMIT"),
    das3_status(DAS3_E_CANCELLED): CString("DAS3_E_CANCELLED"),
    das3_status(DAS3_E_INTERNAL): CString("DAS3_E_INTERNAL"),
  ]
}
