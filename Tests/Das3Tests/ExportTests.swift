import Das3TestSupport
import Foundation
import Testing

/// The shared library as it is shipped: its name, what it exports, what it needs.
///
/// DAS3_LIBRARY names it; else what `make` has left beside Package.swift is taken.
@Suite(
  "Exports",
  .enabled(if: SharedLibrary.path != nil, "there is no library: run make, or set DAS3_LIBRARY"))
struct ExportTests {
  /// Names of the dynamic symbols it defines.
  private func exports() throws -> Set<String> {
    let result = try Program(
      try #require(Program.path("nm")), ["-D", "--defined-only", try #require(SharedLibrary.path)])
    #expect(result.status == 0, "\(result.output)")
    return Set(
      result.output.split(separator: "\n").compactMap { $0.split(separator: " ").last }
        .map { String($0.prefix { $0 != "@" }) })
  }

  /// What its dynamic section says for one tag.
  private func dynamic(_ tag: String) throws -> [String] {
    let result = try Program(
      try #require(Program.path("readelf")), ["-d", "-W", try #require(SharedLibrary.path)])
    return result.output.split(separator: "\n").filter { $0.contains("(\(tag))") }.compactMap {
      $0.split(separator: "[").last?.split(separator: "]").first.map(String.init)
    }
  }

  /// Functions the header declares.
  private func declared() throws -> Set<String> {
    let header = try String(
      contentsOf: SharedData.package.appending(path: "include/das3.h"), encoding: .utf8)
    return Set(header.matches(of: /DAS3_API[^;(]*?\b(das3_\w+)\(/).map { String($0.1) })
  }

  @Test("SONAME is libdas3.so and the ABI number")
  func soname() throws { #expect(try dynamic("SONAME") == ["libdas3.so.0"]) }

  @Test("every function of the header is exported, and nothing else")
  func symbols() throws {
    let (exports, declared) = (try exports(), try declared())
    #expect(declared.count > 20)
    #expect(exports.subtracting(declared) == [])
    #expect(declared.subtracting(exports) == [])
  }

  @Test("the Swift runtime is inside, not needed from outside")
  func needed() throws {
    let needed = try dynamic("NEEDED")
    #expect(!needed.isEmpty)
    let swift = needed.filter {
      $0.lowercased().contains("swift") || $0.contains("Foundation") || $0.contains("dispatch")
        || $0.contains("Blocks")
    }
    #expect(swift == [])
  }

  @Test("no path of the machine it was built on is searched")
  func runPath() throws {
    let paths = try dynamic("RUNPATH") + dynamic("RPATH")
    #expect(paths.flatMap { $0.split(separator: ":") }.filter { !$0.hasPrefix("$ORIGIN") } == [])
  }
}

/// The shared library that was built before the tests, if any.
enum SharedLibrary {
  static let path: String? = {
    let path =
      ProcessInfo.processInfo.environment["DAS3_LIBRARY"]
      ?? SharedData.package.appending(path: "build/libdas3.so.0").path
    return FileManager.default.fileExists(atPath: path) ? path : nil
  }()
}
