import Das3Graph

/// What a guarded run has judged, by which numbers, and what it has taken.
package struct GuardRecord: Sendable, Equatable {
  /// Where weights come from.
  package enum Origin: Int32, Sendable {
    case source
    /// The source with a blend of statistics.
    case blend
    /// A method that has no stages.
    case training
    case a = 0x61
    case b = 0x62
    case c = 0x63

    init(_ letter: AdaptationSettings.Letter?) {
      self = letter.flatMap { Origin(rawValue: Int32($0.rawValue)) } ?? .training
    }
  }

  /// A set of weights and what was found out about it.
  package struct Candidate: Sendable, Equatable {
    package var origin: Origin
    /// How far it is on the line from the best set before it to what training led to, 0…1.
    package var share: Double
    /// IM, F and V of its `ViewSignals`.
    package var information, agreement, divergence: Double
    /// Mean entropy of a pixel, in nats.
    package var entropy: Double
    /// Of its shares of classes from the source's, in nats.
    package var shift: Double
    /// Probes on which it is better than the best set before it, 0…1.
    package var wins: Double
    /// On the labelled frames, 0…1; nil = there are none.
    package var meanIoU: Double?
    /// That it is better than the best set before it, by labels, 0…1; nil likewise.
    package var probability: Double?
    /// nil = nothing is wrong with it.
    package var veto: GuardRule.Veto?
    /// Whether it was the best when it was judged.
    package var isAccepted: Bool

    /// M = IM · F, as of `ViewSignals`.
    package var score: Double { information * agreement }
  }

  /// Why the source's weights are the result.
  package enum Reason: Int32, Sendable, CaseIterable {
    case fewFrames = 1
    case sameFrames, fewClasses, refused, notBetter

    init?(_ reason: BlendRecord.Reason?) {
      switch reason {
      case .fewFrames: self = .fewFrames
      case .sameFrames: self = .sameFrames
      case .fewClasses: self = .fewClasses
      case .noStatistics, nil: return nil
      }
    }

    /// What it means and what would help.
    package var sentence: String {
      switch self {
      case .fewFrames:
        "too few frames show anything; adapting needs at least \(Blending.fewestFrames) that are neither "
          + "black nor blank, learning from a stream 24 that differ"
      case .sameFrames: BlendRecord.Reason.sameFrames.sentence
      case .fewClasses: BlendRecord.Reason.fewClasses.sentence
      case .refused:
        "all that training led to was refused, because classes were lost or predictions became far "
          + "too certain; more frames, or frames of more scenes, may help"
      case .notBetter:
        "nothing that training led to did better than the source network on the frames that were "
          + "kept apart; the network may be good here already, or more frames may help"
      }
    }
  }

  /// In the order they were judged; the source first.
  package var candidates: [Candidate] = []
  /// Index of the best so far.
  package var choice = 0
  /// Why the source stays; nil = it does not, or nothing is decided yet.
  package var reason: Reason?
  /// Whether the run is over.
  package var isFinal = false
  /// Spent on judging.
  package var seconds = 0.0
}

extension GuardRecord {
  var json: Json {
    .object([
      "candidates": .array(
        candidates.map {
          .numbers([
            Double($0.origin.rawValue), $0.share, $0.information, $0.agreement, $0.divergence,
            $0.entropy, $0.shift, $0.wins, Double($0.veto?.rawValue ?? 0), $0.isAccepted ? 1 : 0,
            $0.meanIoU ?? -1, $0.probability ?? -1,
          ])
        }),
      "choice": .number(Double(choice)),
      "reason": reason.map { .number(Double($0.rawValue)) } ?? .null,
      "final": .bool(isFinal), "seconds": .number(seconds),
    ])
  }

  init?(_ json: Json) {
    guard let fields = json.object, let rows = fields["candidates"]?.array,
      let choice = fields["choice"]?.number.flatMap({ Int(exactly: $0) }),
      let seconds = fields["seconds"]?.number, case .bool(let isFinal)? = fields["final"],
      choice == 0 || rows.indices.contains(choice)
    else { return nil }
    candidates = rows.compactMap { $0.numbers.flatMap(Candidate.init) }
    guard candidates.count == rows.count else { return nil }
    self.choice = choice
    self.isFinal = isFinal
    self.seconds = seconds
    reason = fields["reason"]?.number.flatMap { Int32(exactly: $0) }.flatMap(Reason.init)
  }
}

extension GuardRecord.Candidate {
  fileprivate init?(_ row: [Double]) {
    guard row.count == 12, let origin = Int32(exactly: row[0]).flatMap(GuardRecord.Origin.init),
      let veto = Int32(exactly: row[8])
    else { return nil }
    self.init(
      origin: origin, share: row[1], information: row[2], agreement: row[3], divergence: row[4],
      entropy: row[5], shift: row[6], wins: row[7], meanIoU: row[10] < 0 ? nil : row[10],
      probability: row[11] < 0 ? nil : row[11], veto: GuardRule.Veto(rawValue: veto),
      isAccepted: row[9] == 1)
  }
}
