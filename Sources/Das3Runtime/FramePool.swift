import Glibc
import Synchronization

/// Memory for copies of pictures of one size, which is taken at once and used again and again.
///
/// Any thread may take and give back.
package final class FramePool: Sendable {
  /// Bytes that nobody uses.
  @safe private struct Spare: @unchecked Sendable {
    var byteCount = 0
    var starts: [UnsafeMutableRawPointer] = unsafe []
  }

  private let spare = Mutex(Spare())

  package init() {}

  deinit {
    spare.withLock { spare in
      unsafe spare.starts.forEach { unsafe free($0) }
    }
  }

  /// Takes memory for so many pictures, and uses it once, so that it is there from then on.
  ///
  /// Where the machine does not suffice, there are fewer.
  package func prepare(_ count: Int, byteCount: Int) {
    spare.withLock { spare in
      guard spare.byteCount == 0, byteCount > 0 else { return }
      spare.byteCount = byteCount
      for _ in 0..<count {
        guard let start = unsafe malloc(byteCount) else { break }
        // With zeros the compiler would make a calloc of both, which takes no pages.
        unsafe memset(start, 0xff, byteCount)
        unsafe spare.starts.append(start)
      }
    }
  }

  fileprivate func take(_ byteCount: Int) -> UnsafeMutableRawPointer? {
    unsafe spare.withLock { spare in
      unsafe spare.byteCount == byteCount ? spare.starts.popLast() : nil
    }
  }

  fileprivate func give(_ start: UnsafeMutableRawPointer) {
    spare.withLock { unsafe $0.starts.append(start) }
  }
}

/// The bytes of one picture, of a pool where there is one; the last owner gives them back.
@safe final class FrameBytes: @unchecked Sendable {
  let start: UnsafeMutableRawPointer
  let count: Int
  /// Nil where they are not of a pool.
  private let pool: FramePool?

  init(_ count: Int, of pool: FramePool? = nil) {
    self.count = count
    if let pool, let start = unsafe pool.take(count) {
      unsafe self.start = start
      self.pool = pool
    } else {
      unsafe start = .allocate(byteCount: count, alignment: 16)
      self.pool = nil
    }
  }

  deinit {
    if let pool {
      unsafe pool.give(start)
    } else {
      unsafe start.deallocate()
    }
  }
}
