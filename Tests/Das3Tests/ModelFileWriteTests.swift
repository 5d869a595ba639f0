import CDas3
import Das3
import Das3TestSupport
import Foundation
import Testing

/// Where a model may be saved: the file is there whole, or what was there before.
@Suite("Model file writing")
struct ModelFileWriteTests {
  let saved: SavedModel
  let model = ArgumentTests.model

  init() throws { saved = try SavedModel() }

  private func expectRefused(
    _ path: String, _ expected: Int = Int(DAS3_E_IO), model: TestModel? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let status = das3_model_save((model ?? self.model).handle, path)
    let message = lastError()
    #expect(status == das3_status(expected), "\(message)", sourceLocation: sourceLocation)
    #expect(HostileFileTests.isOneLine(message), sourceLocation: sourceLocation)
    if !path.isEmpty, path.utf8.count < 80 {
      #expect(message.contains(path), "\(message)", sourceLocation: sourceLocation)
    }
  }

  @Test("a path that cannot become a file is refused by name and leaves nothing")
  func refusedPaths() throws {
    try saved.folder.write([1], to: "file")
    #expect(mkfifo(saved.folder.path("pipe"), 0o600) == 0)
    try FileManager.default.createSymbolicLink(
      atPath: saved.folder.path("dangling"), withDestinationPath: "nowhere")
    try FileManager.default.createSymbolicLink(
      atPath: saved.folder.path("null"), withDestinationPath: "/dev/null")
    let before = saved.names
    for path in [
      saved.folder.url.path, saved.folder.url.path + "/", saved.folder.path("missing/net.onnx"),
      saved.folder.path("file/net.onnx"), saved.folder.path("pipe"), "/dev/null", "/dev/full",
      "/dev/stdout", ".", "..", "/", saved.folder.path("dangling"), saved.folder.path("null"),
      "/proc/das3.onnx", "/sys/das3.onnx", saved.folder.path(String(repeating: "a", count: 300)),
      "/" + String(repeating: "a/", count: 5000),
    ] {
      expectRefused(path)
    }
    expectRefused("", Int(DAS3_E_ARGUMENT))
    #expect(das3_model_save(model.handle, [CChar](arrayLiteral: -1, 47, -2, 0)) == DAS3_E_ARGUMENT)
    #expect(saved.names == before)
    #expect(FileManager.default.fileExists(atPath: "/dev/null"))
  }

  @Test("an existing file is replaced and keeps its permissions; a link leads to its file")
  func replaces() throws {
    let files = FileManager.default
    try saved.folder.write([1, 2, 3], to: "net.onnx")
    #expect(chmod(saved.folder.path("net.onnx"), 0o640) == 0)
    try files.createSymbolicLink(
      atPath: saved.folder.path("link.onnx"), withDestinationPath: "net.onnx")
    #expect(try saved.bytes(model, "link.onnx") == ArgumentTests.bytes)
    #expect([UInt8](try Data(contentsOf: saved.folder.url.appending(path: "net.onnx"))).count > 3)
    let attributes = try files.attributesOfItem(atPath: saved.folder.path("net.onnx"))
    #expect(attributes[.posixPermissions] as? Int == 0o640)
    let link = try files.destinationOfSymbolicLink(atPath: saved.folder.path("link.onnx"))
    #expect(link == "net.onnx")
    #expect(saved.names == ["link.onnx", "net.onnx"])
  }

  @Test("a model can be saved over the file it came from")
  func overItself() throws {
    try saved.folder.write(ArgumentTests.bytes, to: "net.onnx")
    let model = TestModel(path: saved.folder.path("net.onnx"))
    #expect(try saved.bytes(model.with(model.parameters), "net.onnx").count > 100)
    #expect(try saved.bytes(model, "net.onnx") == ArgumentTests.bytes)
  }

  @Test("a path without a folder is in the current one")
  func relative() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      #expect(chdir(folder.url.path) == 0)
      #expect(das3_model_save(ArgumentTests.model.handle, "net.onnx") == DAS3_OK)
      #expect(TestModel(path: folder.path("net.onnx")).status == DAS3_OK)
    }
  }

  @Test("where files may not grow so far the process lives and the old file stays")
  func fileSizeLimit() async {
    await #expect(processExitsWith: .success) {
      let saved = try SavedModel()
      try saved.folder.write([1, 2, 3], to: "net.onnx")
      var limit = rlimit(rlim_cur: 1000, rlim_max: 1000)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      #expect(
        das3_model_save(ArgumentTests.model.handle, saved.folder.path("net.onnx")) == DAS3_E_IO)
      let left = try Data(contentsOf: saved.folder.url.appending(path: "net.onnx"))
      #expect(left == Data([1, 2, 3]) && saved.names == ["net.onnx"])
    }
  }

  @Test("what a killed process has left half written goes; what somebody holds or else stays")
  func abandoned() throws {
    let others = [".das3-1-2.tmp.bak", ".das3-1-x.tmp", ".das3-1.tmp", "das3-1-2.tmp"]
    for name in others + [".das3-1-2.tmp", ".das3-4000000000-17.tmp", ".das3-1-3.tmp"] {
      try saved.folder.write([1], to: name)
    }
    try saved.folder.write([1], to: ".das3-5-5.tmp/file")
    try FileManager.default.createSymbolicLink(
      atPath: saved.folder.path(".das3-6-6.tmp"), withDestinationPath: "das3-1-2.tmp")
    let held = open(saved.folder.path(".das3-1-3.tmp"), O_RDONLY)
    #expect(flock(held, LOCK_EX) == 0)
    #expect(try saved.bytes(model, "net.onnx").count > 3)
    let kept = others + [".das3-1-3.tmp", ".das3-5-5.tmp", ".das3-6-6.tmp", "net.onnx"]
    #expect(Set(saved.names) == Set(kept))
    close(held)
    #expect(try saved.bytes(model, "net.onnx").count > 3)
    #expect(Set(saved.names) == Set(kept).subtracting([".das3-1-3.tmp"]))
  }

  @Test("threads save and segment with one model side by side")
  func sideBySide() throws {
    let picture = PictureContent(width: 24, height: 16).rgb8()
    let expected = TestSegmenter(model).labels(picture)
    let derived = model.with(model.parameters.map { $0 * 2 })
    let bytes = try saved.bytes(derived)
    let mailbox = Mailbox()
    let (folder, model) = (saved.folder.url, model)
    DispatchQueue.concurrentPerform(iterations: 12) { index in
      let path = folder.appending(path: "same.onnx").path
      for _ in 0..<5 {
        if index % 2 == 0 {
          let fresh = model.with(model.parameters.map { $0 * 2 })
          let status = das3_model_save(index % 4 == 0 ? fresh.handle : derived.handle, path)
          // Whoever comes last, the file is always whole.
          let found = (try? Data(contentsOf: folder.appending(path: "same.onnx"))).map(Array.init)
          if status != DAS3_OK || found != bytes { mailbox.add("saved \(status)") }
        } else if TestSegmenter(model).labels(picture) != expected {
          mailbox.add("labels differ")
        }
      }
    }
    #expect(mailbox.texts == [])
    #expect(saved.names == ["same.onnx", "saved.onnx"])
  }
}
