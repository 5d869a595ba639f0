/// Derivatives of the loss of a `Trainer` by finite differences of the reference in double.
extension OperatorCase {
  /// How fast the loss grows along one direction of one parameter.
  package struct Slope: Sendable {
    /// Steps of 1e-6 in double leave about 1e-9 of the value; float32 sums of some thousand terms
    /// and functions computed again leave 1e-4 of the largest derivative.
    package static let tolerance = 3e-4

    /// Its name in `trainable`.
    package let parameter: String
    package let direction: [Double]
    /// On either side.
    let right, left: Double
    /// What the differences may be wrong by, whatever the derivatives are.
    package let slack: Double

    /// The mean of both sides; nil at a kink, whose sides have derivatives of their own, and which
    /// is seen by the size of the derivatives that were computed.
    package func expected(_ gradient: [Float]) -> Double? {
      let scale = gradient.reduce(0.0) { max($0, abs(Double($1))) }
      guard right.isFinite, abs(right - left) <= 1e-3 * max(abs(right), abs(left), scale)
      else { return nil }
      return (right + left) / 2
    }
  }

  /// Along one element and along all of them, of each parameter that has a gradient.
  package func slopes(_ seeds: [[Float]], of gradients: [String: [Float]]) throws -> [Slope] {
    let weights = seeds.flatMap { $0 }.map { Double($0) }
    func loss(_ values: [[Double]]) throws -> Double {
      zip(try reference(values), weights).reduce(0) { $0 + $1.0 * $1.1 }
    }
    let values = valuesOfTrainable
    let centre = try loss(values)
    guard centre.isFinite else { return [] }
    var random = SplitMix64(seed: 11)
    var slopes: [Slope] = []
    // Statistics are constants, also where they are computed.
    for (index, input) in inputs.enumerated() where !input.name.hasSuffix("variance") {
      let name = Self.trainableName(of: input)
      guard let count = gradients[name]?.count else { continue }
      let chosen = Int.random(in: 0..<count, using: &random)
      for direction in [
        (0..<count).map { $0 == chosen ? 1.0 : 0 },
        (0..<count).map { _ in Double.random(in: -1...1, using: &random) },
      ] {
        func slope(_ step: Double) throws -> Double {
          var values = values
          for i in 0..<count { values[index][i] += step * direction[i] }
          return try (loss(values) - centre) / step
        }
        slopes.append(
          Slope(
            parameter: name, direction: direction, right: try slope(1e-6), left: try slope(-1e-6),
            slack: 1e-7 * abs(centre)))
      }
    }
    return slopes
  }
}
