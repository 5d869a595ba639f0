import CDas3
import Das3Graph
import Glibc
import Synchronization

/// Sends messages to the one callback that a program can set; until then there are none.
enum Log {
  @safe private struct Receiver: @unchecked Sendable {
    var callback: das3_log_callback?
    var minimumLevel: Int32 = 0
    var payload: UnsafeMutableRawPointer?
  }

  private static let receiver = Mutex(Receiver())
  /// The thread that runs the callback; 0 if none does.
  private static let speaker = Atomic<UInt>(0)

  /// Whether this thread runs the callback, and therefore holds the lock already.
  private static var isSpeaking: Bool { speaker.load(ordering: .relaxed) == pthread_self() }

  static func set(
    _ callback: das3_log_callback?, minimumLevel: Int32, payload: UnsafeMutableRawPointer?
  ) throws(Das3Error) {
    guard !isSpeaking else { throw .argument("das3_set_log_callback inside the callback") }
    receiver.withLock {
      unsafe $0 = Receiver(callback: callback, minimumLevel: minimumLevel, payload: payload)
    }
  }

  /// Sends a message, which is composed only if the callback wants its level.
  ///
  /// Calls inside the callback produce no messages.
  static func write(_ level: das3_log_level, _ message: @autoclosure () -> String) {
    let level = Int32(level.rawValue)
    guard !isSpeaking else { return }
    receiver.withLock { receiver in
      guard let callback = unsafe receiver.callback, level >= receiver.minimumLevel else { return }
      speaker.store(pthread_self(), ordering: .relaxed)
      defer { speaker.store(0, ordering: .relaxed) }
      unsafe message().withCString { unsafe callback(level, $0, receiver.payload) }
    }
  }
}

@c @implementation
public func das3_set_log_callback(
  _ callback: das3_log_callback?, _ minimum_level: Int32, _ payload: UnsafeMutableRawPointer?
) -> das3_status {
  status { () throws(Das3Error) in
    guard (0...2).contains(minimum_level) else {
      throw .argument("minimum_level is \(minimum_level); expected a das3_log_level from 0 to 2")
    }
    try unsafe Log.set(callback, minimumLevel: minimum_level, payload: payload)
  }
}
