import Das3Adapt
import Das3TestSupport
import Foundation
import Testing

/// What control groups leave of the machine's memory.
@Suite("Machine memory")
struct MachineMemoryTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func write(_ text: String, to path: String) throws {
    let file = URL(filePath: folder.path(path))
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try text.write(to: file, atomically: true, encoding: .utf8)
  }

  private var found: Int { MachineMemory.byteCount(root: folder.path("")) }

  @Test("without control groups it is the machine's")
  func none() throws {
    #expect(found > 1 << 28)
    try write("0::/user\n", to: "proc/self/cgroup")
    try write("max\n", to: "sys/fs/cgroup/user/memory.max")
    #expect(found > 1 << 28)
  }

  @Test("the least limit on the way to the group counts")
  func second() throws {
    try write("0::/user/robot\n", to: "proc/self/cgroup")
    try write("100000000\n", to: "sys/fs/cgroup/user/memory.max")
    try write("max\n", to: "sys/fs/cgroup/user/robot/memory.max")
    #expect(found == 100_000_000)
    try write("90000000\n", to: "sys/fs/cgroup/user/robot/memory.max")
    #expect(found == 90_000_000)
  }

  @Test("groups of the first version, and a container that sees its own files at the top")
  func first() throws {
    try write("5:cpu,memory:/docker/7\n3:pids:/\n", to: "proc/self/cgroup")
    try write("80000000\n", to: "sys/fs/cgroup/memory/memory.limit_in_bytes")
    #expect(found == 80_000_000)
    try write("9223372036854771712\n", to: "sys/fs/cgroup/memory/memory.limit_in_bytes")
    #expect(found > 1 << 28)
  }
}
