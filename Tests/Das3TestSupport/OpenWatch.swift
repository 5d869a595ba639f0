import Foundation

/// Notices every opening of a file directly inside a folder, by any process.
package final class OpenWatch {
  private let descriptor: Int32

  /// Starts watching; nil where Linux refuses.
  package init?(_ folder: URL) {
    descriptor = inotify_init1(Int32(IN_NONBLOCK))
    guard descriptor >= 0,
      inotify_add_watch(descriptor, folder.path, UInt32(IN_OPEN) | UInt32(IN_ACCESS)) >= 0
    else { return nil }
  }

  deinit { close(descriptor) }

  /// Whether anything was opened since the last question.
  package var hasSeenOpening: Bool {
    var buffer = [UInt8](repeating: 0, count: 4096)
    return read(descriptor, &buffer, buffer.count) > 0
  }
}
