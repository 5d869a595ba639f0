/// The error of all functions of the library: a code for programs and one line of text for people.
package struct Das3Error: Error, Equatable, Sendable {
  /// The raw values are the status codes of the C header.
  package enum Code: Int32, Sendable {
    case argument = -1
    case shape = -2
    case memory = -3
    case io = -4
    case format = -5
    case unsupported = -6
    case limit = -7
    case cancelled = -8
    case `internal` = -9
  }

  package let code: Code
  package let message: String

  package init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  package static func argument(_ message: String) -> Self { Self(.argument, message) }
  package static func shape(_ message: String) -> Self { Self(.shape, message) }
  package static func memory(_ message: String) -> Self { Self(.memory, message) }
  package static func io(_ message: String) -> Self { Self(.io, message) }
  package static func format(_ message: String) -> Self { Self(.format, message) }
  package static func unsupported(_ message: String) -> Self { Self(.unsupported, message) }
  package static func limit(_ message: String) -> Self { Self(.limit, message) }

  /// The same error with the place where it occurred in front of the message.
  package func at(_ place: String) -> Self { Self(code, "\(place): \(message)") }
}
