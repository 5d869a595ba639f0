import Das3Graph

/// How far a blend of statistics is, beside the statistics themselves: what another process needs to
/// go on with it.
package struct BlendMemory: Sendable, Equatable {
  /// Frames by which the candidates are compared.
  package var probes: [Int] = []
  /// Frames that the statistics are of.
  package var pooledCount = 0
  /// Those of each scene; empty where there is one.
  var scenePooledCounts: [Int] = []
  var spread = ThumbnailSpread()
  /// Of each candidate, as far as they were asked.
  package var answers: [Answers] = []
  var seconds = 0.0

  package init() {}

  /// Whether a run can have left this before a step, counted from 0 within the blend.
  ///
  /// - Parameters:
  ///   - step: that comes next.
  ///   - frameCount: of the target.
  ///   - labelledCount: frames with truth that judge.
  ///   - classCount: of the network.
  ///   - limit: how far the statistics may be moved, 0…1.
  ///   - sceneLimit: how far those of scenes may be; 0 = none are looked for.
  /// - Returns: false for what only a file that was made to deceive can hold.
  package func isPossible(
    before step: Int, frameCount: Int, labelledCount: Int = 0, classCount: Int, limit: Double,
    sceneLimit: Double = 0
  ) -> Bool {
    let wholeCount = probes.count + labelledCount
    guard probes.allSatisfy({ (0..<frameCount).contains($0) }),
      answers.dropLast().allSatisfy({ $0.count == wholeCount }),
      answers.allSatisfy({
        $0.isPossible(
          probeCount: probes.count, labelledCount: labelledCount, classCount: classCount)
      })
    else { return false }
    guard step >= frameCount else { return answers.isEmpty }
    func shareCount(_ limit: Double) -> Int {
      BlendChoice.line(upTo: limit, probeCount: probes.count).count
    }
    let candidateCount =
      shareCount(pooledCount > 0 ? limit : 0)
      + (scenePooledCounts.isEmpty ? 0 : shareCount(sceneLimit) - 1)
    return step - frameCount < candidateCount * wholeCount
      && answers.reduce(0) { $0 + $1.count } == step - frameCount
  }
}

extension BlendMemory {
  var json: Json {
    .object([
      "probes": .numbers(probes.map(Double.init)), "pooled": .number(Double(pooledCount)),
      "scenes": .numbers(scenePooledCounts.map(Double.init)),
      "spread": .numbers(spread.numbers), "answers": .array(answers.map(\.json)),
      "seconds": .number(seconds),
    ])
  }

  init?(_ json: Json) {
    guard let fields = json.object, let probes = fields["probes"]?.numbers,
      let pooledCount = fields["pooled"]?.number.flatMap({ Int(exactly: $0) }), pooledCount >= 0,
      let spread = fields["spread"]?.numbers.flatMap(ThumbnailSpread.init),
      let answers = fields["answers"]?.array?.map(Answers.init),
      let seconds = fields["seconds"]?.number
    else { return nil }
    self.probes = probes.compactMap { Int(exactly: $0) }
    self.pooledCount = pooledCount
    scenePooledCounts = (fields["scenes"]?.numbers ?? []).map { Int(exactly: $0) ?? -1 }
    guard scenePooledCounts.count <= SceneBank.mostScenes,
      scenePooledCounts.allSatisfy({ $0 >= 0 })
    else { return nil }
    self.spread = spread
    self.answers = answers.compactMap { $0 }
    self.seconds = seconds
    guard self.probes.count == probes.count, self.answers.count == answers.count else { return nil }
  }
}

extension Json {
  static func numbers(_ values: [Double]) -> Json { .array(values.map { .number($0) }) }

  var numbers: [Double]? {
    let values = array?.compactMap(\.number)
    return values?.count == array?.count ? values : nil
  }
}
