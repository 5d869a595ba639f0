// What is known of many frames in, the few that are worth labelling out.

/// Chooses frames one after the other by how uncertain, different and probable they are.
///
/// The next one has the largest product of
///
///     uncertain   its mean entropy
///     different   its distance to the nearest frame that is picked already; 1 for the first
///
/// among those that are probable: the distance to the k-th nearest frame lies within Tukey's fence, at
/// most 1.5 interquartile ranges above the upper quartile of all. k = frames / picks is how many
/// frames a pick has to stand for. Frames beyond the fence, which are like no others, are picked when
/// there are no more within it. Of equal products the earlier frame wins, so that the same frames give
/// the same picks.
///
/// The frame farthest from those chosen is the greedy k-centre of core-sets (Sener, Savarese 2018);
/// that entropy alone finds outliers, and the density of neighbours tells them, is from sampling by
/// uncertainty and density (Zhu, Wang, Yao, Tsou 2008).
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
    let outliers = outliers(neighbourCount: max(1, frames.count / count))
    var nearest = [(distance: Double, pick: Int)?](repeating: nil, count: frames.count)
    var rest = Set(frames.indices)
    var picks: [Pick] = []
    while picks.count < count, !rest.isEmpty {
      let probable = rest.subtracting(outliers)
      let next = best(of: probable.isEmpty ? rest : probable, nearest)
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

  private func best(of candidates: Set<Int>, _ nearest: [(distance: Double, pick: Int)?]) -> Int {
    var best = (frame: Int.max, score: -1.0)
    for frame in candidates {
      let score = frames[frame].entropy * (nearest[frame]?.distance ?? 1)
      if score > best.score || score == best.score && frame < best.frame { best = (frame, score) }
    }
    return best.frame
  }

  /// The share of the other frames that have less entropy.
  private func shareBelow(_ entropy: Double) -> Double {
    Double(frames.count { $0.entropy < entropy }) / Double(max(1, frames.count - 1))
  }

  /// The frames beyond the fence.
  private func outliers(neighbourCount: Int) -> Set<Int> {
    let stride = (frames.count + Self.mostCompared - 1) / Self.mostCompared
    let distances = frames.indices.map { frame in
      let others = Swift.stride(from: 0, to: frames.count, by: stride).filter { $0 != frame }
      let sorted = others.map { frames[frame].distance(to: frames[$0]) }.sorted()
      return sorted.isEmpty ? 0 : sorted[min(sorted.count, max(1, neighbourCount / stride)) - 1]
    }
    let sorted = distances.sorted()
    let (lower, upper) = (sorted[sorted.count / 4], sorted[sorted.count * 3 / 4])
    let limit = upper + Self.fence * (upper - lower)
    return Set(distances.indices.filter { distances[$0] > limit })
  }
}
