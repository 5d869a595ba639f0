import Das3Graph

/// How far a blend of statistics is, beside the statistics themselves: what another process needs to
/// go on with it.
struct BlendMemory: Sendable, Equatable {
  /// Frames by which the candidates are compared.
  var probes: [Int] = []
  /// Frames that the statistics are of.
  var pooledCount = 0
  var spread = ThumbnailSpread()
  /// Sums over the probes that were asked so far: of each candidate over those of the first half of
  /// the frames, and over those of the second.
  var signals: [ViewSignals] = []
  var seconds = 0.0
}

extension BlendMemory {
  var json: Json {
    .object([
      "probes": .numbers(probes.map(Double.init)), "pooled": .number(Double(pooledCount)),
      "spread": .numbers(spread.numbers), "signals": .array(signals.map { .numbers($0.numbers) }),
      "seconds": .number(seconds),
    ])
  }

  init?(_ json: Json) {
    guard let fields = json.object, let probes = fields["probes"]?.numbers,
      let pooledCount = fields["pooled"]?.number.flatMap({ Int(exactly: $0) }), pooledCount >= 0,
      let spread = fields["spread"]?.numbers.flatMap(ThumbnailSpread.init),
      let signals = fields["signals"]?.array?.map({ $0.numbers.flatMap(ViewSignals.init) }),
      let seconds = fields["seconds"]?.number
    else { return nil }
    self.probes = probes.compactMap { Int(exactly: $0) }
    self.pooledCount = pooledCount
    self.spread = spread
    self.signals = signals.compactMap { $0 }
    self.seconds = seconds
    guard self.probes.count == probes.count, self.signals.count == signals.count else { return nil }
  }
}

extension BlendRecord {
  var json: Json {
    .object([
      "candidates": .array(
        candidates.map {
          .numbers([$0.share, $0.information, $0.agreement, $0.divergence])
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
      choice == 0 || rows.indices.contains(choice), rows.allSatisfy({ $0?.count == 4 })
    else { return nil }
    candidates = rows.compactMap { row in
      row.map {
        Candidate(share: $0[0], information: $0[1], agreement: $0[2], divergence: $0[3])
      }
    }
    self.choice = choice
    reason = fields["reason"]?.number.flatMap { Int32(exactly: $0) }.flatMap(Reason.init)
    self.seconds = seconds
  }
}

extension Json {
  fileprivate static func numbers(_ values: [Double]) -> Json { .array(values.map { .number($0) }) }

  fileprivate var numbers: [Double]? {
    let values = array?.compactMap(\.number)
    return values?.count == array?.count ? values : nil
  }
}
