import CDas3
import Das3Graph
import Glibc
import Synchronization

/// The one receiver of messages; silent until a program names one.
enum Log {
  @safe private struct Receiver: @unchecked Sendable {
    var callback: das3_log_callback?
    var minimumLevel: Int32 = 0
    var payload: UnsafeMutableRawPointer?
  }

  private static let receiver = Mutex(Receiver())
  /// The thread that is in the callback, 0 = none.
  private static let speaker = Atomic<UInt>(0)

  /// Whether this thread is in the callback, and so holds the lock already.
  private static var isSpeaking: Bool { speaker.load(ordering: .relaxed) == pthread_self() }

  static func set(
    _ callback: das3_log_callback?, minimumLevel: Int32, payload: UnsafeMutableRawPointer?
  ) throws(Das3Error) {
    guard !isSpeaking else { throw .argument("das3_set_log_callback inside the callback") }
    receiver.withLock {
      unsafe $0 = Receiver(callback: callback, minimumLevel: minimumLevel, payload: payload)
    }
  }

  /// The message is made only where somebody listens; what the callback causes is not told it.
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
