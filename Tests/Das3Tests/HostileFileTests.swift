import CDas3
import Das3
import Das3TestSupport
import Testing

/// Damaged bytes in, a status and one line out; what still loads must also run, within its limits.
///
/// Everything happens in child processes: a trap is one failed test, and memory can be measured.
@Suite("Hostile files")
struct HostileFileTests {
  /// Each of the two networks suffers 5,000 mutations, in groups of one process each.
  static let groupCount = 10
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

  @Test("damaged bytes of a convolution network do no harm", arguments: 0..<groupCount)
  func damagedConvolutional(_ group: Int) async {
    await #expect(processExitsWith: .success) { [group = group as Int] in
      HostileFileTests.expectHarmless(group) {
        HostileFileTests.damaged(HostileFileTests.samples[0], seed: $0)
      }
    }
  }

  @Test("damaged bytes of shape arithmetic do no harm", arguments: 0..<groupCount)
  func damagedShapeArithmetic(_ group: Int) async {
    await #expect(processExitsWith: .success) { [group = group as Int] in
      HostileFileTests.expectHarmless(group) {
        HostileFileTests.damaged(HostileFileTests.samples[1], seed: $0)
      }
    }
  }

  @Test(
    "other numbers and connections in a convolution network do no harm", arguments: 0..<groupCount)
  func mutatedConvolutional(_ group: Int) async {
    await #expect(processExitsWith: .success) { [group = group as Int] in
      HostileFileTests.expectHarmless(group) {
        GraphMutator(SampleModels.convolutional(), seed: $0).model.serialized()
      }
    }
  }

  @Test("other numbers and connections in shape arithmetic do no harm", arguments: 0..<groupCount)
  func mutatedShapeArithmetic(_ group: Int) async {
    await #expect(processExitsWith: .success) { [group = group as Int] in
      HostileFileTests.expectHarmless(group) {
        GraphMutator(SampleModels.shapeArithmetic(), seed: $0).model.serialized()
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

  @Test("both networks load and run when nothing is damaged")
  func unharmed() {
    for bytes in Self.samples {
      let model = TestModel(bytes)
      #expect(model.status == DAS3_OK, "\(model.message)")
      let segmenter = TestSegmenter(model)
      #expect(segmenter.status == DAS3_OK, "\(segmenter.message)")
      #expect(segmenter.labels(Self.frame) != nil, "\(lastError())")
    }
  }

  static let samples = [
    SampleModels.convolutional().serialized(), SampleModels.shapeArithmetic().serialized(),
  ]
  static let frame = PictureContent(width: 24, height: 16).rgb8()
  /// What a damaged file of a few kilobytes may need: the memory limit below, constants of shape
  /// arithmetic (256 MiB), and what libraries keep.
  static let allowedGrowth = 512 << 20

  /// Flips bits, overwrites, inserts and removes bytes: one to three at a time.
  static func damaged(_ bytes: [UInt8], seed: UInt64) -> [UInt8] {
    var random = SplitMix64(seed: seed)
    var damaged = bytes
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let place = Int.random(in: 0..<damaged.count, using: &random)
      switch Int.random(in: 0..<8, using: &random) {
      case 0: damaged.insert(UInt8.random(in: 0...255, using: &random), at: place)
      case 1: damaged.remove(at: place)
      case 2: damaged[place] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &random) ?? 0
      case 3: damaged[place] = UInt8.random(in: 0...255, using: &random)
      default: damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
    }
    return damaged
  }

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

  /// Loads; what loads is prepared and run on a small frame.
  ///
  /// Returns whether it came so far.
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
    guard segmenter.labels(frame) == nil else { return true }
    #expect(isOneLine(lastError()), comment)
    return false
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
