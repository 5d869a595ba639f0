import CReserve
import Glibc

/// Checks that memory is available before Swift allocates it: the allocator of Swift ends the
/// process when there is none.
package enum AddressSpace {
  /// Bytes for the small objects of a call that are not counted: names, lists, messages.
  package static let margin = 8 << 20

  /// - Parameter byteCount: bytes of all large arrays that are allocated next.
  /// - Throws: `.memory` where the machine, or a limit of the process (`ulimit -v`), allows less.
  package static func check(_ byteCount: Int) throws(Das3Error) {
    let block = unsafe mmap(
      nil, max(byteCount, 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let block = unsafe block, unsafe block != MAP_FAILED else {
      throw .memory("\(byteCount) bytes could not be allocated")
    }
    unsafe munmap(block, max(byteCount, 1))
  }

  /// Call this before work that may allocate many small blocks; it costs one load from memory.
  ///
  /// - Throws: `.memory` where the system has no memory left and the reserve is in use.
  package static func checkReserve() throws(Das3Error) {
    if d3m_reserve_is_low() { throw .memory("the process has no memory left") }
  }
}
