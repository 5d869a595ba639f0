import Das3Graph

/// What a blend of statistics was chosen among, and what was chosen.
package struct BlendRecord: Sendable, Equatable {
  /// One network on the line from the source's statistics to the target's.
  package struct Candidate: Sendable, Equatable {
    /// How far its statistics are on the way to the target's, 0…1; 0 = the source.
    package var share: Double
    /// IM, F and V of its `ViewSignals`.
    package var information, agreement, divergence: Double
    /// On the labelled frames, 0…1; nil = there are none.
    package var meanIoU: Double?
    /// M = IM · F: diverse, certain, and the same from both sides.
    package var score: Double { information * agreement }

    init(share: Double, _ signals: ViewSignals) {
      self.init(
        share: share, information: signals.information, agreement: signals.agreement,
        divergence: signals.divergence)
    }

    package init(share: Double, information: Double, agreement: Double, divergence: Double) {
      self.share = share
      self.information = information
      self.agreement = agreement
      self.divergence = divergence
    }
  }

  package enum Reason: Int32, Sendable, CaseIterable {
    case noStatistics = 1
    case fewFrames, sameFrames, fewClasses

    /// What it means and what would help.
    package var sentence: String {
      switch self {
      case .noStatistics:
        "the network has no BatchNormalization statistics that could move, because its exporter has "
          + "folded them or it normalises otherwise; PyTorch keeps them with "
          + "training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False"
      case .fewFrames:
        "too few frames show anything; statistics need at least \(Blending.fewestFrames), spread over "
          + "all of them, that are neither black nor blank"
      case .sameFrames:
        "all frames show the same, from which nothing can be learned; statistics need frames of "
          + "different views"
      case .fewClasses:
        "the network sees hardly more than one or two classes in all frames, so that nothing tells "
          + "a better network from a worse one; frames of whole scenes are needed"
      }
    }
  }

  /// The source first, then outwards; empty where nothing was compared.
  package var candidates: [Candidate] = []
  /// Index of the one that was taken.
  package var choice = 0
  /// Why the source stays although nothing was compared; nil = it was compared.
  package var reason: Reason?
  /// Spent on it.
  package var seconds = 0.0

  /// How far the statistics have been moved, 0…1.
  package var share: Double { candidates.isEmpty ? 0 : candidates[choice].share }
}

extension BlendRecord {
  var json: Json {
    .object([
      "candidates": .array(
        candidates.map {
          .numbers([$0.share, $0.information, $0.agreement, $0.divergence, $0.meanIoU ?? -1])
        }),
      "choice": .number(Double(choice)),
      "reason": reason.map { .number(Double($0.rawValue)) } ?? .null,
      "seconds": .number(seconds),
    ])
  }

  init?(_ json: Json) {
    guard let fields = json.object, let rows = fields["candidates"]?.array?.map(\.numbers),
      let choice = fields["choice"]?.number.flatMap({ Int(exactly: $0) }),
      let seconds = fields["seconds"]?.number,
      choice == 0 || rows.indices.contains(choice),
      rows.count <= BlendChoice.line(upTo: 1).count, rows.allSatisfy({ $0?.count == 5 })
    else { return nil }
    candidates = rows.compactMap { row in
      row.map {
        var candidate = Candidate(
          share: $0[0], information: $0[1], agreement: $0[2], divergence: $0[3])
        candidate.meanIoU = $0[4] < 0 ? nil : $0[4]
        return candidate
      }
    }
    self.choice = choice
    reason = fields["reason"]?.number.flatMap { Int32(exactly: $0) }.flatMap(Reason.init)
    self.seconds = seconds
  }
}
