// Ctrl-C or a closed terminal in, a flag that a long run looks at out.
import Foundation
import Synchronization

/// The first SIGINT, SIGTERM or SIGHUP is only noted; another SIGINT or SIGTERM ends the program as
/// always.
enum Interrupt {
  private static let flag = Atomic<Bool>(false)

  static var isRequested: Bool { flag.load(ordering: .relaxed) }

  static func watch() {
    // A handler must not be the first to use the flag: making it takes a lock.
    guard !isRequested else { return }
    signal(SIGINT, note)
    signal(SIGTERM, note)
    // What nohup has started goes on.
    let isIgnored = 1
    if unsafe unsafeBitCast(signal(SIGHUP, note), to: Int.self) == isIgnored {
      signal(SIGHUP, SIG_IGN)
    }
    // Where the reader of our results has gone, the write fails; that is not the end.
    signal(SIGPIPE, SIG_IGN)
  }

  private static let note: @convention(c) (Int32) -> Void = { _ in
    flag.store(true, ordering: .relaxed)
    signal(SIGINT, SIG_DFL)
    signal(SIGTERM, SIG_DFL)
    // A shell and its terminal each send one.
    signal(SIGHUP, SIG_IGN)
    let text: StaticString = "\ndas3-run: finishing what has begun; again to end at once\n"
    _ = unsafe write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
  }
}
