import Das3Runtime

/// Whether labelled frames tell which of two sets of weights is better: a paired bootstrap of mIoU.
///
/// As many frames as there are are drawn again and again, each of them perhaps several times. The part
/// of the draws in which one set has the larger mIoU says how sure it is that it is the better one
/// (Efron and Tibshirani, An Introduction to the Bootstrap, 1993).
package enum LabelVote {
  /// With fewer frames the draws are too much alike to say anything.
  package static let fewestFrames = 5
  private static let drawCount = 1000

  package enum Verdict: Sendable {
    case better, worse
    /// The frames do not tell; other votes decide.
    case open
  }

  /// How sure it is that one set is better than another.
  ///
  /// - Parameters:
  ///   - candidate: by frame.
  ///   - other: by the same frames.
  /// - Returns: 0…1; ½ where both are alike; nil without frames.
  package static func probability(
    of candidate: [[ClassOverlap]], over other: [[ClassOverlap]]
  ) -> Double? {
    guard let first = candidate.first, candidate.count == other.count else { return nil }
    let none = [ClassOverlap](repeating: ClassOverlap(), count: first.count)
    var random = Random(seed: 0)
    var wins = 0.0
    for _ in 0..<drawCount {
      var (mine, others) = (none, none)
      for _ in candidate.indices {
        let frame = random.below(candidate.count)
        mine.add(candidate[frame])
        others.add(other[frame])
      }
      let (mean, otherMean) = (mine.meanIoU, others.meanIoU)
      wins += mean > otherMean ? 1 : mean == otherMean ? 0.5 : 0
    }
    return wins / Double(drawCount)
  }

  /// What follows from a probability: that and its opposite count alike.
  ///
  /// - Parameters:
  ///   - probability: nil = there are no labelled frames.
  ///   - certainty: from which on they decide, ½…1.
  /// - Returns: `.open` between the two.
  package static func verdict(_ probability: Double?, certainty: Double) -> Verdict {
    guard let probability else { return .open }
    if probability >= certainty { return .better }
    return 1 - probability >= certainty ? .worse : .open
  }

  /// The candidate with the largest mIoU, where labels are sure that it is better than the one that
  /// other votes chose.
  ///
  /// - Parameters:
  ///   - voted: index of the one that other votes chose.
  ///   - candidates: by candidate and frame.
  ///   - certainty: from which on labels decide, ½…1.
  /// - Returns: its index, or `voted`.
  static func choice(_ voted: Int, among candidates: [[[ClassOverlap]]], certainty: Double) -> Int {
    let means = candidates.map(\.meanIoU)
    guard let best = means.indices.max(by: { means[$0] < means[$1] }) else { return voted }
    let probability = probability(of: candidates[best], over: candidates[voted])
    return verdict(probability, certainty: certainty) == .better ? best : voted
  }
}

extension [[ClassOverlap]] {
  /// Of all frames together; 0 without frames.
  var meanIoU: Double {
    guard var sum = first else { return 0 }
    for frame in dropFirst() { sum.add(frame) }
    return sum.meanIoU
  }
}
