import CDas3
import Das3
import Das3TestSupport
import Foundation
import Testing

/// Damaged bytes in, a status and one line out; what still loads must also run, within its limits.
///
/// Everything happens in child processes: a trap is one failed test, and memory can be measured.
@Suite("Hostile files")
struct HostileFileTests {
  /// Each network suffers 2,500 changes of its bytes or its graph, in groups of one process each.
  static let groupCount = 5
  static let mutationsPerGroup = 500

  @Test("a file cut off at any length is refused")
  func truncated() async {
    await #expect(processExitsWith: .success) {
      ProcessLimits.apply()
      for bytes in HostileFileTests.samples {
        let growth = PeakMemory.growth {
          for length in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 1500)) {
            HostileFileTests.expectHarmless(Array(bytes[..<length]), "cut at \(length)")
          }
          // Fields come in any order, so only the end of the graph and the opset must be missed.
          #expect(TestModel(Array(bytes.dropLast())).status == DAS3_E_FORMAT)
        }
        #expect((growth ?? 0) < HostileFileTests.allowedGrowth)
      }
    }
  }

  @Test("random bytes are refused")
  func random() async {
    await #expect(processExitsWith: .success) {
      ProcessLimits.apply()
      var random = SplitMix64(seed: 3)
      let growth = PeakMemory.growth {
        for length in 0..<2000 {
          let model = TestModel(random.bytes(length))
          #expect(model.status == DAS3_E_FORMAT || model.status == DAS3_E_UNSUPPORTED)
          HostileFileTests.expectConsistent(model, "\(length) random bytes")
        }
      }
      #expect((growth ?? 0) < HostileFileTests.allowedGrowth)
    }
  }

  @Test("damaged bytes do no harm", arguments: samples.indices, 0..<groupCount)
  func damaged(_ sample: Int, _ group: Int) async {
    await #expect(processExitsWith: .success) { [sample = sample as Int, group = group as Int] in
      HostileFileTests.expectHarmless(group) { seed in
        var random = SplitMix64(seed: seed)
        var bytes = HostileFileTests.samples[sample]
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          MutationRecipe.damage(&bytes, seed: random.next())
        }
        return bytes
      }
    }
  }

  @Test("other numbers and connections do no harm", arguments: samples.indices, 0..<groupCount)
  func mutated(_ sample: Int, _ group: Int) async {
    await #expect(processExitsWith: .success) { [sample = sample as Int, group = group as Int] in
      HostileFileTests.expectHarmless(group) { seed in
        var random = SplitMix64(seed: seed)
        let count = Int.random(in: 1...3, using: &random)
        let seeds = (0..<count).map { _ in random.next() | 1 }  // odd: of the graph, not of bytes
        return MutationRecipe(choice: UInt8(sample), seeds: seeds).serialized()
      }
    }
  }

  @Test("what a fuzzer kept does no harm")
  func corpus() async throws {
    let file = SharedData.package.appending(path: "Tests/Fuzz/corpus.txt")
    let recipes = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
    #expect(recipes.count > 100)
    await #expect(processExitsWith: .success) { [recipes = recipes.map(String.init) as [String]] in
      ProcessLimits.apply()
      for recipe in recipes {
        let bytes = MutationRecipe(hexadecimal: recipe).serialized()
        HostileFileTests.expectHarmless(bytes, "\(recipe)")
      }
    }
  }

  @Test("memory is really measured: the bound of the others means something")
  func measurement() async {
    await #expect(processExitsWith: .success) {
      let growth = PeakMemory.growth { _ = [UInt8](repeating: 1, count: 64 << 20).max() }
      #expect((growth ?? 0) >= 64 << 20)
      #expect((PeakMemory.growth {} ?? .max) < 16 << 20)
    }
  }

  @Test("all networks load and run when nothing is damaged")
  func unharmed() {
    for bytes in Self.samples {
      let model = TestModel(bytes)
      #expect(model.status == DAS3_OK, "\(model.message)")
      let segmenter = TestSegmenter(model)
      #expect(segmenter.status == DAS3_OK, "\(segmenter.message)")
      #expect(segmenter.labels(Self.frame) != nil, "\(lastError())")
    }
  }

  static let samples = MutationRecipe.samples.map { $0.serialized() }
  static let frame = PictureContent(width: 24, height: 16).rgb8()
  /// What a damaged file of a few kilobytes may need: the memory limit below, constants of shape
  /// arithmetic (256 MiB), and what libraries keep.
  static let allowedGrowth = 512 << 20

  /// Tries the files of one group; seeds count through all groups.
  static func expectHarmless(_ group: Int, _ bytes: (UInt64) -> [UInt8]) {
    ProcessLimits.apply()
    var runCount = 0
    let growth = PeakMemory.growth {
      for seed in group * mutationsPerGroup..<(group + 1) * mutationsPerGroup {
        if expectHarmless(bytes(UInt64(seed)), "seed \(seed)") { runCount += 1 }
      }
    }
    #expect((growth ?? 0) < allowedGrowth)
    // Were all refused at the door, the test would prove little.
    #expect(runCount > mutationsPerGroup / 20)
  }

  /// Loads; what loads is prepared, run on a small frame, and adapted to it by one step.
  ///
  /// Returns whether it came as far as labels.
  @discardableResult
  static func expectHarmless(_ bytes: [UInt8], _ comment: Comment) -> Bool {
    var options = TestModel.options()
    options.max_bytes = 16 << 20
    options.max_milliseconds = 10_000
    let model = TestModel(bytes, options: options)
    expectConsistent(model, comment)
    guard model.status == DAS3_OK else { return false }
    var request = TestSegmenter.options()
    request.memory_limit = 64 << 20
    let segmenter = TestSegmenter(model, options: request)
    #expect((segmenter.handle != nil) == (segmenter.status == DAS3_OK), comment)
    #expect(isOneLine(segmenter.message) == (segmenter.status != DAS3_OK), comment)
    guard segmenter.status == DAS3_OK else { return false }
    let isLabelled = segmenter.labels(frame) != nil
    #expect(isOneLine(lastError()) != isLabelled, comment)
    expectHarmlessStep(model, comment)
    return isLabelled
  }

  private static func expectHarmlessStep(_ model: TestModel, _ comment: Comment) {
    let adapter = TestAdapter(of: model) {
      ($0.height, $0.width, $0.threads) = (0, 0, 1)
      $0.memory_limit = 64 << 20
    }
    #expect((adapter.handle != nil) == (adapter.status == DAS3_OK), comment)
    guard adapter.status == DAS3_OK, adapter.add(frame) == DAS3_OK else {
      return #expect(isOneLine(lastError()), comment)
    }
    var report = das3_adapter_report()
    report.struct_size = UInt32(MemoryLayout<das3_adapter_report>.size)
    let status = das3_adapter_step(adapter.handle, &report)
    #expect(status > DAS3_E_INTERNAL && isOneLine(lastError()) == (status != DAS3_OK), comment)
  }

  /// A failure leaves NULL and says why in one line; a success leaves a handle and no message.
  static func expectConsistent(_ model: TestModel, _ comment: Comment) {
    #expect((model.handle != nil) == (model.status == DAS3_OK), comment)
    #expect(model.status <= 0 && model.status > DAS3_E_INTERNAL, comment)
    #expect(isOneLine(model.message) == (model.status != DAS3_OK), comment)
  }

  static func isOneLine(_ message: String) -> Bool {
    !message.isEmpty && message.allSatisfy { !$0.isNewline }
  }
}
