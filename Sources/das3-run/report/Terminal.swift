// Text in, output on stdout and stderr out; what is known about the terminal behind them.
import Foundation

enum Terminal {
  /// Opens /dev/null for each standard descriptor that is closed.
  ///
  /// Otherwise a file that is opened later could receive the output for stdout or stderr.
  static func reserveDescriptors() {
    var descriptor: Int32
    repeat { descriptor = unsafe open("/dev/null", O_RDONLY) } while 0...STDERR_FILENO ~= descriptor
    close(descriptor)
  }

  /// Whether progress can be drawn.
  static let errorIsTerminal = isatty(STDERR_FILENO) == 1
  /// Whether colours may be used in results.
  static let outputIsTerminal =
    isatty(STDOUT_FILENO) == 1 && ProcessInfo.processInfo.environment["NO_COLOR"] == nil

  /// Characters in a row of the terminal behind stderr; 80 where that is not known.
  static var columnCount: Int {
    var size = winsize()
    guard unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
      return 80
    }
    return Int(size.ws_col)
  }

  /// Erases a progress bar, so that other output starts on an empty line.
  static func eraseErrorLine() {
    if errorIsTerminal { writeError("\r\u{1B}[K") }
  }

  /// Writes a result to stdout without a buffer, so that the reader of a pipe gets it at once.
  static func say(_ text: String, terminator: String = "\n") throws(Failure) {
    guard fflush(nil) == 0, write(text + terminator, to: STDOUT_FILENO) else {
      throw Failure("cannot write to stdout")
    }
  }

  /// Writes to stderr; a failure is ignored, because it could not be reported.
  static func writeError(_ text: String) {
    _ = write(text, to: STDERR_FILENO)
  }

  /// Writes text; paths in it get the bytes that they have in the file system.
  private static func write(_ text: String, to descriptor: Int32) -> Bool {
    unsafe Path.bytes(of: text).withUnsafeBytes { bytes in
      unsafe SystemFile.write(bytes, to: descriptor)
    }
  }

  /// Writes a message to stderr, in a line of its own.
  static func note(_ text: String) {
    eraseErrorLine()
    writeError("das3-run: \(text)\n")
  }

  /// Two cells of a 24-bit background colour, then `tail`; nothing where colours may not be used.
  static func swatch(_ colour: Colour, _ tail: String = "") -> String {
    let code = "\u{1B}[48;2;\(colour.red);\(colour.green);\(colour.blue)m  \u{1B}[0m"
    return outputIsTerminal ? code + tail : ""
  }
}
