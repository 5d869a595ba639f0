import Das3Graph
import Das3Runtime
import Glibc

/// A thread of low priority, which runs one function.
@safe final class BackgroundThread {
  private var handle = pthread_t()

  /// More nice than what a program runs beside it.
  private static let niceness: Int32 = 10

  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Starts it.
  ///
  /// - Throws: `.memory` where the machine has no room for another thread.
  init(_ run: @escaping @Sendable () -> Void) throws(Das3Error) {
    let body = unsafe Unmanaged.passRetained(Body(run)).toOpaque()
    let status = unsafe pthread_create(
      &handle, nil,
      { context in
        let body = unsafe Unmanaged<Body>.fromOpaque(context.unsafelyUnwrapped).takeRetainedValue()
        // On Linux it is that of the thread, and threads that it starts inherit it.
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, BackgroundThread.niceness)
        ThreadPool.workInBackground()
        // Traps of the host program, such as for 0 / 0, were inherited with the rest.
        var traps = fenv_t()
        unsafe feholdexcept(&traps)
        body.run()
        return nil
      }, body)
    guard status == 0 else {
      unsafe Unmanaged<Body>.fromOpaque(body).release()
      throw .memory("a thread could not be started: error \(status)")
    }
  }

  /// Waits for its end.
  func join() { pthread_join(handle, nil) }
}

/// Wakes a waiting thread.
///
/// However often it is called before the thread waits, the thread waits once less.
@safe final class WakeSignal: @unchecked Sendable {
  private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var isSet = false

  init() {
    unsafe pthread_mutex_init(lock, nil)
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    // The time of day may jump when a robot finds its network.
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    unsafe pthread_cond_init(condition, &attributes)
    unsafe pthread_condattr_destroy(&attributes)
  }

  deinit {
    unsafe pthread_cond_destroy(condition)
    unsafe pthread_mutex_destroy(lock)
    unsafe condition.deallocate()
    unsafe lock.deallocate()
  }

  func wake() {
    unsafe pthread_mutex_lock(lock)
    isSet = true
    unsafe pthread_cond_signal(condition)
    unsafe pthread_mutex_unlock(lock)
  }

  /// Waits until somebody wakes it, or so long.
  ///
  /// - Parameter seconds: nil = as long as it takes.
  func wait(_ seconds: Double? = nil) {
    var end = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &end)
    let nanoseconds = end.tv_nsec + Int(min(max(seconds ?? 0, 0), 1e6) * 1e9)
    end.tv_sec += nanoseconds / 1_000_000_000
    end.tv_nsec = nanoseconds % 1_000_000_000
    unsafe pthread_mutex_lock(lock)
    var status: Int32 = 0
    while !isSet, status == 0 {
      status =
        seconds == nil
        ? unsafe pthread_cond_wait(condition, lock)
        : unsafe pthread_cond_timedwait(condition, lock, &end)
    }
    isSet = false
    unsafe pthread_mutex_unlock(lock)
  }
}
