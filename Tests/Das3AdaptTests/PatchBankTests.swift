import Das3Adapt
import Das3Graph
import Testing

@Suite("Cells that hold rare classes")
struct PatchBankTests {
  /// Three frames of 16 × 16 pixels: all of class 0, but one cell of the second has some of class 2,
  /// and half of the third is of class 1.
  private func readLabels(of frame: Int, into labels: inout [UInt8]) {
    labels = [UInt8](repeating: 0, count: 256)
    if frame == 1 { labels[5 * 16 + 13] = 2 }
    if frame == 2 { for pixel in 128..<256 { labels[pixel] = 1 } }
  }

  private func bank() throws -> PatchBank {
    var random: Random? = Random(seed: 5)
    return try PatchBank(
      frameCount: 3, shape: Shape([1, 4, 16, 16]), &random, readLabels: readLabels)
  }

  @Test("a class with less than an equal share of the labels is rare, one without any is not")
  func rareClasses() throws {
    let patches = try bank().patches
    #expect(patches.map(\.count) == [8, 1])
    #expect(patches[0].allSatisfy { $0.frame == 2 && $0.part.rows.start >= 0.5 })
    let cell = try #require(patches[1].first)
    #expect(cell.frame == 1)
    #expect(cell.part.rows.pixels(of: 16) == 4..<8 && cell.part.columns.pixels(of: 16) == 12..<16)
  }

  @Test("classes are drawn alike, however many cells they have")
  func drawing() throws {
    let bank = try bank()
    var counts = [0, 0]
    for seed in 0..<400 {
      var random: Random? = Random(seed: 3, seed)
      let patch = try #require(bank.draw(&random))
      counts[patch.frame == 1 ? 1 : 0] += 1
    }
    #expect(counts.allSatisfy { (150...250).contains($0) })
    var nothing: Random?
    #expect(bank.draw(&nothing) == bank.patches[0][0])
    #expect(PatchBank().draw(&nothing) == nil)
  }

  @Test("of many cells a class keeps some, from all frames")
  func many() throws {
    var random: Random? = Random(seed: 5)
    let bank = try PatchBank(frameCount: 300, shape: Shape([1, 2, 16, 16]), &random) {
      _, labels in
      labels = (0..<256).map { $0 % 16 % 4 == 0 ? 1 : 0 }
    }
    let patches = try #require(bank.patches.first)
    #expect(bank.patches.count == 1 && bank.byteCount == PatchBank.mostByteCount(classCount: 1))
    let late = patches.count { $0.frame >= 150 }
    #expect((400...620).contains(late))
  }
}
