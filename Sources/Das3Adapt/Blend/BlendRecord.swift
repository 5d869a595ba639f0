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

  /// Scenes that the frames are of.
  package struct Scenes: Sendable, Equatable {
    /// Frames that the statistics of each are of.
    package var frameCounts: [Int]
    /// Networks in which each frame has the statistics of its scene, growing shares.
    package var candidates: [Candidate]
    /// Index of the one that was taken; nil = one set for all frames is better.
    package var choice: Int?

    package init(frameCounts: [Int], candidates: [Candidate], choice: Int? = nil) {
      (self.frameCounts, self.candidates, self.choice) = (frameCounts, candidates, choice)
    }

    /// How far the statistics of each scene have been moved; nil = they are not used.
    package var share: Double? { choice.map { candidates[$0].share } }
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
  /// nil = none were looked for, or all frames are of one.
  package var scenes: Scenes?

  /// How far the statistics have been moved, 0…1.
  package var share: Double { candidates.isEmpty ? 0 : candidates[choice].share }
}

extension BlendRecord.Candidate {
  fileprivate var json: Json {
    .numbers([share, information, agreement, divergence, meanIoU ?? -1])
  }

  fileprivate init?(_ json: Json) {
    guard let row = json.numbers, row.count == 5 else { return nil }
    self.init(share: row[0], information: row[1], agreement: row[2], divergence: row[3])
    meanIoU = row[4] < 0 ? nil : row[4]
  }

  fileprivate static func line(_ json: Json?) -> [Self]? {
    guard let rows = json?.array, rows.count <= BlendChoice.line(upTo: 1).count else { return nil }
    let line = rows.compactMap(Self.init)
    return line.count == rows.count ? line : nil
  }
}

extension BlendRecord.Scenes {
  fileprivate var json: Json {
    .object([
      "frames": .numbers(frameCounts.map(Double.init)),
      "candidates": .array(candidates.map(\.json)),
      "choice": choice.map { .number(Double($0)) } ?? .null,
    ])
  }

  fileprivate init?(_ json: Json) {
    guard let fields = json.object,
      let counts = fields["frames"]?.numbers?.map({ Int(exactly: $0) ?? 0 }),
      (2...SceneBank.mostScenes).contains(counts.count),
      let candidates = BlendRecord.Candidate.line(fields["candidates"])
    else { return nil }
    let choice = fields["choice"]?.number.map { Int(exactly: $0) ?? -1 }
    guard choice.map(candidates.indices.contains) ?? true else { return nil }
    self.init(frameCounts: counts, candidates: candidates, choice: choice)
  }
}

extension BlendRecord {
  var json: Json {
    .object([
      "candidates": .array(candidates.map(\.json)),
      "choice": .number(Double(choice)),
      "reason": reason.map { .number(Double($0.rawValue)) } ?? .null,
      "seconds": .number(seconds), "scenes": scenes?.json ?? .null,
    ])
  }

  init?(_ json: Json) {
    guard let fields = json.object, let candidates = Candidate.line(fields["candidates"]),
      let choice = fields["choice"]?.number.flatMap({ Int(exactly: $0) }),
      let seconds = fields["seconds"]?.number,
      choice == 0 || candidates.indices.contains(choice)
    else { return nil }
    (self.candidates, self.choice) = (candidates, choice)
    reason = fields["reason"]?.number.flatMap { Int32(exactly: $0) }.flatMap(Reason.init)
    self.seconds = seconds
    guard let found = fields["scenes"], found != .null else { return }
    guard let scenes = Scenes(found) else { return nil }
    self.scenes = scenes
  }
}
