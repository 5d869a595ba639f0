import Das3Graph
import Das3Runtime
import Das3TestSupport
import Foundation
import Testing

/// A model with statistics of scenes labels each frame as the plain model with those of its scene.
@Suite("Scenes of a segmenter")
struct SceneSegmenterTests {
  private static let (height, width) = (32, 48)
  private static let options = ExecutionOptions(threads: 1)
  /// Bytes of a plan that is larger than it says: arenas are never empty.
  private static let slack = 64

  private let base: SegmentationModel
  private let bank: SceneBank
  private var model: SegmentationModel { with(bank) }

  init() throws {
    let base = try Self.load(SampleModels.convolutional().serialized())
    self.base = base
    let plain = base.onnx.statisticRanges.flatMap { base.onnx.weights[$0] }
    bank = SceneBank(
      map: SceneMap(
        centres: [[30, 30, 30, 10, 10, 10], [200, 200, 200, 20, 20, 20]],
        scales: [50, 50, 50, 10, 10, 10]),
      // Far enough from the plain ones to change labels.
      frameCounts: [12, 30],
      statistics: [plain.map { 0.25 * $0 + 0.01 }, plain.map { 3 * $0 + 0.5 }])
  }

  private static func load(_ bytes: [UInt8]) throws -> SegmentationModel {
    let onnx = try bytes.withUnsafeBytes { bytes in
      try OnnxImport.load(bytes: bytes, directory: nil, limits: OnnxImport.Limits())
    }
    return try SegmentationModel(
      onnx, metadata: Metadata([Metadata.json(ofFile: onnx.metadata)]))
  }

  private func with(_ scenes: SceneBank?) -> SegmentationModel {
    SegmentationModel(base, base.onnx, scenes: scenes)
  }

  /// The plain network with the statistics of one scene.
  private func plain(ofScene scene: Int) throws -> SegmentationModel {
    try SegmentationModel(
      base, weights: model.weights(ofScene: scene), provenance: Provenance(method: "parameters"))
  }

  private func segmenter(
    _ model: SegmentationModel, limit: UInt64 = 0, usesScenes: Bool = true,
    _ options: ExecutionOptions = options
  ) throws -> Segmenter {
    try Segmenter(
      model, size: (Self.height, Self.width), options: options, memoryLimit: limit,
      usesScenes: usesScenes)
  }

  /// Pixels around a level.
  private func frame(_ level: UInt8, seed: UInt64) -> [UInt8] {
    SplitMix64(seed: seed).bytes(Self.height * Self.width * 3, level)
  }

  private func labels(_ segmenter: Segmenter, _ pixels: [UInt8]) throws -> [UInt8] {
    var labels = [UInt8](repeating: 254, count: Self.height * Self.width)
    try pixels.withUnsafeBytes { data in
      let start = try #require(data.baseAddress)
      let frame = try Frame(
        data: start, height: Self.height, width: Self.width, strideBytes: 0,
        format: Frame.Format.rgb8.rawValue)
      try labels.withUnsafeMutableBufferPointer { buffer in
        try segmenter.segment(
          frame,
          into: Segmenter.Results(
            labels: buffer.baseAddress, confidence: nil, entropy: nil, probabilities: nil))
      }
    }
    return labels
  }

  @Test(
    "frames in turns have the labels of their scene, in every precision",
    arguments: [ExecutionOptions.Precision.f32, .bf16, .f32Direct], [1, 2])
  func turns(_ precision: ExecutionOptions.Precision, _ threads: Int) throws {
    var options = ExecutionOptions(threads: threads)
    options.precision = precision
    let whole = try segmenter(model, options)
    let parts = try (0..<2).map { try segmenter(plain(ofScene: $0), options) }
    let single = try segmenter(model, usesScenes: false, options)
    let ordinary = try segmenter(base, options)
    var differing = 0
    for turn in 0..<6 {
      let pixels = frame(turn % 2 == 0 ? 30 : 200, seed: UInt64(turn))
      let found = try labels(whole, pixels)
      #expect(whole.scene == turn % 2 && whole.sceneCount == 2)
      #expect(try found == labels(parts[turn % 2], pixels))
      #expect(try labels(single, pixels) == labels(ordinary, pixels))
      #expect(single.scene == nil && single.sceneCount == 0)
      differing += try found == labels(ordinary, pixels) ? 0 : 1
    }
    #expect(differing > 0)
  }

