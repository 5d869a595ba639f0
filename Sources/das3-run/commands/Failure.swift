// A status of the library in, one line for the user out.
import CDas3

/// Why a command failed: an exit code and one line on stderr.
struct Failure: Error {
  let message: String
  /// 1, or 2 where the command line is to blame.
  let exitCode: Int32

  init(_ message: String, exitCode: Int32 = 1) {
    self.message = message
    self.exitCode = exitCode
  }

  /// Throws for a negative status, with the library's message.
  ///
  /// `subject` is what was worked on, such as a path; it is put before the message, unless this
  /// contains it or an argument is to blame. Where the library was given `plainPath` for it, the
  /// message gets `subject` in its place.
  static func check(
    _ status: das3_status, _ subject: String? = nil, calledHere plainPath: String? = nil
  ) throws(Failure) {
    guard status != DAS3_OK else { return }
    var text = unsafe String(cString: das3_last_error())
    if let plainPath, let subject { text = text.replacing(plainPath, with: subject) }
    if text.isEmpty { text = unsafe String(cString: das3_status_name(status)) }
    guard status != DAS3_E_ARGUMENT else { throw Failure(text, exitCode: 2) }
    guard let subject, !text.contains(subject) else { throw Failure(text) }
    throw Failure("\(subject): \(text)")
  }
}
