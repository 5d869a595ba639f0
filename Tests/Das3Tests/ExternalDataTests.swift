import CDas3
import Das3
import Das3TestSupport
import Foundation
import Testing

/// Weights in a file beside the model, good and hostile: only plain files inside the model's own
/// directory are read.
@Suite("External data")
struct ExternalDataTests {
  let folder: TemporaryFolder
  /// What lies outside and must not be reached.
  let outside: TemporaryFolder
  static let weights = SplitMix64.floats(seed: 5, count: 9)

  init() throws {
    folder = try TemporaryFolder()
    outside = try TemporaryFolder()
    let bytes = OnnxTensor.bytes(Self.weights)
    try folder.write(bytes, to: "w.bin")
    try folder.write([1, 2, 3, 4] + bytes, to: "inner/deeper/w.bin")
    try outside.write(bytes, to: "w.bin")
  }

  /// A 1×1 convolution whose weights are the external entries.
  static func model(_ entries: [(key: String, value: String)]) -> [UInt8] {
    var model = OnnxWriter()
    model.input("x", [1, 3, 8, 8])
    model.initializers = [
      OnnxTensor("w", type: OnnxTensor.float32, [3, 3, 1, 1], .external(entries))
    ]
    model.node("Conv", ["x", "w"], ["y"])
    model.output("y", [1, 3, 8, 8])
    return model.serialized()
  }

  private func load(
    _ location: String, offset: String? = nil, length: String? = nil,
    options: das3_model_options? = nil
  ) throws -> TestModel {
    var entries = [(key: "location", value: location)]
    if let offset { entries.append(("offset", offset)) }
    if let length { entries.append(("length", length)) }
    try folder.write(Self.model(entries), to: "model.onnx")
    return TestModel(path: folder.path("model.onnx"), options: options)
  }

  private func expectRefused(
    _ model: TestModel, _ statuses: [Int] = [Int(DAS3_E_IO)],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(
      statuses.contains(Int(model.status)), "\(model.message)", sourceLocation: sourceLocation)
    #expect(model.handle == nil, sourceLocation: sourceLocation)
    #expect(HostileFileTests.isOneLine(model.message), sourceLocation: sourceLocation)
  }

  @Test("a file beside the model or deeper gives the same labels as weights inside")
  func good() throws {
    var inside = OnnxWriter()
    inside.input("x", [1, 3, 8, 8])
    inside.floats("w", [3, 3, 1, 1], Self.weights)
    inside.node("Conv", ["x", "w"], ["y"])
    inside.output("y", [1, 3, 8, 8])
    let picture = PictureContent(width: 8, height: 8).rgb8()
    let expected = TestSegmenter(TestModel(inside.serialized())).labels(picture)
    #expect(expected != nil)
    for model in [
      try load("w.bin"), try load("w.bin", offset: "0", length: "36"),
      try load("inner/deeper/w.bin", offset: "4"),
    ] {
      #expect(model.status == DAS3_OK, "\(model.message)")
      #expect(TestSegmenter(model).labels(picture) == expected)
    }
  }

  @Test("a path that leads out of the directory is refused")
  func pathsOutside() throws {
    let name = outside.url.lastPathComponent
    for location in [
      "../\(name)/w.bin", "inner/../../\(name)/w.bin", outside.path("w.bin"), "..", ".", "/", "//",
      "inner/../w.bin", "./w.bin", "inner//deeper/w.bin", "w.bin/", "..\\w.bin",
      String(repeating: "a/", count: 5000) + "w.bin", String(repeating: "a", count: 100_000),
    ] {
      expectRefused(try load(location))
    }
  }

  @Test("links are refused, to files, to directories, symbolic and hard")
  func links() throws {
    let files = FileManager.default
    try files.createSymbolicLink(
      atPath: folder.path("link.bin"), withDestinationPath: outside.path("w.bin"))
    try files.createSymbolicLink(
      atPath: folder.path("near.bin"), withDestinationPath: folder.path("w.bin"))
    try files.createSymbolicLink(
      atPath: folder.path("linked"), withDestinationPath: outside.url.path)
    try files.linkItem(atPath: outside.path("w.bin"), toPath: folder.path("hard.bin"))
    for location in ["link.bin", "near.bin", "linked/w.bin", "hard.bin"] {
      expectRefused(try load(location))
    }
  }

