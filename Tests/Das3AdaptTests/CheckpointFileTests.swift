import Das3Adapt
import Das3Graph
import Das3Runtime
import Das3TestSupport
import Foundation
import Testing

/// Checkpoints that were made to deceive: their checksum fits, what they say does not.
@Suite("Checkpoint files")
struct CheckpointFileTests {
  let folder: TemporaryFolder
  let model: SegmentationModel

  init() throws {
    folder = try TemporaryFolder()
    let onnx = try SampleModels.convolutional().serialized().withUnsafeBytes { bytes in
      try OnnxImport.load(bytes: bytes, directory: nil, limits: OnnxImport.Limits())
    }
    model = try SegmentationModel(onnx, metadata: Metadata([]))
  }

  private func run() throws -> Adaptation {
    var settings = AdaptationSettings(
      execution: ExecutionOptions(threads: 1), height: 16, width: 16)
    settings.method = .das3
    settings.rule = .adamW
    settings.a.steps = 4
    settings.b.steps = 8
    settings.c.steps = 4
    let pixels = (0..<16 * 16 * 3).map { UInt8($0 * 7 % 251) }
    let frame = try pixels.withUnsafeBytes { bytes in
      let start = try #require(bytes.baseAddress)
      return StoredFrame(
        try Frame(data: start, height: 16, width: 16, strideBytes: 0, format: 1), channelCount: 3)
    }
    return try Adaptation(
      settings, try settings.trainer(of: model), FrameSet([frame, frame, frame]))
  }

  /// Header and vectors of a checkpoint in the second round of (b).
  private func parts() throws -> (header: String, vectors: [UInt8]) {
    let run = try run()
    for _ in 0..<8 { _ = try run.step() }
    try run.checkpoint.write(to: folder.path("good.das3"))
    let bytes = [UInt8](try Data(contentsOf: folder.url.appending(path: "good.das3")))
    let start = try #require(bytes.firstIndex(of: 10)) + 1
    let length = bytes[start..<start + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = bytes[start + 8..<start + 8 + length]
    return (
      String(decoding: header, as: UTF8.self), Array(bytes[(start + 8 + length)...].dropLast(32))
    )
  }

  /// Writes a file whose checksum fits, and resumes from it.
  private func resume(_ header: String, _ vectors: [UInt8], length: UInt64? = nil) throws {
    var count = length ?? UInt64(header.utf8.count)
    let number = withUnsafeBytes(of: &count) { Array($0) }
    let content = Array("DAS3 checkpoint 5\n".utf8) + number + Array(header.utf8) + vectors
    let parts = [WholeFile.Part.bytes(content), .bytes(WholeFile.digest([.bytes(content)]))]
    try WholeFile.write(parts, to: folder.path("forged.das3"))
    let run = try run()
    try run.resume(Checkpoint(contentsOf: folder.path("forged.das3")))
    while !run.isDone { _ = try run.step() }
  }

  @Test("the same parts put together again are taken")
  func unchanged() throws {
    let (header, vectors) = try parts()
    try resume(header, vectors)
  }

  @Test("one of another version is refused, and says so", arguments: [1, 2, 10])
  func versions(_ version: Int) throws {
    try Data("DAS3 checkpoint \(version)\n and what followed it then".utf8).write(
      to: URL(filePath: folder.path("old.das3")))
    let error = #expect(throws: Das3Error.self) {
      try Checkpoint(contentsOf: folder.path("old.das3"))
    }
    let said = error?.message ?? ""
    #expect(error?.code == .format && said.contains("another version"), "\(said)")
    #expect(said.contains("'DAS3 checkpoint \(version)'"), "\(said)")
  }

  @Test("a header that contradicts itself, the vectors or the run is refused")
  func headers() throws {
    let (header, vectors) = try parts()
    let changes: [(String, String)] = [
      (#""step":4"#, #""step":8"#), (#""step":4"#, #""step":-1"#),
      (#""step":4"#, #""step":1e18"#), (#""step":4"#, #""step":4.5"#),
      (#""phase":1"#, #""phase":2"#), (#""phase":1"#, #""phase":3"#),
      (#""phase":1"#, #""phase":4"#), (#""phase":1"#, #""phase":1e300"#),
      (#""total":8"#, #""total":7"#), (#""total":8"#, #""total":9223372036854774784"#),
      (#""left_out":0"#, #""left_out":9223372036854774784"#), (#""left_out":0"#, #""left_out":1"#),
      (#""learning_rate_scale":"#, #""learning_rate_scale":-"#),
      (#""agreement":"#, #""agreement":1"#),
      (#""optimizer":2"#, #""optimizer":1"#), (#""optimizer":2"#, #""optimizer":-2"#),
      (#""optimizer":2"#, #""optimizer":1e9"#), (#""stage":true"#, #""stage":false"#),
      (#""stage":true"#, #""stage":1"#), (#""vectors":["#, #""vectors":[1,"#),
      (#""vectors":["#, #""vectors":[-1,"#), (#""vectors":["#, #""vectors":[1e18,"#),
      (#""vectors":"#, #""victors":"#), (#""identity":"#, #""entity":"#),
      (#""position":"#, #""petition":"#), ("{", "["), ("}", ""),
    ]
    for (old, new) in changes {
      let place = try #require(header.range(of: old), "\(old) in \(header)")
      let forged = header.replacingCharacters(in: place, with: new)
      let error = #expect(throws: Das3Error.self, "\(new)") { try resume(forged, vectors) }
      #expect(error?.code == .format || error?.code == .argument, "\(new): \(error?.message ?? "")")
    }
    for length: UInt64 in [0, 1, 1 << 32, 1 << 63, .max] {
      let error = #expect(throws: Das3Error.self) { try resume(header, vectors, length: length) }
      #expect(error?.code == .format, "\(length): \(error?.message ?? "")")
    }
  }

  @Test("vectors of other lengths are refused, or do no harm")
  func vectors() throws {
    let (header, vectors) = try parts()
    let start = try #require(header.range(of: #""vectors":["#)?.upperBound)
    let end = try #require(header[start...].firstIndex(of: "]"))
    let counts = header[start..<end].split(separator: ",").compactMap { Int($0) }
    // Weights, momentum, squares, where the stage began, what labelled, no teacher.
    #expect(counts.count == 6 && counts[5] == 0 && Set(counts[..<5]).count == 1)
    for index in counts.indices {
      for count in [0, counts[0] - 1, counts[0] + 1] where count != counts[index] {
        var changed = counts
        changed[index] = count
        let list = changed.map { "\($0)" }.joined(separator: ",")
        let forged = header.replacingCharacters(in: start..<end, with: list)
        let values = [UInt8](repeating: 0, count: 4 * changed.reduce(0, +))
        // What made the labels may be where the stage began.
        if index == 4, count == 0 {
          try resume(forged, values)
        } else {
          let error = #expect(throws: Das3Error.self, "\(list)") { try resume(forged, values) }
          #expect([.format, .argument].contains(error?.code), "\(list): \(error?.message ?? "")")
        }
      }
    }
    // Any bits may be weights: what comes of them is no number, but it comes.
    try resume(header, [UInt8](repeating: 0xFF, count: vectors.count))
  }
}
