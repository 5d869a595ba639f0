// Ctrl-C or a closed terminal in, a flag that long runs check out.
import Foundation
import Synchronization

/// The first SIGINT, SIGTERM or SIGHUP sets a flag; another SIGINT or SIGTERM ends the program.
enum Interrupt {
  private static let flag = Atomic<Bool>(false)

  static var isRequested: Bool { flag.load(ordering: .relaxed) }

  static func watch() {
    // This creates the flag. Doing so takes a lock, which a signal handler must not.
    guard !isRequested else { return }
    signal(SIGINT, note)
    signal(SIGTERM, note)
    // A program that nohup has started ignores SIGHUP.
    let isIgnored = 1
    if unsafe unsafeBitCast(signal(SIGHUP, note), to: Int.self) == isIgnored {
      signal(SIGHUP, SIG_IGN)
    }
    // When the reader of a pipe is gone, the write fails and the program goes on.
    signal(SIGPIPE, SIG_IGN)
  }

  private static let note: @convention(c) (Int32) -> Void = { _ in
    flag.store(true, ordering: .relaxed)
    signal(SIGINT, SIG_DFL)
    signal(SIGTERM, SIG_DFL)
    // A closed terminal sends SIGHUP twice: by itself and by its shell.
    signal(SIGHUP, SIG_IGN)
    let text: StaticString = "\ndas3-run: finishing what has begun; again to end at once\n"
    _ = unsafe write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
  }
}
