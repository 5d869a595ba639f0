import CReserve
import Glibc

/// Asks for memory before Swift does, whose allocator ends the process where there is none.
package enum AddressSpace {
  /// For what a call makes beside the arrays that it counts: names, lists, messages.
  package static let margin = 8 << 20

  /// - Parameter byteCount: of all large arrays that come next.
  /// - Throws: `.memory` where a limit of the process (`ulimit -v`) or the machine leaves less.
  package static func check(_ byteCount: Int) throws(Das3Error) {
    let block = unsafe mmap(
      nil, max(byteCount, 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let block = unsafe block, unsafe block != MAP_FAILED else {
      throw .memory("\(byteCount) bytes could not be allocated")
    }
    unsafe munmap(block, max(byteCount, 1))
  }

  /// Before something that may take many small blocks; costs a load.
  ///
  /// - Throws: `.memory` where the system had none left and those in use are of the reserve.
  package static func checkReserve() throws(Das3Error) {
    if d3m_reserve_is_low() { throw .memory("the process has no memory left") }
  }
}
