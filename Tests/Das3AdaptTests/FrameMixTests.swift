import Das3Adapt
import Foundation
import Testing

@Suite("Frames that are mixed")
struct FrameMixTests {
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
    var mix = FrameMix()
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

  @Test("all but one of the parts that two lines leave are cut out", arguments: 0..<4)
  func quadrants(quadrant: Int) {
    var nothing: Random?
    var mix = FrameMix()
    mix.cut(allBut: SpatialMix.drawQuadrants(&nothing)[quadrant], height: 8, width: 6)
    for y in 0..<8 {
      for x in 0..<6 {
        let isInside = (y < 4) == (quadrant < 2) && (x < 3) == (quadrant % 2 == 0)
        #expect(mix.mask[y * 6 + x] == (isInside ? 0 : 1))
      }
    }
  }

  @Test("numbers of Beta(a, a) have its mean and its variance", arguments: [0.3, 1, 2.5])
  func beta(_ shape: Double) {
    var random = Random(seed: 11)
    let values = (0..<20_000).map { _ in
      Double(random.beta { Float(pow(Double($0), 1 / shape)) })
    }
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
    // Five standard errors of both.
    #expect(abs(mean - 0.5) < 5 * (variance / Double(values.count)).squareRoot())
    #expect(abs(variance - 1 / (4 * (2 * shape + 1))) < 5 * variance / 100)
    #expect(values.allSatisfy { (0...1).contains($0) })
  }

  @Test("lines are near one of both ends more often than in the middle, and never at a border")
  func lines() {
    var rows: [Double] = []
    for seed in 0..<500 {
      var random: Random? = Random(seed: 7, seed)
      let quadrants = SpatialMix.drawQuadrants(&random)
      let (row, column) = (quadrants[0].rows.end, quadrants[0].columns.end)
      #expect((0.2...0.80001).contains(row) && (0.2...0.80001).contains(column))
      #expect(quadrants[3].rows.start == row && quadrants[3].columns.start == column)
      rows.append(row)
    }
    // Of Beta(¼, ¼) the tenths at both ends have 0.62 of the mass, the fifth in the middle 0.08.
    let near = rows.count { $0 < 0.26 || $0 > 0.74 }
    let middle = rows.count { abs($0 - 0.5) < 0.06 }
    #expect((250...370).contains(near) && (10...75).contains(middle))
  }
}
