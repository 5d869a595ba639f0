// This process in, how much memory it has used out.
import Foundation

enum ProcessMemory {
  /// The most bytes that were in memory at once; nil where the system does not say.
  static var most: UInt64? {
    var usage = rusage()
    guard unsafe getrusage(Int32(RUSAGE_SELF.rawValue), &usage) == 0 else { return nil }
    return UInt64(max(0, usage.ru_maxrss)) * 1024
  }
}
