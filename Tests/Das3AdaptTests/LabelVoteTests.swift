import Das3Adapt
import Das3Runtime
import Testing

/// What labelled frames decide.
@Suite("Labelled frames")
struct LabelVoteTests {
  /// Two classes of 100 pixels each in every frame.
  private func frames(_ right: [UInt64]) -> [[ClassOverlap]] {
    right.map {
      [ClassOverlap(intersection: $0, union: 100), ClassOverlap(intersection: 50, union: 100)]
    }
  }

  @Test("better on every frame is certain, on one of many is not, alike is one half")
  func probability() throws {
    let plain = frames([40, 50, 60, 50, 45])
    #expect(LabelVote.probability(of: frames([41, 51, 61, 51, 46]), over: plain) == 1)
    #expect(LabelVote.probability(of: plain, over: frames([41, 51, 61, 51, 46])) == 0)
    #expect(LabelVote.probability(of: plain, over: plain) == 0.5)
    #expect(LabelVote.probability(of: [], over: []) == nil)
    // It wins where the one good frame is drawn: 1 - (4/5)^5, and 0.5 where it is not.
    let once = try #require(LabelVote.probability(of: frames([40, 50, 99, 50, 45]), over: plain))
    let drawn = 1 - 0.8 * 0.8 * 0.8 * 0.8 * 0.8
    #expect(abs(once - (drawn + (1 - drawn) / 2)) < 0.05)
    // Here the others outweigh it but where it is drawn twice and more.
    let mixed = try #require(LabelVote.probability(of: frames([36, 46, 72, 46, 41]), over: plain))
    #expect((0.05...0.5).contains(mixed))
  }

  @Test("the same frames give the same probability, in either direction")
  func pairs() throws {
    let (one, other) = (frames([40, 58, 61, 49, 44]), frames([42, 50, 60, 52, 45]))
    let probability = try #require(LabelVote.probability(of: one, over: other))
    #expect(LabelVote.probability(of: one, over: other) == probability)
    let opposite = try #require(LabelVote.probability(of: other, over: one))
    #expect(abs(probability + opposite - 1) < 1e-12)
  }

  @Test("labels decide where they are sure, and leave the rest to the votes")
  func verdicts() {
    for (probability, verdict) in [
      (0.9, LabelVote.Verdict.better), (0.89, .open), (0.11, .open), (0.1, .worse), (nil, .open),
    ] as [(Double?, LabelVote.Verdict)] {
      #expect(LabelVote.verdict(probability, certainty: 0.9) == verdict)
    }
    #expect(LabelVote.verdict(0.5, certainty: 0.5) == .better)
  }

  @Test("classes in neither truth nor labels do not count in the mean")
  func means() {
    var sum = [ClassOverlap(intersection: 1, union: 4), ClassOverlap(), ClassOverlap()]
    #expect(sum.meanIoU == 0.25)
    sum.add([ClassOverlap(intersection: 1, union: 4), ClassOverlap(union: 2), ClassOverlap()])
    #expect(sum.meanIoU == 0.125 && sum[2].iou == nil)
    #expect([ClassOverlap]().meanIoU == 0)
  }
}
