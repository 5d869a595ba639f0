/// Everything that can go wrong on bad input: a code for programs, one line for people.
package struct Das3Error: Error, Equatable, Sendable {
  /// The public status of the C header; raw values are its numbers.
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

  /// The same failure with the place it happened at in front.
  package func at(_ place: String) -> Self { Self(code, "\(place): \(message)") }
}
