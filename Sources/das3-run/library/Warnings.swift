// Warnings of the library in, messages on stderr out, each once.
import CDas3
import Synchronization

enum Warnings {
  private static let said = Mutex<Set<String>>([])

  /// Shows the library's warnings from now on.
  static func show() {
    // Where this fails, the program runs without warnings.
    _ = unsafe das3_set_log_callback(
      { _, text, _ in
        guard let text = unsafe text.map({ unsafe String(cString: $0) }) else { return }
        guard Warnings.said.withLock({ $0.insert(text).inserted }) else { return }
        Terminal.note("warning: \(text)")
      }, Int32(DAS3_LOG_WARNING.rawValue), nil)
  }
}