  @Test("models with and without scenes take turns, prepared or not")
  func exchange() throws {
    for isPrepared in [false, true] {
      let segmenter = try segmenter(base)
      _ = try labels(segmenter, frame(30, seed: 1))
      for (turn, next) in [model, base, model, try plain(ofScene: 1), model].enumerated() {
        if isPrepared { try segmenter.prepare(next) }
        try segmenter.setModel(next)
        for level: UInt8 in [30, 200] {
          let pixels = frame(level, seed: UInt64(turn))
          #expect(try labels(segmenter, pixels) == labels(self.segmenter(next), pixels))
        }
      }
    }
  }

  @Test("memory counts every set; a limit without room for all says how much without scenes")
  func memory() throws {
    let (single, double) = (try segmenter(base).byteCount, try segmenter(model).byteCount)
    #expect(double > single)
    #expect(try segmenter(model, limit: UInt64(double)).byteCount == double)
    do {
      _ = try segmenter(model, limit: UInt64(double - Self.slack))
      Issue.record("the limit was not kept")
    } catch let error as Das3Error {
      #expect(error.code == .memory)
      let numbers = error.message.split { !$0.isNumber }.compactMap { Int($0) }
      let expected = [2, double, double - Self.slack, single]
      #expect(numbers.count == 4 && zip(numbers, expected).allSatisfy { abs($0 - $1) < Self.slack })
      #expect(error.message.contains("Without scenes"), "\(error.message)")
    }
    #expect(
      try segmenter(model, limit: UInt64(single), usesScenes: false).byteCount == single)
  }

  // MARK: Files

  private func saved(_ model: SegmentationModel) throws -> [UInt8] {
    let folder = try TemporaryFolder()
    try model.save(to: folder.path("model.onnx"), version: "test")
    return [UInt8](try Data(contentsOf: folder.url.appending(path: "model.onnx")))
  }

  @Test("a saved bank is read back; weights without it forget it")
  func files() throws {
    let read = try Self.load(saved(model))
    #expect(read.scenes == bank && read.sceneDoubt == nil)
    #expect(read.onnx.weights == base.onnx.weights)
    // The same once more, from a file that has one.
    #expect(try Self.load(saved(read)).scenes == bank)
    let changed = try SegmentationModel(
      read, weights: read.onnx.weights.map { 2 * $0 }, provenance: Provenance(method: "merge"))
    let forgotten = try Self.load(saved(changed))
    #expect(forgotten.scenes == nil && forgotten.sceneDoubt == nil)
  }

  @Test("a bank that was damaged, or is of other weights, is left out with the reason")
  func damaged() throws {
    let bytes = try saved(model)
    func doubt(_ change: (inout [UInt8]) -> Void) throws -> String {
      var bytes = bytes
      change(&bytes)
      let model = try Self.load(bytes)
      #expect(model.scenes == nil)
      return model.sceneDoubt ?? "none"
    }
    func replace(_ old: String, _ new: String, in bytes: inout [UInt8]) {
      let (old, new) = (Array(old.utf8), Array(new.utf8))
      #expect(old.count == new.count)
      let places = bytes.indices.filter { bytes[$0...].starts(with: old) }
      #expect(!places.isEmpty)
      for place in places { bytes.replaceSubrange(place..<place + old.count, with: new) }
    }
    for (old, new, words) in [
      ("\"version\":1", "\"version\":2", "version 2; expected 1"),
      ("\"version\":1", "\"version\"=1", "no JSON object"),
      ("\"frames\":[12", "\"frames\":[-2", "incomplete"),
      ("\"scales\":[50", "\"scales\":[-5", "incomplete"),
      ("das3.scenes.1", "das3.scenes.9", "scene 1 has 0 statistics"),
      ("\"centres\":[[30", "\"centres\":[[31", "changed"),
    ] {
      let found = try doubt { replace(old, new, in: &$0) }
      #expect(found.contains(words), "\(new): \(found)")
      #expect(found.contains("its plain network is") && !found.contains("\n"))
    }
    // One weight of the file, which the statistics do not belong to any more.
    let first = base.onnx.weights[0]
    let other = try doubt { bytes in
      let old = OnnxTensor.bytes([first, base.onnx.weights[1], base.onnx.weights[2]])
      let places = bytes.indices.filter { bytes[$0...].starts(with: old) }
      #expect(places.count == 1)
      for place in places {
        bytes.replaceSubrange(place..<place + 4, with: OnnxTensor.bytes([first + 1]))
      }
    }
    #expect(other.contains("changed since"), "\(other)")
  }
}

extension SplitMix64 {
  /// Bytes within 16 of a level.
  fileprivate func bytes(_ count: Int, _ level: UInt8) -> [UInt8] {
    var random = self
    return (0..<count).map { _ in level + UInt8(truncatingIfNeeded: random.next() % 16) }
  }
}
