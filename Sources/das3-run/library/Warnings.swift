// What the library doubts, said on stderr: each sentence once.
import CDas3
import Synchronization

enum Warnings {
  private static let said = Mutex<Set<String>>([])

  /// From now on warnings of the library appear as notes.
  static func show() {
    // A program without them is better than none.
    _ = unsafe das3_set_log_callback(
      { _, text, _ in
        guard let text = unsafe text.map({ unsafe String(cString: $0) }) else { return }
        guard Warnings.said.withLock({ $0.insert(text).inserted }) else { return }
        Terminal.note("warning: \(text)")
      }, Int32(DAS3_LOG_WARNING.rawValue), nil)
  }
}
