// The names of the library's methods on the command line.
import ArgumentParser
import CDas3

enum AdaptationMethod: String, ExpressibleByArgument, CaseIterable {
  case das3, tent, bn, entropy, maxsquare, selftrain

  /// The value that the C header knows.
  var code: Int32 {
    let method =
      switch self {
      case .das3: DAS3_METHOD_DAS3
      case .tent: DAS3_METHOD_TENT
      case .bn: DAS3_METHOD_BN
      case .entropy: DAS3_METHOD_ENTROPY
      case .maxsquare: DAS3_METHOD_MAXSQUARE
      case .selftrain: DAS3_METHOD_SELFTRAIN
      }
    return Int32(method.rawValue)
  }
}
