import Glibc

/// The moment at which loading a model is given up, because the caller has set a limit on its time.
package struct Deadline: Sendable {
  private let limitMilliseconds: UInt64
  private let end: UInt64

  /// Counts from now; 0 = no limit.
  package init(milliseconds: UInt64) {
    limitMilliseconds = milliseconds
    let (end, isNever) = Self.now.addingReportingOverflow(milliseconds)
    self.end = milliseconds == 0 || isNever ? .max : end
  }

  /// Throws `.limit` once the moment has passed, and `.memory` where memory has run out.
  package func check() throws(Das3Error) {
    try AddressSpace.checkReserve()
    if end != .max, Self.now > end {
      throw .limit("loading took longer than the limit of \(limitMilliseconds) ms")
    }
  }

  private static var now: UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
  }
}
