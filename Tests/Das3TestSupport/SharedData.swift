import Foundation
import Testing

/// Networks, frames and reference outputs that lie in `shared` beside the checkout: too large for
/// the repository.
///
/// A test that needs them is marked `.needsSharedData` and skipped elsewhere.
package enum SharedData {
  /// The checkout's own root.
  package static let package = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  package static let folder = package.deletingLastPathComponent().appending(path: "shared")

  package static func url(_ path: String) -> URL { folder.appending(path: path) }

  package static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: url(path).path)
  }
}

extension Trait where Self == ConditionTrait {
  /// Skips the test, and says so, where `shared/<path>` is missing.
  package static func needsSharedData(_ path: String) -> Self {
    .enabled(
      if: SharedData.exists(path), "there is no shared/\(path) beside the checkout")
  }
}
