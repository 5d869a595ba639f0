import Glibc

/// Memory that this process may have: the machine's, or less where a control group says so.
package enum MachineMemory {
  /// - Parameter root: where the files of the system lie; other than "" only for tests.
  /// - Returns: bytes.
  package static func byteCount(root: String = "") -> Int {
    let physical = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    return groupLimits(root: root).reduce(physical, min)
  }

  /// Limits of the groups that the process is in, of both versions, and of those around them.
  private static func groupLimits(root: String) -> [Int] {
    guard let lines = text(of: "\(root)/proc/self/cgroup") else { return [] }
    var limits: [Int] = []
    for line in lines.split(separator: "\n") {
      // Number, controllers, path; of version 2 the controllers are empty.
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let isSecond = parts[1].isEmpty
      guard isSecond || parts[1].split(separator: ",").contains("memory") else { continue }
      let (folder, file) =
        isSecond
        ? ("/sys/fs/cgroup", "memory.max")
        : ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
      var path = ""
      // Inside a container the path may be that of the host, and the files lie at the top.
      for name in [""] + parts[2].split(separator: "/").map({ "/\($0)" }) {
        path += name
        // "max" where there is no limit.
        let limit = text(of: "\(root)\(folder)\(path)/\(file)").flatMap {
          Int($0.prefix { $0.isNumber })
        }
        if let limit, limit > 0 { limits.append(limit) }
      }
    }
    return limits
  }

  private static func text(of path: String) -> String? {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    var length = 0
    while length < bytes.count {
      let count = unsafe bytes.withUnsafeMutableBytes {
        unsafe read(file, $0.baseAddress.map { unsafe $0 + length }, $0.count - length)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      length += count
    }
    return String(decoding: bytes[..<length], as: UTF8.self)
  }
}
