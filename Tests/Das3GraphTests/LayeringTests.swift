import Das3TestSupport
import Foundation
import Testing

/// The architecture, read from the sources: who imports whom, where `public` and `unsafe` stand.
@Suite("Layering")
struct LayeringTests {
  /// What each module may import; a module that is not here may not exist.
  static let imports: [String: Set<String>] = [
    "Das3Files": ["CDigest", "Glibc"],
    "Das3Graph": ["COnnx", "CReserve", "Das3Files", "Glibc"],
    "Das3Runtime": ["CKernels", "Das3Graph", "Glibc", "Synchronization"],
    "Das3Adapt": [
      "CKernels", "Das3Files", "Das3Graph", "Das3Runtime", "Glibc", "Synchronization",
    ],
    "Das3": ["CDas3", "Das3Graph", "Das3Runtime", "Das3Adapt", "Glibc", "Synchronization"],
    "das3-run": [
      "CDas3", "CFFmpeg", "CStreet", "ArgumentParser", "Foundation", "Synchronization",
    ],
  ]

  /// Files beside Sources/Das3 that may open a pointer.
  static let unsafeFiles: [String: Set<String>] = [
    "Das3Files": [
      "AtomicFile", "Digest", "FileBytes", "OpenFile", "ReadFile", "ScratchFile", "WholeFile",
    ],
    "Das3Graph": [
      "OnnxImport", "OnnxImport+Records", "OnnxImport+Tensors", "OnnxMessage", "OnnxSource",
      "Deadline", "AddressSpace",
    ],
    "Das3Runtime": [
      "Arena", "Kernel", "Chain", "ChainedKernel", "GradientKernel", "Executor", "Frame",
      "FrameInput", "FramePool", "Profile", "Segmenter", "ChannelsLast", "WeightSet",
      "ZoomedParts", "ImageResize", "FrameMoments",
    ],
    "Das3Adapt": [
      "Losses", "Optimizer", "Trainer", "Trainer+Auxiliary", "Prediction", "FrameMix",
      "PhotometricAugmentation", "RecordStore", "Teacher", "TargetFrames", "MachineMemory",
      "StreamStage", "BackgroundThread", "FourViews", "ImageMix", "SlowCopy",
      "SoftLabels", "Mixup",
    ],
    "das3-run": [
      "AdapterHandle", "AdapterSettings", "AudioTrack", "Das3Run",
      "EvaluatorHandle",
      "Failure", "Folder", "FrameFeed", "Interrupt", "LentBytes", "ModelHandle",
      "ModelHandle+Parameters", "OnlineHandle", "ProcessMemory", "SegmenterHandle",
      "StepProfile", "StoredPredictions", "StreetNetwork", "SystemFile", "Terminal",
      "Codec", "DecodedPicture", "Demuxer", "DriveReport", "LiveSource", "ImageWriter",
      "NamePattern", "PictureDecoder", "PipeInput", "PixelConverter", "RawLayout",
      "VideoWriter", "Warnings",
    ],
  ]

  struct SourceFile: CustomStringConvertible {
    /// From the root of the package.
    let path: String
    let lines: [String]
    /// The folder under Sources or Tests.
    var module: String { String(path.split(separator: "/")[1]) }
    var name: String { String((path.split(separator: "/").last ?? "").prefix { $0 != "." }) }
    var description: String { path }
    /// Lines without comments.
    var code: [Substring] {
      lines.map { line in line.range(of: "//").map { line[..<$0.lowerBound] } ?? line[...] }
    }
  }

