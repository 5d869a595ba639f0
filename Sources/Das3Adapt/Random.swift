/// A seed and a place in the schedule → the same numbers on every machine, with no state to keep
/// between steps (SplitMix64: Steele, Lea, Flood, 2014).
package struct Random: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// - Parameters:
  ///   - seed: of the whole run.
  ///   - places: what the numbers are for; other places give unrelated numbers.
  package init(seed: UInt64, _ places: Int...) {
    state = seed
    for place in places { state = next() ^ UInt64(bitPattern: Int64(place)) }
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  /// A number from 0 up to `bound`, which is positive.
  package mutating func below(_ bound: Int) -> Int {
    Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// A number of the range; 24 bits of it are random.
  package mutating func uniform(_ range: ClosedRange<Float>) -> Float {
    let unit = Float(next() >> 40) / Float(1 << 24)
    return range.lowerBound + (range.upperBound - range.lowerBound) * unit
  }

  /// A number of Beta(a, a), which is mostly near 0 or near 1 (Jöhnk's rejection, 1964).
  ///
  /// - Parameter power: u ↦ u^(1/a), of 0…1.
  /// - Returns: the number, 0…1.
  package mutating func beta(_ power: (Float) -> Float) -> Float {
    while true {
      let (first, second) = (power(uniform(0...1)), power(uniform(0...1)))
      if first + second > 0, first + second <= 1 { return first / (first + second) }
    }
  }

  /// The elements in random order (Fisher and Yates).
  package mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
    var result = elements
    for last in result.indices.reversed() where last > 0 {
      result.swapAt(last, below(last + 1))
    }
    return result
  }
}
