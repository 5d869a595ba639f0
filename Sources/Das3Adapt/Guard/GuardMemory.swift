import Das3Graph

/// What a guarded run looks back to: the frames that judge, what source and best set say of them, and
/// the best set itself.
package struct GuardMemory: Sendable, Equatable {
  /// Frames that nothing is learned from.
  package let probes: [Int]
  /// What the source says.
  let source: Answers
  /// What the best set so far says.
  private(set) var best: Answers
  /// The best set so far; empty = the source.
  package var weights: [Float] = []
  package var record = GuardRecord()

  /// Begins with the source as the best set.
  init(probes: [Int], source: Answers) {
    self.probes = probes
    self.source = source
    best = source
    record.candidates = [candidate(source, origin: .source, share: 1)]
    record.candidates[0].isAccepted = true
  }

  /// A set of weights as the record lists it.
  private func candidate(_ answers: Answers, origin: GuardRecord.Origin, share: Double)
    -> GuardRecord.Candidate
  {
    let (sum, ofSource) = (ViewSignals(sumOf: answers.probes), ViewSignals(sumOf: source.probes))
    return GuardRecord.Candidate(
      origin: origin, share: share, information: sum.information, agreement: sum.agreement,
      divergence: sum.divergence, entropy: sum.entropy,
      shift: GuardRule.shift(of: sum, from: ofSource),
      wins: GuardRule.wins(of: answers.probes, over: best.probes),
      meanIoU: answers.labelled.isEmpty ? nil : answers.labelled.meanIoU,
      probability: LabelVote.probability(of: answers.labelled, over: best.labelled),
      isAccepted: false)
  }

  /// Takes weights as the best ones unheard.
  mutating func accept(
    _ answers: Answers, _ weights: [Float], origin: GuardRecord.Origin, share: Double
  ) {
    var candidate = candidate(answers, origin: origin, share: share)
    candidate.isAccepted = true
    record.choice = record.candidates.count
    record.candidates.append(candidate)
    (best, self.weights) = (answers, weights)
  }

  /// Judges weights, which become the best ones where they are preferred to those.
  ///
  /// - Returns: how they were judged.
  mutating func judge(
    _ answers: Answers, _ weights: [Float], origin: GuardRecord.Origin, share: Double,
    _ bounds: GuardRule.Bounds
  ) -> GuardRecord.Candidate {
    var candidate = candidate(answers, origin: origin, share: share)
    let labels = LabelVote.verdict(candidate.probability, certainty: bounds.certainty)
    candidate.veto = GuardRule.veto(
      ViewSignals(sumOf: answers.probes), source: ViewSignals(sumOf: source.probes),
      best: ViewSignals(sumOf: best.probes), bounds)
    // What is seen to be better is not refused for what it looks like.
    if labels == .better, candidate.veto != .notFinite { candidate.veto = nil }
    let isPreferred =
      labels == .open ? GuardRule.prefers(answers.probes, over: best.probes) : labels == .better
    if candidate.veto == nil, isPreferred {
      accept(answers, weights, origin: origin, share: share)
    } else {
      record.candidates.append(candidate)
    }
    return record.candidates[record.candidates.count - 1]
  }

  /// Ends the run.
  mutating func conclude() {
    record.isFinal = true
    guard weights.isEmpty else { return }
    let trained = record.candidates.dropFirst()
    record.reason = trained.allSatisfy { $0.veto != nil } ? .refused : .notBetter
  }

  /// Whether a run can have left this.
  func isPossible(frameCount: Int, labelledCount: Int, classCount: Int, weightCount: Int) -> Bool {
    probes.allSatisfy { (0..<frameCount).contains($0) }
      && [source, best].allSatisfy {
        $0.count == probes.count + labelledCount
          && $0.isPossible(
            probeCount: probes.count, labelledCount: labelledCount, classCount: classCount)
      } && (weights.isEmpty || weights.count == weightCount)
      && weights.isEmpty == (record.choice == 0)
  }

  var byteCount: Int { weights.count * MemoryLayout<Float>.stride }
}

extension GuardMemory {
  /// All but the weights.
  var json: Json {
    .object([
      "probes": .numbers(probes.map(Double.init)),
      "source": source.json, "best": best.json, "record": record.json,
    ])
  }

  init?(_ json: Json) {
    guard let fields = json.object,
      let probes = fields["probes"]?.numbers?.map({ Int(exactly: $0) }),
      let source = fields["source"].flatMap(Answers.init),
      let best = fields["best"].flatMap(Answers.init),
      let record = fields["record"].flatMap(GuardRecord.init), !record.candidates.isEmpty
    else { return nil }
    self.probes = probes.compactMap { $0 }
    guard self.probes.count == probes.count else { return nil }
    (self.source, self.best, self.record) = (source, best, record)
  }
}

/// How far the judging of a stage's weights is.
package struct TrialMemory: Sendable, Equatable {
  /// How far the judged set is on the line from the best set to what the stage led to.
  package var share = 1.0
  /// What it says, as far as it was asked.
  package var answers = Answers()
  package var seconds = 0.0

  package init() {}

  /// Whether judging can have left this.
  func isPossible(classCount: Int, of memory: GuardMemory) -> Bool {
    Judging.shares.contains(share) && answers.count < memory.source.count
      && answers.isPossible(
        probeCount: memory.source.probes.count, labelledCount: memory.source.labelled.count,
        classCount: classCount)
  }
}

extension TrialMemory {
  var json: Json {
    .object([
      "share": .number(share), "answers": answers.json, "seconds": .number(seconds),
    ])
  }

  init?(_ json: Json) {
    guard let fields = json.object, let share = fields["share"]?.number, (0...1).contains(share),
      let answers = fields["answers"].flatMap(Answers.init), let seconds = fields["seconds"]?.number
    else { return nil }
    (self.share, self.answers, self.seconds) = (share, answers, seconds)
  }
}
