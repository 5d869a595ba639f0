import Foundation

/// A reference tensor written by `Tests/Golden/unpack.py`: one line of text, then the values.
package struct GoldenFile: Sendable {
  package let dims: [Int]
  private let type: String
  private let payload: Data

  /// The folder of golden files (DAS3_GOLDEN), or nil where none was made.
  package static let folder = ProcessInfo.processInfo.environment["DAS3_GOLDEN"].map {
    URL(filePath: $0)
  }

  package enum Failure: Error { case malformed(String) }

  /// A file or folder among the golden ones.
  package static func url(_ name: String) throws -> URL {
    guard let folder else { throw Failure.malformed("DAS3_GOLDEN is not set") }
    return folder.appending(path: name)
  }

  package init(_ name: String) throws {
    let data = try Data(contentsOf: Self.url(name))
    guard let end = data.firstIndex(of: 10) else { throw Failure.malformed(name) }
    let words = String(decoding: data[..<end], as: UTF8.self).split(separator: " ")
    guard words.count == 4, words[0] == "das3-golden", words[1] == "1" else {
      throw Failure.malformed(name)
    }
    type = String(words[2])
    dims = words[3].split(separator: "x").compactMap { Int($0) }
    payload = Data(data[(end + 1)...])
    let size = type == "f32" ? 4 : 1
    guard payload.count == size * dims.reduce(1, *) else { throw Failure.malformed(name) }
  }

  package var bytes: [UInt8] { Array(payload) }

  package var floats: [Float] {
    payload.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }
}
