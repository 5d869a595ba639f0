// What is known of many frames in, the few that are worth labelling out.

/// Chooses frames one after the other by how uncertain, different and probable they are.
///
/// The next one has the largest product of
///
///     uncertain   its mean entropy
///     probable    its mean likeness to the k frames that are most like it
///     different   its distance to the nearest frame that is picked already; 1 for the first
///
/// where k = frames / picks is how many frames a pick has to stand for. Frames whose likeness lies
/// below Tukey's fence, 1.5 interquartile ranges under the lower quartile, are like no others; they
/// are picked when nothing else is left. Of equal products the earlier frame wins, so that the same
/// frames give the same picks.
///
/// Entropy times the density of neighbours is sampling by uncertainty and density (Zhu, Wang, Yao,
/// Tsou 2008), the frame farthest from those chosen the greedy k-centre of core-sets (Sener, Savarese
/// 2018).
struct FramePicker {
  struct Pick {
    /// Which of the frames it is.
    let frame: Int
    /// The share of the other frames that have less entropy.
    let uncertain: Double
    /// The distance to the nearest pick before it, and which one that is; nil for the first.
    let nearest: (distance: Double, pick: Int)?
    /// Whether it is like no others.
    let isOutlier: Bool
  }

  let frames: [FrameTraits]

  /// Neighbours are looked for among so many frames, which are evenly spread over all, so that time
  /// grows with the frames and not with their square.
  private static let mostCompared = 1024
  /// Tukey's.
  private static let fence = 1.5

  /// Picks `count` frames, or all where there are no more.
  func pick(_ count: Int) -> [Pick] {
    let densities = densities(neighbourCount: max(1, frames.count / count))
    let outliers = Self.outliers(densities)
    var nearest = [(distance: Double, pick: Int)?](repeating: nil, count: frames.count)
    var rest = Set(frames.indices)
    var picks: [Pick] = []
    while picks.count < count, !rest.isEmpty {
      let usual = rest.subtracting(outliers)
      let next = best(of: usual.isEmpty ? rest : usual, densities, nearest)
      rest.remove(next)
      picks.append(
        Pick(
          frame: next, uncertain: shareBelow(frames[next].entropy), nearest: nearest[next],
          isOutlier: outliers.contains(next)))
      for frame in rest {
        let distance = frames[frame].distance(to: frames[next])
        if distance < nearest[frame]?.distance ?? .infinity {
          nearest[frame] = (distance, picks.count - 1)
        }
      }
    }
    return picks
  }

  private func best(
    of candidates: Set<Int>, _ densities: [Double], _ nearest: [(distance: Double, pick: Int)?]
  ) -> Int {
    var best = (frame: Int.max, score: -1.0)
    for frame in candidates {
      let score = frames[frame].entropy * densities[frame] * (nearest[frame]?.distance ?? 1)
      if score > best.score || score == best.score && frame < best.frame { best = (frame, score) }
    }
    return best.frame
  }

  /// The share of the other frames that have less entropy.
  private func shareBelow(_ entropy: Double) -> Double {
    Double(frames.count { $0.entropy < entropy }) / Double(max(1, frames.count - 1))
  }

  /// Of each frame the mean likeness to its neighbours.
  private func densities(neighbourCount: Int) -> [Double] {
    let stride = (frames.count + Self.mostCompared - 1) / Self.mostCompared
    return frames.indices.map { frame in
      let others = Swift.stride(from: 0, to: frames.count, by: stride).filter { $0 != frame }
      let likenesses = others.map { frames[frame].likeness(to: frames[$0]) }.sorted(by: >)
      let nearest = likenesses.prefix(max(1, neighbourCount / stride))
      return nearest.reduce(0, +) / Double(max(1, nearest.count))
    }
  }

  /// The frames below the fence.
  private static func outliers(_ densities: [Double]) -> Set<Int> {
    let sorted = densities.sorted()
    let (lower, upper) = (sorted[sorted.count / 4], sorted[sorted.count * 3 / 4])
    let limit = lower - fence * (upper - lower)
    return Set(densities.indices.filter { densities[$0] < limit })
  }
}
