// The names of the library's precisions on the command line.
import ArgumentParser
import CDas3

enum Precision: String, ExpressibleByArgument, CaseIterable {
  case f32, bf16

  /// The value that the C header knows.
  var code: Int32 {
    Int32((self == .f32 ? DAS3_PRECISION_F32 : DAS3_PRECISION_BF16).rawValue)
  }

  init?(code: Int32) {
    guard let match = Self.allCases.first(where: { $0.code == code }) else { return nil }
    self = match
  }
}