  @Test("nothing outside the directory is opened, not even to look")
  func opensNothingOutside() throws {
    let watch = try #require(OpenWatch(outside.url))
    _ = try Data(contentsOf: outside.url.appending(path: "w.bin"))
    try #require(watch.hasSeenOpening)
    let files = FileManager.default
    try files.createSymbolicLink(
      atPath: folder.path("link.bin"), withDestinationPath: outside.path("w.bin"))
    try files.createSymbolicLink(
      atPath: folder.path("linked"), withDestinationPath: outside.url.path)
    _ = watch.hasSeenOpening
    let name = outside.url.lastPathComponent
    for location in ["../\(name)/w.bin", outside.path("w.bin"), "link.bin", "linked/w.bin"] {
      expectRefused(try load(location))
    }
    #expect(!watch.hasSeenOpening)
  }

  @Test("what is no regular file is refused without waiting for it")
  func specialFiles() throws {
    #expect(mkfifo(folder.path("pipe"), 0o600) == 0)
    for location in ["pipe", "inner", "missing.bin", "inner/missing.bin", "w.bin/w.bin"] {
      expectRefused(try load(location))
    }
    var options = TestModel.options()
    let entries = [(key: "location", value: "zero")]
    "/dev".withCString { directory in
      options.external_directory = directory
      expectRefused(TestModel(Self.model(entries), options: options))
    }
  }

  @Test("offsets and lengths that do not fit the file are refused")
  func ranges() throws {
    let io = [Int(DAS3_E_IO), Int(DAS3_E_FORMAT)]
    for offset in [
      "1", "36", "1000", "-1", "-36", "9223372036854775807", "9223372036854775771",
      "9223372036854775808", "99999999999999999999", "", " 0", "0x0", "1e1", "0.0", "zero",
    ] {
      expectRefused(try load("w.bin", offset: offset), io)
    }
    for length in ["35", "37", "0", "-1", "9223372036854775807", "x"] {
      expectRefused(try load("w.bin", length: length), io)
    }
  }

  @Test("entries that are missing, empty or there twice are refused")
  func entries() throws {
    for entries in [
      [], [("location", "")], [("offset", "0")], [("location", "w.bin"), ("location", "w.bin")],
      [("location", "w.bin"), ("offset", "0"), ("offset", "4")], [("location", "w.bin\0.txt")],
    ] as [[(key: String, value: String)]] {
      try folder.write(Self.model(entries), to: "model.onnx")
      expectRefused(TestModel(path: folder.path("model.onnx")), [Int(DAS3_E_FORMAT)])
    }
  }

  @Test("the policy and the missing directory of bytes refuse it too")
  func policy() throws {
    var options = TestModel.options()
    options.external_data = DAS3_EXTERNAL_DATA_REFUSE.rawValue
    expectRefused(try load("w.bin", options: options))
    let bytes = Self.model([("location", "w.bin")])
    expectRefused(TestModel(bytes))
    options = TestModel.options()
    folder.url.path.withCString { directory in
      options.external_directory = directory
      #expect(TestModel(bytes, options: options).status == DAS3_OK)
      options.external_data = DAS3_EXTERNAL_DATA_REFUSE.rawValue
      expectRefused(TestModel(bytes, options: options))
    }
    folder.path("missing").withCString { directory in
      options = TestModel.options()
      options.external_directory = directory
      expectRefused(TestModel(bytes, options: options))
    }
  }

  @Test("a tensor larger than the limit is refused before its file is opened")
  func size() throws {
    var model = OnnxWriter()
    model.input("x", [1, 3, 8, 8])
    model.initializers = [OnnxTensor("w", [1 << 20, 1 << 20], location: "w.bin")]
    model.node("Add", ["x", "w"], ["y"])
    model.output("y", [1, 3, 8, 8])
    try folder.write(model.serialized(), to: "model.onnx")
    expectRefused(TestModel(path: folder.path("model.onnx")), [Int(DAS3_E_LIMIT)])
    var options = TestModel.options()
    options.max_bytes = 35
    expectRefused(try load("w.bin", options: options), [Int(DAS3_E_LIMIT)])
  }
}

extension SplitMix64 {
  static func floats(seed: UInt64, count: Int) -> [Float] {
    var random = SplitMix64(seed: seed)
    return random.floats(count)
  }
}
