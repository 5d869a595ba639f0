// A status of the library or a finding of our own in, one line for the user out.
import CDas3

/// Why a command failed: exit code 1 and one line on stderr.
struct Failure: Error {
  let message: String

  init(_ message: String) {
    self.message = message
  }

  /// Turns a negative status into the library's message; `subject` is put before it unless the
  /// message names it already.
  static func check(_ status: das3_status, _ subject: String) throws(Failure) {
    guard status != DAS3_OK else { return }
    var text = unsafe String(cString: das3_last_error())
    if text.isEmpty { text = unsafe String(cString: das3_status_name(status)) }
    throw Failure(text.contains(subject) ? text : "\(subject): \(text)")
  }
}
