// What the program needs to know about the terminal it may be talking to.
import Foundation

enum Terminal {
  /// Fills the places of descriptors that were closed, so that no file that is opened later gets
  /// what is meant for stdout or stderr.
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

  /// Writes a result to stdout at once, so that a reader behind a pipe can follow.
  static func say(_ text: String, terminator: String = "\n") throws(Failure) {
    guard fflush(nil) == 0, write(text + terminator, to: STDOUT_FILENO) else {
      throw Failure("cannot write to stdout")
    }
  }

  /// Writes to stderr; where that fails there is nobody left to tell.
  static func writeError(_ text: String) {
    _ = write(text, to: STDERR_FILENO)
  }

  /// Writes text, in which names are what they are in the file system.
  private static func write(_ text: String, to descriptor: Int32) -> Bool {
    unsafe Path.bytes(of: text).withUnsafeBytes { bytes in
      unsafe SystemFile.write(bytes, to: descriptor)
    }
  }

  /// Says something beside the results, in a line of its own.
  static func note(_ text: String) {
    eraseErrorLine()
    writeError("das3-run: \(text)\n")
  }

  /// Two cells of a 24-bit background colour.
  static func swatch(_ colour: Colour) -> String {
    "\u{1B}[48;2;\(colour.red);\(colour.green);\(colour.blue)m  \u{1B}[0m"
  }
}
