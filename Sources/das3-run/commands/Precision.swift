// The names of the library's precisions on the command line.
import ArgumentParser
import CDas3

enum Precision: String, ExpressibleByArgument, CaseIterable {
  case f32
  case bf16

  /// The value that the C header knows.
  var code: Int32 {
    switch self {
    case .f32: Int32(DAS3_PRECISION_F32.rawValue)
    case .bf16: Int32(DAS3_PRECISION_BF16.rawValue)
    }
  }

  init?(code: Int32) {
    guard let match = Self.allCases.first(where: { $0.code == code }) else { return nil }
    self = match
  }
}
