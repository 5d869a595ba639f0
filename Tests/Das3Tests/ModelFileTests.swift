import CDas3
import Das3
import Das3TestSupport
import Foundation
import Testing

/// Paths that name no model, and the JSON file beside one that does.
@Suite("Model files")
struct ModelFileTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    var model = SampleModels.convolutional()
    model.metadata = []
    try folder.write(model.serialized(), to: "net.onnx")
  }

  private func className(_ model: TestModel, _ index: Int32) -> String? {
    var entry = das3_class()
    entry.struct_size = UInt32(MemoryLayout<das3_class>.size)
    guard das3_model_get_class(model.handle, index, &entry) == DAS3_OK else { return nil }
    return entry.name.map { String(cString: $0) }
  }

  @Test("a path that is no regular file is refused without waiting for it")
  func noFile() throws {
    #expect(mkfifo(folder.path("pipe.onnx"), 0o600) == 0)
    for path in [
      folder.path("missing.onnx"), folder.url.path, folder.path("pipe.onnx"), "/dev/zero",
      "/dev/null", "/proc/self/mem", folder.path("net.onnx/net.onnx"),
      "/" + String(repeating: "a", count: 10_000), "\u{FFFD}\u{1}\n",
    ] {
      let model = TestModel(path: path)
      #expect(model.status == DAS3_E_IO || model.status == DAS3_E_FORMAT, "\(model.message)")
      #expect(model.handle == nil)
      #expect(HostileFileTests.isOneLine(model.message))
    }
  }

  @Test("an empty file and a file above the limit are refused")
  func sizes() throws {
    try folder.write([], to: "empty.onnx")
    #expect(TestModel(path: folder.path("empty.onnx")).status == DAS3_E_FORMAT)
    var options = TestModel.options()
    options.max_bytes = 1000
    #expect(TestModel(path: folder.path("net.onnx"), options: options).status == DAS3_E_LIMIT)
  }

  @Test("a link to a model is followed: the path is the user's own")
  func link() throws {
    try FileManager.default.createSymbolicLink(
      atPath: folder.path("link.onnx"), withDestinationPath: folder.path("net.onnx"))
    #expect(TestModel(path: folder.path("link.onnx")).status == DAS3_OK)
  }

  @Test("the JSON file beside the model gives class names")
  func sidecar() throws {
    try folder.write(Array(#"{"classes": ["a", "b", "ß", "d", "e"]}"#.utf8), to: "net.json")
    let model = TestModel(path: folder.path("net.onnx"))
    #expect(model.status == DAS3_OK, "\(model.message)")
    #expect(className(model, 2) == "ß")
  }

  @Test("without it classes are numbered")
  func numbered() {
    #expect(className(TestModel(path: folder.path("net.onnx")), 4) == "class 4")
  }

  @Test("a JSON file that names what it should not, or is damaged, is refused by name")
  func damagedSidecar() throws {
    for text in [
      #"{"classes": ["only one"]}"#, #"{"classes": ["a", 3]}"#, #"{"input": {"scale": 0}}"#,
      #"{"input": {"std": [1, 0, 1]}}"#, #"{"input": {"scal": 1, "mean": [0]}}"#,
      #"{"classes": ["a","#,
    ] {
      try folder.write(Array(text.utf8), to: "net.json")
      let model = TestModel(path: folder.path("net.onnx"))
      #expect(model.status == DAS3_E_FORMAT || model.status == DAS3_E_SHAPE, "\(text)")
      #expect(model.handle == nil)
      #expect(HostileFileTests.isOneLine(model.message))
    }
  }

  @Test("a JSON file of another program is ignored")
  func foreignSidecar() throws {
    for text in [
      "{", "[]]", "", "[1, 2]", #"{"classes": 3}"#, #"{"input": []}"#, #"{"input": {"shape": 3}}"#,
      #"{"id2label": {"0": "road"}, "architectures": ["SegFormer"]}"#,
    ] {
      try folder.write(Array(text.utf8), to: "net.json")
      let model = TestModel(path: folder.path("net.onnx"))
      #expect(model.status == DAS3_OK, "\(text): \(model.message)")
      #expect(className(model, 4) == "class 4")
    }
  }

  @Test("a JSON file that cannot be read is an error")
  func unreadableSidecar() throws {
    try folder.write([UInt8](repeating: UInt8(ascii: " "), count: 2 << 20), to: "net.json")
    #expect(TestModel(path: folder.path("net.onnx")).status == DAS3_E_LIMIT)
    try FileManager.default.removeItem(atPath: folder.path("net.json"))
    try FileManager.default.createDirectory(
      atPath: folder.path("net.json"), withIntermediateDirectories: false)
    #expect(TestModel(path: folder.path("net.onnx")).status == DAS3_E_IO)
  }

  @Test("a pipe in place of the JSON file is not waited for")
  func sidecarPipe() throws {
    #expect(mkfifo(folder.path("net.json"), 0o600) == 0)
    let model = TestModel(path: folder.path("net.onnx"))
    #expect(model.status == DAS3_OK || model.handle == nil)
  }
}
