import Foundation

/// What an exit test's process may use at most, so that a hang or a flood of memory is one failed
/// test and not the end of the machine.
package enum ProcessLimits {
  /// Ends this process by a signal after `seconds`; allocations beyond `bytes` in all fail.
  package static func apply(seconds: UInt32 = 600, bytes: UInt = 6 << 30) {
    alarm(seconds)
    var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t(bytes))
    setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
  }
}
