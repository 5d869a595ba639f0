import Das3Adapt
import Das3Graph
import Testing

/// What a guarded run refuses and prefers.
@Suite("Guard")
struct GuardTests {
  /// One probe of 1000 pixels.
  private func signals(
    _ shares: [Double], entropy: Double = 0.5, agreement: Double = 0.9, pixelCount: Double = 1000
  ) -> ViewSignals {
    var signals = ViewSignals(classCount: shares.count)
    signals.masses = shares.map { $0 * pixelCount }
    signals.entropySum = entropy * pixelCount
    signals.sameCount = agreement * pixelCount
    signals.pixelCount = pixelCount
    return signals
  }

  private let source = [0.5, 0.3, 0.15, 0.04, 0.01]

  @Test("a network that works is not refused, whatever it gains or loses")
  func healthy() {
    let source = signals(source)
    for other in [
      source, signals([0.45, 0.35, 0.1, 0.09, 0.01], entropy: 0.2, agreement: 0.5),
      signals([0.5, 0.3, 0.15, 0.047, 0.003], entropy: 2),
    ] {
      #expect(GuardRule.veto(other, source: source, best: source) == nil)
    }
  }

  @Test("scores that are no numbers, certainty of everything, lost classes, other proportions")
  func vetoes() {
    let source = signals(source)
    #expect(
      GuardRule.veto(signals(self.source, pixelCount: 999), source: source, best: source)
        == .notFinite)
    let certain = signals(self.source, entropy: 0.04)
    #expect(GuardRule.veto(certain, source: source, best: source) == .collapsed)
    #expect(
      GuardRule.veto(signals([0.5, 0.3, 0.15, 0.049, 0.001]), source: source, best: source)
        == .lostClasses)
    #expect(
      GuardRule.veto(signals([0.11, 0.07, 0.77, 0.04, 0.01]), source: source, best: source)
        == .shifted)
  }

  @Test("of many classes one may be lost, but not two; what hardly anything shows is not missed")
  func spare() {
    var shares = [Double](repeating: 0.05, count: 20)
    let source = signals(shares)
    (shares[3], shares[4]) = (0.001, 0.099)
    #expect(GuardRule.veto(signals(shares), source: source, best: source) == nil)
    (shares[7], shares[8]) = (0.001, 0.099)
    #expect(GuardRule.veto(signals(shares), source: source, best: source) == .lostClasses)
    // Nor is what the best set does not see any more.
    let best = signals([0.5, 0.3, 0.1905, 0.0005, 0.009])
    let lost = signals([0.5, 0.3, 0.1909, 0.0001, 0.009])
    #expect(GuardRule.veto(lost, source: signals(self.source), best: best) == nil)
    let rare = signals([0.999, 0.0006, 0.0004])
    #expect(GuardRule.veto(signals([1, 0, 0]), source: rare, best: rare) == nil)
  }

  @Test("preferred is what is better in sum and on half of the probes")
  func preference() {
    let best = [0.9, 0.9, 0.9, 0.9].map { signals(source, agreement: $0) }
    func isPreferred(_ agreements: [Double]) -> Bool {
      GuardRule.prefers(agreements.map { signals(source, agreement: $0) }, over: best)
    }
    #expect(isPreferred([0.95, 0.95, 0.9, 0.9]) && !isPreferred([0.9, 0.9, 0.9, 0.9]))
    // One probe alone decides nothing.
    #expect(!isPreferred([0.99, 0.89, 0.9, 0.9]))
    #expect(!isPreferred([0.91, 0.91, 0.91, 0.8]))
  }

  @Test("a source that sees hardly any classes cannot be judged by")
  func fewClasses() {
    #expect(GuardRule.seesTooFew(signals([0.7, 0.2995, 0.0005])))
    #expect(!GuardRule.seesTooFew(signals([0.7, 0.29, 0.01])))
    // Networks of two classes see no more.
    #expect(!GuardRule.seesTooFew(signals([0.7, 0.3])))
    #expect(GuardRule.seesTooFew(signals([0.999, 0.001])))
  }
}
