// The names of the library's methods on the command line.
import ArgumentParser
import CDas3

enum AdaptationMethod: String, ExpressibleByArgument, CaseIterable {
  case das3, blend, tent, bn, entropy, maxsquare, selftrain
  /// Wants truth with every frame, which no option reads.
  case supervised

  init?(argument: String) {
    guard Self.allValueStrings.contains(argument) else { return nil }
    self.init(rawValue: argument)
  }

  static let allValueStrings = allCases.filter { $0 != .supervised }.map(\.rawValue)

  /// The value that the C header knows.
  var code: Int32 {
    let method =
      switch self {
      case .das3: DAS3_METHOD_DAS3
      case .tent: DAS3_METHOD_TENT
      case .bn: DAS3_METHOD_BN
      case .blend: DAS3_METHOD_BLEND
      case .entropy: DAS3_METHOD_ENTROPY
      case .maxsquare: DAS3_METHOD_MAXSQUARE
      case .selftrain: DAS3_METHOD_SELFTRAIN
      case .supervised: DAS3_METHOD_SUPERVISED
      }
    return Int32(method.rawValue)
  }

  /// Whether a gradient moves weights: such a method can begin at a blend of statistics.
  var trains: Bool { self != .bn && self != .blend }
}

/// Where a method that trains begins.
enum AdaptationStart: String, ExpressibleByArgument, CaseIterable {
  case blend, source

  /// The value that the C header knows.
  var code: Int32 {
    Int32((self == .blend ? DAS3_START_BLEND : DAS3_START_SOURCE).rawValue)
  }
}
