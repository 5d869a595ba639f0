import Das3Runtime

/// A set of weights and what it says of the probes.
final class Candidate {
  let origin: GuardRecord.Origin
  /// How far its statistics are moved to those of the scene, 0…1.
  let share: Double
  private var held: Held
  /// By the number of the probe; only of those it was asked about.
  private(set) var signals: [Int: ViewSignals] = [:]

  private enum Held {
    case weights([Float])
    case recipe(() -> [Float])
  }

  init(_ origin: GuardRecord.Origin, share: Double = 0, _ weights: [Float]) {
    self.origin = origin
    self.share = share
    held = .weights(weights)
  }

  /// A set that takes no memory until it is kept: its weights are made whenever they are asked for.
  init(_ origin: GuardRecord.Origin, share: Double, made make: @escaping () -> [Float]) {
    self.origin = origin
    self.share = share
    held = .recipe(make)
  }

  var weights: [Float] {
    switch held {
    case .weights(let weights): weights
    case .recipe(let make): make()
    }
  }

  /// Makes its weights for the last time.
  func keep() { held = .weights(weights) }

  func add(_ signals: ViewSignals, ofProbe number: Int) { self.signals[number] = signals }

  /// What it says of these probes; nil where it has yet to be asked about one.
  func signals(of probes: [Int]) -> [ViewSignals]? {
    let found = probes.compactMap { signals[$0] }
    return found.count == probes.count ? found : nil
  }

  /// Forgets what it says of other probes.
  func forget(allBut probes: [Int]) {
    let kept = Set(probes)
    signals = signals.filter { kept.contains($0.key) }
  }
}
