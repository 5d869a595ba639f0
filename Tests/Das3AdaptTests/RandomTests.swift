import Das3Adapt
import Testing

@Suite("Random numbers")
struct RandomTests {
  @Test("the same place gives the same numbers, another place others")
  func places() {
    var (a, b, c, d) = (
      Random(seed: 5, 1, 2), Random(seed: 5, 1, 2), Random(seed: 5, 2, 1), Random(seed: 6, 1, 2)
    )
    let numbers = (0..<100).map { _ in a.next() }
    #expect(numbers == (0..<100).map { _ in b.next() })
    #expect(Set(numbers).isDisjoint(with: (0..<100).map { _ in c.next() }))
    #expect(Set(numbers).isDisjoint(with: (0..<100).map { _ in d.next() }))
    // The first two of SplitMix64 with seed 0.
    var reference = Random(seed: 0)
    #expect(reference.next() == 0xE220_A839_7B1D_CDAF && reference.next() == 0x6E78_9E6A_A1B9_65F4)
  }

  @Test("numbers are spread evenly, orders are whole")
  func uniform() {
    var random = Random(seed: 3)
    var counts = [Int](repeating: 0, count: 5)
    for _ in 0..<10_000 { counts[random.below(5)] += 1 }
    #expect(counts.allSatisfy { abs($0 - 2000) < 200 })
    let values = (0..<10_000).map { _ in random.uniform(-1...3) }
    #expect(values.allSatisfy { (-1...3).contains($0) })
    #expect(abs(values.reduce(0, +) / 10_000 - 1) < 0.05)
    let shuffled = random.shuffled(Array(0..<50))
    #expect(shuffled != Array(0..<50) && shuffled.sorted() == Array(0..<50))
  }
}
