// What the program needs to know about the terminal it may be talking to.
import Foundation

enum Terminal {
  /// Whether progress can be drawn.
  static let errorIsTerminal = isatty(STDERR_FILENO) == 1
  /// Whether colours may be used in results.
  static let outputIsTerminal =
    isatty(STDOUT_FILENO) == 1 && ProcessInfo.processInfo.environment["NO_COLOR"] == nil

  /// Characters in one row of the terminal behind stderr; 80 where it does not say.
  static var columnCount: Int {
    var size = winsize()
    guard unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
      return 80
    }
    return Int(size.ws_col)
  }

  /// Wipes a progress bar, so that what follows starts on a clean line.
  static func eraseErrorLine() {
    if errorIsTerminal { writeError("\r\u{1B}[K") }
  }

  /// Sends what was printed on its way; false where it cannot be written.
  static func flushOutput() -> Bool {
    fflush(nil) == 0
  }

  static func writeError(_ text: String) {
    FileHandle.standardError.write(Data(text.utf8))
  }

  /// Two cells of a 24-bit background colour.
  static func swatch(_ colour: Colour) -> String {
    "\u{1B}[48;2;\(colour.red);\(colour.green);\(colour.blue)m  \u{1B}[0m"
  }
}
