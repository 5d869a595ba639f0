/// Which frames compare which candidates, and which candidate is taken.
package enum BlendChoice {
  /// Views of two blends agree as well as each other within this.
  private static let agreementMargin = 0.01
  /// Only information that is larger by such a part makes up for agreement that is less.
  private static let leastGain = 0.1
  /// It must also be larger by so many times the part of the agreement that is lost.
  private static let gainPerLoss = 8.0

  /// Takes the candidate with the largest M among those that no nearer one to the source outvotes.
  ///
  /// A nearer one outvotes a farther one whose views agree less (than those of the source: at all)
  /// without enough information to make up for it. M alone runs to blends that are diverse and
  /// wrong; agreement alone stays with networks that say the same few things everywhere.
  ///
  /// The probes of each half of the frames must prefer it to the source, too: a stream may come from
  /// two worlds, one of which the blend would ruin.
  ///
  /// - Parameters:
  ///   - candidates: at least one; the first is the source, the others follow outwards.
  ///   - halves: the same candidates, judged by the probes of a half each.
  /// - Returns: its index.
  package static func index(
    of candidates: [BlendRecord.Candidate], halves: [[BlendRecord.Candidate]] = []
  ) -> Int {
    var best = 0
    for index in candidates.indices.dropFirst()
    where candidates[index].score > candidates[best].score {
      let isOutvoted = (0..<index).contains { nearer in
        outvotes(
          candidates[nearer], candidates[index], margin: nearer == 0 ? 0 : agreementMargin)
      }
      let isWanted = halves.allSatisfy { self.index(of: [$0[0], $0[index]]) == 1 }
      if !isOutvoted, isWanted { best = index }
    }
    return best
  }

  private static func outvotes(
    _ near: BlendRecord.Candidate, _ far: BlendRecord.Candidate, margin: Double
  ) -> Bool {
    guard far.agreement < near.agreement - margin else { return false }
    let gain = max(leastGain, gainPerLoss * (1 - far.agreement / near.agreement))
    return far.information <= (1 + gain) * near.information
  }

  /// The shares that are compared: quarters of the way up to a limit.
  package static func line(upTo limit: Double, probeCount: Int = .max) -> [Double] {
    // Few probes choose badly; so near to the source that does little harm.
    let limit = probeCount < fewestProbes ? min(limit, 0.25) : limit
    return [0, 0.25, 0.5, 0.75, 1].filter { $0 <= limit }
  }

  /// From one probe to the next, so that there are 16 to 40 where there are frames enough.
  package static func probeStride(frameCount: Int) -> Int {
    max(2, frameCount / min(mostProbeCount, max(fewestProbes, frameCount / 5)))
  }

  private static let fewestProbes = 16
  private static let mostProbeCount = 40

  /// Probes where every frame shows something; each scene may round their number up.
  package static func mostProbes(frameCount: Int, sceneLimit: Int = 0) -> Int {
    let stride = probeStride(frameCount: frameCount)
    return (frameCount + stride - 1 - stride / 2) / stride + (sceneLimit < 2 ? 0 : sceneLimit)
  }

  /// Steps at most: all frames, and every candidate on all that judge.
  package static func stepCount(
    frameCount: Int, labelledCount: Int = 0, shares: [Double], sceneLimit: Int = 0
  ) -> Int {
    frameCount
      + shares.count
      * (mostProbes(frameCount: frameCount, sceneLimit: sceneLimit) + labelledCount)
  }
}
