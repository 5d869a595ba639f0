import Das3TestSupport
import Foundation
import Testing

/// The header alone, as strict C99 and as strict C++17.
@Suite("Header")
struct HeaderTests {
  private static let warnings = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]
  private static let folder = SharedData.package.appending(path: "include").path

  @Test(
    "compiles as C99", .enabled(if: Program.path("gcc") != nil, "there is no gcc on the PATH"),
    arguments: ["", "#define DAS3_EXPERIMENTAL 1\n", "#include \"das3.h\"\n"])
  func c99(_ before: String) throws {
    let compiler = try #require(Program.path("gcc"))
    let result = try Program(
      compiler, ["-std=c99"] + Self.warnings + ["-I", Self.folder, "-x", "c", "-"],
      input: before + "#include \"das3.h\"\n")
    #expect(result.status == 0, "\(result.output)")
  }

  @Test(
    "compiles as C++17", .enabled(if: Program.path("g++") != nil, "there is no g++ on the PATH"))
  func cpp17() throws {
    let compiler = try #require(Program.path("g++"))
    let result = try Program(
      compiler, ["-std=c++17"] + Self.warnings + ["-I", Self.folder, "-x", "c++", "-"],
      input: "#include \"das3.h\"\n")
    #expect(result.status == 0, "\(result.output)")
  }
}
