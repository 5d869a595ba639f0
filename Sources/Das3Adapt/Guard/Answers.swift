import Das3Graph
import Das3Runtime

/// What one set of weights says of the frames that judge it, as far as it was asked: first of the
/// probes, then of the labelled frames.
package struct Answers: Sendable, Equatable {
  /// Of each probe, without labels.
  package var probes: [ViewSignals] = []
  /// Of each labelled frame, by class.
  package var labelled: [[ClassOverlap]] = []

  /// What it says of one frame.
  enum Answer {
    case probe(ViewSignals)
    case labelled([ClassOverlap])
  }

  package init(probes: [ViewSignals] = [], labelled: [[ClassOverlap]] = []) {
    self.probes = probes
    self.labelled = labelled
  }

  /// Frames it was asked about.
  package var count: Int { probes.count + labelled.count }

  /// Whether these are the answers to the first of so many questions.
  func isPossible(probeCount: Int, labelledCount: Int, classCount: Int) -> Bool {
    probes.count <= probeCount && labelled.count <= labelledCount
      && (labelled.isEmpty || probes.count == probeCount)
      && probes.allSatisfy { $0.masses.count == classCount }
      && labelled.allSatisfy { frame in
        frame.count == labelled[0].count
          && frame.allSatisfy { $0.intersection <= $0.union && $0.union < 1 << 40 }
      }
  }

  mutating func add(_ answer: Answer) {
    switch answer {
    case .probe(let signals): probes.append(signals)
    case .labelled(let overlaps): labelled.append(overlaps)
    }
  }
}

extension Answers {
  var json: Json {
    .object([
      "probes": .array(probes.map { .numbers($0.numbers) }),
      "labelled": .array(
        labelled.map { frame in
          .numbers(frame.flatMap { [Double($0.intersection), Double($0.union)] })
        }),
    ])
  }

  init?(_ json: Json) {
    guard let fields = json.object, let probes = fields["probes"]?.array,
      let labelled = fields["labelled"]?.array
    else { return nil }
    self.init(
      probes: probes.compactMap { $0.numbers.flatMap(ViewSignals.init) },
      labelled: labelled.compactMap { $0.numbers.flatMap(Self.overlaps) })
    guard self.probes.count == probes.count, self.labelled.count == labelled.count else {
      return nil
    }
  }

  /// Two numbers a class.
  private static func overlaps(_ numbers: [Double]) -> [ClassOverlap]? {
    let counts = numbers.compactMap { UInt64(exactly: $0) }
    guard counts.count == numbers.count, counts.count.isMultiple(of: 2) else { return nil }
    return stride(from: 0, to: counts.count, by: 2).map {
      ClassOverlap(intersection: counts[$0], union: counts[$0 + 1])
    }
  }
}