  static func files(_ folder: String, _ extensions: Set<String>) -> [SourceFile] {
    let root = SharedData.package.resolvingSymlinksInPath()
    let base = root.appending(path: folder).resolvingSymlinksInPath()
    let found = FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil)
    return (found?.compactMap { $0 as? URL } ?? []).compactMap { url in
      guard extensions.contains(url.pathExtension),
        let text = try? String(contentsOf: url, encoding: .utf8)
      else { return nil }
      let inner = url.resolvingSymlinksInPath().path.dropFirst(base.path.count + 1)
      return SourceFile(path: "\(folder)/\(inner)", lines: text.components(separatedBy: "\n"))
    }.sorted { $0.path < $1.path }
  }

  static let swift = files("Sources", ["swift"])

  @Test("there are sources to look at")
  func found() {
    #expect(Self.swift.count > 50)
    #expect(Set(Self.swift.map(\.module)).isSubset(of: Set(Self.imports.keys)))
  }

  /// The module that a line imports, if it does.
  static func imported(by line: Substring) -> String? {
    let modifiers: Set<Substring> = ["internal", "private", "fileprivate", "package", "public"]
    let kinds: Set<Substring> = ["struct", "class", "enum", "func", "protocol", "let", "var"]
    let words = line.split(separator: " ")
    guard let place = words.firstIndex(of: "import"),
      words[..<place].allSatisfy({ $0.hasPrefix("@") || modifiers.contains($0) })
    else { return nil }
    let name = words[(place + 1)...].first { !kinds.contains($0) }
    return name.map { String($0.prefix { $0 != "." }) }
  }

  @Test("a module imports only what stands above it")
  func moduleImports() {
    var count = 0
    for file in Self.swift {
      for name in file.code.compactMap(Self.imported) {
        count += 1
        #expect(Self.imports[file.module]?.contains(name) == true, "\(file) imports \(name)")
      }
    }
    #expect(count > 50)
  }

  @Test("C sources include only headers of their own module and of libraries")
  func includes() {
    for file in Self.files("Sources", ["c", "h", "cpp", "hpp"]) {
      for line in file.lines where line.hasPrefix("#include \"") {
        let name = String(line.split(separator: "\"")[1])
        let own = Self.files("Sources/\(file.module)", ["h", "hpp", "c", "inc"])
        #expect(own.contains { $0.path.hasSuffix("/\(name)") }, "\(file) includes \(name)")
      }
    }
  }

  @Test("public stands only in Sources/Das3")
  func publicOnlyAtTheTop() {
    for file in Self.swift where file.module != "Das3" {
      for line in file.code {
        #expect(!line.contains(/\bpublic\b|\bopen\s+(class|func|var)\b/), "\(file): \(line)")
      }
    }
  }

  @Test("unsafe stands only in the files that are known for it")
  func unsafeFiles() {
    for file in Self.swift where file.module != "Das3" {
      let isKnown =
        Self.unsafeFiles[file.module]?.contains(file.name) == true
        || file.module == "Das3Runtime" && file.name.hasSuffix("+Compute")
      guard !isKnown else { continue }
      #expect(!file.code.contains { $0.contains(/\bunsafe\b/) }, "\(file)")
    }
  }

  @Test("a file has at most 600 lines unless it says that it is generated")
  func length() {
    let extensions: Set = ["swift", "c", "h", "cpp", "hpp", "py", "sh"]
    for file in ["Sources", "Tests", "include", "bindings"].flatMap({ Self.files($0, extensions) })
    {
      guard file.lines.first?.lowercased().contains("generated") != true else { continue }
      // The contract is one file in C and one in C++, whatever it holds: one thing to include.
      let most = file.path.hasPrefix("include/das3.h") ? 1200 : 600
      #expect(file.lines.count <= most + 1, "\(file) has \(file.lines.count) lines")
    }
  }

  @Test("another package may depend on this one by version: no unsafe flags")
  func unsafeFlags() throws {
    let manifest = SharedData.package.appending(path: "Package.swift")
    #expect(!(try String(contentsOf: manifest, encoding: .utf8)).contains("unsafeFlags"))
  }

  @Test("nothing force-unwraps a try")
  func forceTry() {
    for file in Self.swift {
      #expect(!file.code.contains { $0.contains("try!") || $0.contains("as! ") }, "\(file)")
    }
  }
}
