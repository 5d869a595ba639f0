import Foundation

/// Resident memory of this process as Linux counts it, in bytes.
///
/// Only a process that does one thing at a time can tell what needed it: call it in an exit test.
package enum PeakMemory {
  /// What `body` needed at most beyond what was there before; nil where Linux does not say.
  package static func growth(_ body: () throws -> Void) rethrows -> Int? {
    // 5 sets the peak back to what is resident now.
    try? Data("5".utf8).write(to: URL(filePath: "/proc/self/clear_refs"))
    let before = value("VmRSS")
    try body()
    guard let before, let peak = value("VmHWM") else { return nil }
    return peak - before
  }

  /// What this process has allocated, touched or not.
  package static var allocated: Int? { value("VmSize") }

  private static func value(_ key: String) -> Int? {
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix(key + ":") })
    else { return nil }
    return line.split(separator: " ").compactMap { Int($0) }.first.map { $0 * 1024 }
  }
}
