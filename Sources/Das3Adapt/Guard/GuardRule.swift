import Glibc

/// How a guarded run judges weights by what they say of the probes: without labels, or where the
/// labelled frames do not tell (`LabelVote`).
///
/// A *veto* refuses what no network that still works does. What is left is *preferred* where its
/// predictions are more diverse, more certain and less dependent on the view. All bounds compare with
/// the source network and the best set so far, never with uniform classes: a street is not uniform.
package enum GuardRule {
  /// Why weights are refused.
  package enum Veto: Int32, Sendable, CaseIterable {
    /// Some scores are no numbers.
    case notFinite = 1
    /// Predictions are far more certain than the source's.
    case collapsed
    /// Classes that the source sees are gone.
    case lostClasses
    /// Classes are found in proportions quite other than those of source and best set.
    case shifted
  }

  /// How far weights may be from the source network.
  package struct Bounds: Sendable, Equatable {
    /// Of the source's mean entropy of a pixel; below it a network has collapsed.
    package var entropy = 0.1
    /// Of what source and best set both see of a class, 0…1; below it the class is lost.
    package var classShare = 0.2
    /// Divergence of the shares of the classes from those of the source, and from those of the best
    /// set, in nats.
    package var shift = 0.1
    /// How sure labelled frames must be to decide alone, ½…1.
    package var certainty = 0.9

    package init() {}
  }

  /// Of all pixels; a class that the source sees on fewer is not missed.
  private static let leastShare = 0.002
  /// Classes of a network from which on one may be lost.
  private static let classCountWithSpare = 15

  /// What no working network does.
  ///
  /// - Parameters:
  ///   - candidate: sums over all probes.
  ///   - source: those of the source network.
  ///   - best: those of the best set so far. What it does not see any more is not missed, and what it
  ///     sees more often may be: sources see many things that are not there.
  ///   - bounds: of the run.
  /// - Returns: nil where nothing is wrong.
  package static func veto(
    _ candidate: ViewSignals, source: ViewSignals, best: ViewSignals, _ bounds: Bounds = Bounds()
  ) -> Veto? {
    if candidate.pixelCount < source.pixelCount { return .notFinite }
    if candidate.entropy < bounds.entropy * source.entropy { return .collapsed }
    let before = zip(source.classShares, best.classShares).map { min($0, $1) }
    let after = candidate.classShares
    let lostCount = before.indices.count {
      before[$0] >= leastShare && after[$0] < bounds.classShare * before[$0]
    }
    if lostCount > (before.count >= classCountWithSpare ? 1 : 0) { return .lostClasses }
    // A source that sees next to nothing right has other shares than a network that does.
    let shift = min(shift(of: candidate, from: source), shift(of: candidate, from: best))
    return shift > bounds.shift ? .shifted : nil
  }

  /// How far the shares of the classes have moved: their Jensen-Shannon divergence, in nats; 0…ln 2.
  package static func shift(of candidate: ViewSignals, from source: ViewSignals) -> Double {
    func term(_ share: Double, _ mean: Double) -> Double {
      share > 0 ? share / 2 * log(share / mean) : 0
    }
    return zip(source.classShares, candidate.classShares).reduce(0) { sum, shares in
      let mean = (shares.0 + shares.1) / 2
      return sum + term(shares.0, mean) + term(shares.1, mean)
    }
  }

  /// Whether one set is to be taken rather than another.
  ///
  /// Its M = IM · F must be larger over all probes, and on at least half of them one by one.
  ///
  /// - Parameters:
  ///   - candidate: by probe.
  ///   - best: the best so far, by the same probes.
  /// - Returns: false where it is no better.
  package static func prefers(_ candidate: [ViewSignals], over best: [ViewSignals]) -> Bool {
    ViewSignals(sumOf: candidate).score > ViewSignals(sumOf: best).score
      && wins(of: candidate, over: best) >= 0.5
  }

  /// The part of the probes on which one set is better than another, 0…1.
  package static func wins(of candidate: [ViewSignals], over best: [ViewSignals]) -> Double {
    let count = zip(candidate, best).count { $0.score > $1.score }
    return Double(count) / Double(max(1, candidate.count))
  }

  /// Whether the source finds too few classes for any signal to tell a good network from a bad one:
  /// at most two, or of two classes one.
  package static func seesTooFew(_ source: ViewSignals) -> Bool {
    let seenCount = source.classShares.count { $0 >= leastShare }
    return seenCount <= min(2, source.masses.count - 1)
  }
}
