import Foundation

/// Runs another program of the machine: arguments in, status and text out.
package struct Program {
  package let status: Int32
  /// Standard output and error together.
  package let output: String

  /// The program's full path on PATH, or nil.
  package static func path(_ name: String) -> String? {
    let folders = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":") ?? []
    return folders.map { "\($0)/\(name)" }.first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }

  package init(
    _ path: String, _ arguments: [String], input: String = "",
    environment: [String: String]? = nil
  ) throws {
    let process = Process()
    let (inward, outward) = (Pipe(), Pipe())
    process.executableURL = URL(filePath: path)
    process.arguments = arguments
    process.environment = environment
    process.standardInput = inward
    process.standardOutput = outward
    process.standardError = outward
    try process.run()
    try inward.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try inward.fileHandleForWriting.close()
    let data = try outward.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    status = process.terminationStatus
    output = String(decoding: data, as: UTF8.self)
  }
}
