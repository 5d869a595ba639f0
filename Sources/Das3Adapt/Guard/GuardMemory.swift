import Das3Graph

/// What a guarded run looks back to: the probes, what source and best set say of them, and the best
/// set itself.
package struct GuardMemory: Sendable, Equatable {
  /// Frames that nothing is learned from.
  package let probes: [Int]
  /// What the source says, by probe.
  let source: [ViewSignals]
  /// What the best set so far says, by probe.
  private(set) var best: [ViewSignals]
  /// The best set so far; empty = the source.
  package var weights: [Float] = []
  package var record = GuardRecord()

  /// Begins with the source as the best set.
  init(probes: [Int], source: [ViewSignals]) {
    self.probes = probes
    self.source = source
    best = source
    record.candidates = [candidate(source, origin: .source, share: 1)]
    record.candidates[0].isAccepted = true
  }

  /// A set of weights as the record lists it.
  private func candidate(_ signals: [ViewSignals], origin: GuardRecord.Origin, share: Double)
    -> GuardRecord.Candidate
  {
    let (sum, ofSource) = (ViewSignals(sumOf: signals), ViewSignals(sumOf: source))
    return GuardRecord.Candidate(
      origin: origin, share: share, information: sum.information, agreement: sum.agreement,
      divergence: sum.divergence, entropy: sum.entropy,
      shift: GuardRule.shift(of: sum, from: ofSource),
      wins: GuardRule.wins(of: signals, over: best),
      isAccepted: false)
  }

  /// Takes weights as the best ones unheard.
  mutating func accept(
    _ signals: [ViewSignals], _ weights: [Float], origin: GuardRecord.Origin, share: Double
  ) {
    var candidate = candidate(signals, origin: origin, share: share)
    candidate.isAccepted = true
    record.choice = record.candidates.count
    record.candidates.append(candidate)
    (best, self.weights) = (signals, weights)
  }

  /// Judges weights, which become the best ones where they are preferred to those.
  ///
  /// - Returns: how they were judged.
  mutating func judge(
    _ signals: [ViewSignals], _ weights: [Float], origin: GuardRecord.Origin, share: Double,
    _ bounds: GuardRule.Bounds
  ) -> GuardRecord.Candidate {
    var candidate = candidate(signals, origin: origin, share: share)
    candidate.veto = GuardRule.veto(
      ViewSignals(sumOf: signals), source: ViewSignals(sumOf: source),
      best: ViewSignals(sumOf: best),
      bounds)
    if candidate.veto == nil, GuardRule.prefers(signals, over: best) {
      accept(signals, weights, origin: origin, share: share)
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
  func isPossible(frameCount: Int, classCount: Int, weightCount: Int) -> Bool {
    probes.allSatisfy { (0..<frameCount).contains($0) }
      && [source, best].allSatisfy { signals in
        signals.count == probes.count && signals.allSatisfy { $0.masses.count == classCount }
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
      "source": .array(source.map { .numbers($0.numbers) }),
      "best": .array(best.map { .numbers($0.numbers) }), "record": record.json,
    ])
  }

  init?(_ json: Json) {
    func signals(_ name: String) -> [ViewSignals]? {
      let rows = json.object?[name]?.array
      let signals = rows?.compactMap { $0.numbers.flatMap(ViewSignals.init) }
      return signals?.count == rows?.count ? signals : nil
    }
    guard let probes = json.object?["probes"]?.numbers?.map({ Int(exactly: $0) }),
      let source = signals("source"), let best = signals("best"),
      let record = json.object?["record"].flatMap(GuardRecord.init), !record.candidates.isEmpty
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
  /// What it says of the probes, as far as they were asked.
  package var signals: [ViewSignals] = []
  package var seconds = 0.0

  package init() {}

  /// Whether judging can have left this.
  func isPossible(classCount: Int, of memory: GuardMemory) -> Bool {
    Judging.shares.contains(share) && signals.count < memory.probes.count
      && signals.allSatisfy { $0.masses.count == classCount }
  }
}

extension TrialMemory {
  var json: Json {
    .object([
      "share": .number(share), "signals": .array(signals.map { .numbers($0.numbers) }),
      "seconds": .number(seconds),
    ])
  }

  init?(_ json: Json) {
    guard let fields = json.object, let share = fields["share"]?.number, (0...1).contains(share),
      let rows = fields["signals"]?.array, let seconds = fields["seconds"]?.number
    else { return nil }
    (self.share, self.seconds) = (share, seconds)
    signals = rows.compactMap { $0.numbers.flatMap(ViewSignals.init) }
    guard signals.count == rows.count else { return nil }
  }
}
