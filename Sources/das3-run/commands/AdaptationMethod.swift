// The names of the library's methods on the command line.
import ArgumentParser

enum AdaptationMethod: String, ExpressibleByArgument, CaseIterable {
  case auto, das3, blend, tent, bn, entropy, maxsquare, selftrain, atp, ld, hcl
  case dine, urma
  /// Wants truth with every frame, which no option reads.
  case supervised

  init?(argument: String) {
    guard Self.allValueStrings.contains(argument) else { return nil }
    self.init(rawValue: argument)
  }

  static let allValueStrings = allCases.filter { $0 != .supervised }.map(\.rawValue)

  /// Whether it is made of stages (a), (b) and (c).
  var hasStages: Bool { self == .auto || self == .das3 || self == .atp }

  /// Whether a gradient moves weights: such a method can begin at a blend of statistics.
  var trains: Bool { self != .bn && self != .blend }
}

/// Where a method that trains begins.
enum AdaptationStart: String, ExpressibleByArgument, CaseIterable {
  case blend, source
}
