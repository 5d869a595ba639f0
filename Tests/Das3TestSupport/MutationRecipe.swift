/// A damaged model in a few bytes: which sample it was, and one seed for each change.
///
/// What a fuzzer keeps and extends. The same recipe gives the same bytes for as long as samples and
/// `GraphMutator` stay as they are; what a fuzzer finds becomes a graph by name in the tests.
package struct MutationRecipe: Sendable {
  package static let samples: [OnnxWriter] = [
    SampleModels.convolutional(), SampleModels.shapeArithmetic(), SampleModels.attention(),
    SampleModels.sampling(),
  ]
  private static let seedSize = 8
  private static let seedLimit = 12
  /// More bytes than this say nothing.
  package static let byteLimit = 1 + seedSize * seedLimit

  /// Its remainders say which sample, and what else a test varies.
  package var choice: UInt8
  package var seeds: [UInt64]

  package init(choice: UInt8, seeds: [UInt64]) {
    self.choice = choice
    self.seeds = seeds
  }

  /// Two digits for each byte, as in corpus.txt.
  package init(hexadecimal text: String) {
    let digits = Array(text)
    self.init(
      bytes: stride(from: 0, to: digits.count - 1, by: 2).compactMap {
        UInt8(String(digits[$0...$0 + 1]), radix: 16)
      })
  }

  /// Any bytes are a recipe.
  package init(bytes: [UInt8]) {
    choice = bytes.first ?? 0
    let count = min(max(bytes.count - 1, 0) / Self.seedSize, Self.seedLimit)
    seeds = (0..<count).map { index in
      bytes[(1 + index * Self.seedSize)...].prefix(Self.seedSize).reversed()
        .reduce(0) { $0 << 8 | UInt64($1) }
    }
  }

  package var bytes: [UInt8] {
    [choice] + seeds.flatMap { seed in (0..<Self.seedSize).map { UInt8(seed >> (8 * $0) & 255) } }
  }

  /// The damaged file.
  package func serialized() -> [UInt8] {
    var mutator = GraphMutator(Self.samples[Int(choice) % Self.samples.count])
    for seed in seeds where !Self.damagesBytes(seed) { mutator.change(seed: seed) }
    var bytes = mutator.model.serialized()
    for seed in seeds where Self.damagesBytes(seed) { Self.damage(&bytes, seed: seed) }
    return bytes
  }

  /// One step of a fuzzer: a change more, another one, or one less.
  package mutating func mutate(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let place = seeds.indices.randomElement(using: &random)
    switch (Int.random(in: 0..<10, using: &random), place) {
    case (0, _): choice = UInt8.random(in: 0...255, using: &random)
    case (1, let place?): seeds.remove(at: place)
    case (2...3, let place?): seeds[place] = random.next()
    default:
      if seeds.count == Self.seedLimit { seeds.removeFirst() }
      seeds.append(random.next())
    }
  }

  private static func damagesBytes(_ seed: UInt64) -> Bool { seed % 8 == 0 }

  /// Flips a bit, overwrites, inserts or removes a byte.
  package static func damage(_ bytes: inout [UInt8], seed: UInt64) {
    var random = SplitMix64(seed: seed)
    guard let place = bytes.indices.randomElement(using: &random) else { return }
    switch Int.random(in: 0..<8, using: &random) {
    case 0: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
    case 1: bytes.remove(at: place)
    case 2: bytes[place] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &random) ?? 0
    case 3: bytes[place] = UInt8.random(in: 0...255, using: &random)
    default: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    }
  }
}
