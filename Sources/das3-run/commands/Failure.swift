// A status of the library or a finding of our own in, one line for the user out.
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

  /// Turns a negative status into the library's message; `subject` is put before it unless the
  /// message names it already, or an option is to blame and not what was in work.
  ///
  /// The library was told to call it `plainPath`.
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
