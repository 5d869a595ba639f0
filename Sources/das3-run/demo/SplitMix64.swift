// A seed in, the same random numbers on every machine out.

/// The generator of Steele, Lea and Flood (2014), and the distributions that scenes and weights need.
struct SplitMix64 {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  /// Uniform from 0 to below 1.
  mutating func unit() -> Float {
    Float(next() >> 40) * 0x1p-24
  }

  mutating func within(_ range: ClosedRange<Float>) -> Float {
    range.lowerBound + (range.upperBound - range.lowerBound) * unit()
  }

  /// Nearly normal with mean 0 and deviation 1: a sum of twelve uniform numbers.
  ///
  /// The usual formula has a logarithm, which machines round differently.
  mutating func normal() -> Float {
    var sum: Float = -6
    for _ in 0..<12 { sum += unit() }
    return sum
  }

  mutating func chance(_ probability: Float) -> Bool {
    unit() < probability
  }

  mutating func index(below count: Int) -> Int {
    Int(next() >> 33) % count
  }

  mutating func side() -> Float {
    next() >> 63 == 0 ? -1 : 1
  }

  /// One of `choices`, which may not be empty.
  mutating func pick<Choice>(_ choices: [Choice]) -> Choice {
    choices[index(below: choices.count)]
  }
}
