import CKernels
import Das3TestSupport
import Foundation
import Testing

/// The pool of threads that all kernels share.
@Suite("Threads")
struct ThreadsTests {
  /// How often each index was run, without a lock: no two threads may be at the same one.
  @safe final class Counts: @unchecked Sendable {
    let runs: UnsafeMutableBufferPointer<Int>
    init(_ count: Int) {
      unsafe runs = .allocate(capacity: count)
      unsafe runs.initialize(repeating: 0)
    }
    deinit { unsafe runs.deallocate() }

    func areAll(_ wanted: Int) -> Bool { unsafe runs.allSatisfy { $0 == wanted } }
  }

  private static let add: d3k_body = { context, begin, end in
    let runs = unsafe context.unsafelyUnwrapped.assumingMemoryBound(to: Int.self)
    for index in Int(begin)..<Int(end) { unsafe runs[index] += 1 }
  }

  private static func run(_ threads: Int32, _ counts: Counts) {
    unsafe d3k_parallel(threads, Int64(counts.runs.count), add, counts.runs.baseAddress)
  }

  @Test("every index is run once", arguments: [Int32(-1), 0, 1, 2, 3, 5, 64, 1000])
  func once(_ threads: Int32) {
    for count in [0, 1, 2, 7, 64, 1001] {
      let counts = Counts(count)
      Self.run(threads, counts)
      #expect(counts.areAll(1), "\(count)")
    }
  }

  @Test("callers do not get in each other's way")
  func callers() {
    let jobs = 300
    let counts = (0..<6).map { _ in Counts(50) }
    DispatchQueue.concurrentPerform(iterations: counts.count) { caller in
      let before = d3k_set_priority(Int32(caller % 2) - 1)
      for _ in 0..<jobs { Self.run(Int32(caller + 1), counts[caller]) }
      _ = d3k_set_priority(before)
    }
    for counts in counts { #expect(counts.areAll(jobs)) }
  }

  @Test("work inside work is done by who does the outer")
  func nested() {
    let counts = Counts(10 * 40)
    let body: d3k_body = { context, begin, end in
      let runs = unsafe context.unsafelyUnwrapped.assumingMemoryBound(to: Int.self)
      for outer in Int(begin)..<Int(end) {
        unsafe d3k_parallel(3, 40, ThreadsTests.add, runs + 40 * outer)
      }
    }
    unsafe d3k_parallel(4, 10, body, counts.runs.baseAddress)
    #expect(counts.areAll(1))
  }

  struct Quota: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let groups: String
    let files: [String: String]
    let expected: Int32
  }

  @Test(
    "control groups limit the number of processors",
    arguments: [
      Quota(
        testDescription: "version 2, no limit", groups: "0::/robot\n",
        files: ["robot/cpu.max": "max 100000\n"], expected: .max),
      Quota(
        testDescription: "version 2, one and a half", groups: "0::/robot\n",
        files: ["robot/cpu.max": "150000 100000\n"], expected: 2),
      Quota(
        testDescription: "the group above has less", groups: "0::/robot/camera\n",
        files: ["robot/cpu.max": "100000 100000\n", "robot/camera/cpu.max": "400000 100000\n"],
        expected: 1),
      Quota(
        testDescription: "a container sees its group as the mount", groups: "0::/docker/4711\n",
        files: ["cpu.max": "300000 100000\n"], expected: 3),
      Quota(
        testDescription: "version 1", groups: "9:memory:/robot\n4:cpu,cpuacct:/robot\n0::/\n",
        files: [
          "cpu/robot/cpu.cfs_quota_us": "50000\n", "cpu/robot/cpu.cfs_period_us": "100000\n",
          "cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n",
        ], expected: 1),
      Quota(
        testDescription: "nonsense", groups: "\n:::\n1\n0::/a\nx:cpu:\n",
        files: ["a/cpu.max": "-5 0\n", "cpu.max": "much\n"], expected: .max),
      Quota(testDescription: "no groups", groups: "", files: [:], expected: .max),
    ])
  func quota(_ test: Quota) throws {
    let folder = try TemporaryFolder()
    let groups = folder.url.appending(path: "groups")
    try test.groups.write(to: groups, atomically: true, encoding: .utf8)
    for (path, text) in test.files {
      let url = folder.url.appending(path: path)
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try text.write(to: url, atomically: true, encoding: .utf8)
    }
    #expect(unsafe d3k_processor_quota(groups.path, folder.url.path) == test.expected)
    #expect(unsafe d3k_processor_quota("/nowhere", folder.url.path) == .max)
    #expect(d3k_processor_count() >= 1)
  }
}
