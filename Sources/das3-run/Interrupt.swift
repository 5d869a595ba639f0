// Ctrl-C in, a flag that a long run looks at out.
import Foundation
import Synchronization

/// The first SIGINT or SIGTERM is only noted; the second ends the program as always.
enum Interrupt {
  private static let flag = Atomic<Bool>(false)

  static var isRequested: Bool { flag.load(ordering: .relaxed) }

  static func watch() {
    // A handler must not be the first to use the flag: making it takes a lock.
    guard !isRequested else { return }
    signal(SIGINT, note)
    signal(SIGTERM, note)
  }

  private static let note: @convention(c) (Int32) -> Void = { _ in
    flag.store(true, ordering: .relaxed)
    signal(SIGINT, SIG_DFL)
    signal(SIGTERM, SIG_DFL)
    let text: StaticString = "\ndas3-run: pausing after this step; again to end at once\n"
    _ = unsafe write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
  }
}
