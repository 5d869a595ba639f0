import CDas3
import Das3
import Das3TestSupport
import Foundation
import Testing

/// A process that may have little memory (`ulimit -v`): a status, and the process lives.
@Suite("Address space")
struct AddressSpaceTests {
  /// 38 MB of weights in one convolution.
  private static func large() -> [UInt8] {
    var writer = OnnxWriter()
    writer.input("x", [1, 3, 16, 16])
    for (name, dims) in [
      ("a", [1024, 3, 1, 1]), ("b", [1024, 1024, 3, 3]), ("c", [5, 1024, 1, 1]),
    ] {
      let count = dims.reduce(1, *)
      writer.floats(name, dims, [Float](repeating: 1 / Float(count), count: count))
    }
    writer.node("Conv", ["x", "a"], ["p"])
    writer.node("Conv", ["p", "b"], ["q"], ["pads": .ints([1, 1, 1, 1])])
    writer.node("Relu", ["q"], ["r"])
    writer.node("Conv", ["r", "c"], ["y"])
    writer.output("y", [1, 5, 16, 16])
    return writer.serialized()
  }

  private static func limit(_ bytes: UInt) {
    var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t.max)
    setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
  }

  /// Bytes of address space in use.
  private static var inUse: UInt {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    return (text.split(separator: " ").first.flatMap { UInt($0) } ?? 0) * UInt(getpagesize())
  }

  /// All that takes memory, until something fails; the statuses.
  private static func round(_ bytes: [UInt8], _ path: String) -> [das3_status] {
    let model = TestModel(bytes)
    var statuses = [model.status]
    guard model.handle != nil else { return statuses }
    func change(_ options: inout das3_adapter_options) {
      (options.height, options.width, options.threads) = (16, 16, 1)
      options.stages = nil
      (options.steps_a, options.steps_b, options.steps_c) = (1, 1, 1)
    }
    let adapter = TestAdapter(of: model, change)
    statuses.append(adapter.status)
    guard adapter.handle != nil else { return statuses }
    statuses.append(adapter.add(PictureContent(width: 1600, height: 1200).rgb8()))
    statuses.append(adapter.run())
    statuses.append(das3_adapter_save(adapter.handle, path))
    let better = adapter.snapshot
    statuses.append(better.status)
    if better.handle != nil { statuses.append(das3_model_save(better.handle, path + ".onnx")) }
    let other = TestAdapter(of: model, change)
    statuses.append(other.status)
    guard other.handle != nil else { return statuses }
    statuses.append(other.add(PictureContent(width: 1600, height: 1200).rgb8()))
    statuses.append(das3_adapter_resume(other.handle, path))
    return statuses
  }

  @Test("at any limit each call succeeds or has no memory")
  func anyLimit() async {
    await #expect(processExitsWith: .success) {
      alarm(600)
      guard let folder = try? TemporaryFolder() else { exit(3) }
      let bytes = Self.large()
      let path = folder.path("run.das3")
      // What is made once is there, and what a round leaves to the allocator.
      let whole = Self.round(bytes, path)
      #expect(whole.count == 10 && whole.allSatisfy { $0 == DAS3_OK }, "\(whole)")
      let base = Self.inUse
      var last = 0
      for megabytes in stride(from: 24, to: 900, by: 35) {
        try? FileManager.default.removeItem(atPath: path)
        Self.limit(base + UInt(megabytes) << 20)
        let statuses = Self.round(bytes, path)
        Self.limit(.max)
        let allowed = [DAS3_OK, DAS3_E_MEMORY].map { das3_status($0) }
        // A checkpoint that could not be written cannot be read.
        let isAllowed = statuses.allSatisfy { allowed.contains($0) || $0 == DAS3_E_IO }
        #expect(isAllowed, "\(megabytes) MB: \(statuses) \(lastError())")
        last = statuses.count { $0 == DAS3_OK }
      }
      #expect(last == 10)
    }
  }
}
