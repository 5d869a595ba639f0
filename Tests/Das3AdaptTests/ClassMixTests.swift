import Das3Adapt
import Testing

@Suite("ClassMix")
struct ClassMixTests {
  @Test("half of the classes present are drawn, rounded up, each at most once")
  func draws() {
    let labels: [UInt8] = [3, 3, 9, 255, 0, 7, 7, 12]
    var seen: Set<[UInt8]> = []
    for seed in 0..<60 {
      var random: Random? = Random(seed: 1, seed)
      let chosen = ClassMix.choose(from: labels, &random)
      #expect(chosen.count == 3 && Set(chosen).count == 3 && !chosen.contains(255))
      #expect(Set(chosen).isSubset(of: [0, 3, 7, 9, 12]))
      seen.insert(chosen.sorted())
    }
    #expect(seen.count == 10)
    var nothing: Random?
    #expect(ClassMix.choose(from: labels, &nothing) == [0, 7, 12])
    #expect(ClassMix.choose(from: [255, 255], &nothing).isEmpty)
  }

  @Test("an image larger than the mask shows the pixels nearest to it")
  func largerImage() {
    var mix = ClassMix()
    mix.cut([1], outOf: [1, 0, 0, 1], threads: 1)
    let first = [Float](repeating: 5, count: 4 * 4 * 2)
    var second = [Float](repeating: 6, count: 4 * 4 * 2)
    second.withUnsafeMutableBufferPointer { second in
      guard let start = second.baseAddress else { return }
      mix.mix(
        first, over: start, channelCount: 2, height: 4, width: 4, maskHeight: 2, maskWidth: 2,
        threads: 1)
    }
    for y in 0..<4 {
      for x in 0..<4 {
        #expect(second[(y * 4 + x) * 2 + 1] == ((y < 2) == (x < 2) ? 5 : 6))
      }
    }
  }
}
