/// Saves memory at the cost of time: some activations are dropped after the forward pass and
/// computed again for the backward pass (Chen et al., 2016).
///
/// The cheapest are dropped first.
extension Plan {
  /// Counts that grow with the time of the search.
  package struct RecomputeSearch: Sendable, Equatable {
    /// The number of steps of all plans that were tried.
    package var stepCount = 0
    /// How often memory was laid out; each time takes longer the more buffers there are.
    package var layoutCount = 0
  }

  /// The share of the effort that recomputation may add where there is no limit on memory.
  private static let freeShare = 0.04
  /// After so many steps of tried plans the number of activations that are dropped at a time
  /// doubles.
  ///
  /// The search for a network of a thousand steps ends before the first doubling, and none takes
  /// more than some seconds.
  package static let patience = 1 << 19
  /// The search ends after so many doublings.
  private static let mostDoublings = 12

  /// Drops activations until the memory of a frame has at most `limit` elements, or until dropping
  /// more does not reduce it.
  ///
  /// Without a limit it drops only what adds little to the time (`freeShare`).
  ///
  /// The same kernels run on the same numbers, so no bit of the result changes.
  mutating func recompute(within limit: Int?) {
    let isBound = limit != nil
    let limit = limit ?? 0
    let original = self
    let costs = recomputeCosts
    // The activations that a plan without a limit would drop are dropped first, so that a limit
    // never makes a plan larger.
    var mostEffort = effort * (1 + Self.freeShare)
    var dropped: Set<Int> = []
    var kept: Set<Int> = []
    // Whether something was dropped since the activations in `kept` were last tried.
    var isWorthRetrying = false
    var search = RecomputeSearch()
    var best = self
    var current = self
    func layOut() {
      search.layoutCount += 1
      current.assignMemory()
      if current.frameElementCount < best.frameElementCount { best = current }
    }
    while best.frameElementCount > limit,
      search.stepCount / Self.patience < Self.mostDoublings
    {
      let peak = current.peak
      let candidates = original.droppable(at: peak.step, of: current).subtracting(dropped)
        .subtracting(kept)
      guard !candidates.isEmpty else {
        guard isWorthRetrying || isBound && mostEffort < .infinity else { break }
        if !isWorthRetrying {
          layOut()
          mostEffort = .infinity
        }
        kept = []
        isWorthRetrying = false
        continue
      }
      let choice = candidates.sorted { (costs[$0], $0) < (costs[$1], $1) }
        .prefix(1 << (search.stepCount / Self.patience))
      let trial = original.dropping(dropped.union(choice))
      search.stepCount += trial.steps.count
      // A trial that moves the peak to another step without lowering it counts as progress.
      if trial.peak.elementCount > peak.elementCount || trial.effort > mostEffort {
        kept.formUnion(choice)
        continue
      }
      dropped.formUnion(choice)
      isWorthRetrying = true
      current = trial
      if trial.peak.elementCount <= limit || candidates.count == choice.count { layOut() }
    }
    layOut()
    self = best
    recomputeSearch = search
  }

  /// The step at which most elements are alive, and their number.
  private var peak: (step: Int, elementCount: Int) {
    var changes = [Int](repeating: 0, count: steps.count + 1)
    for buffer in buffers where buffer.region == .frame && buffer.firstStep <= buffer.lastStep {
      let size = Self.aligned(buffer.elementCount)
      changes[buffer.firstStep] += size
      if buffer.lastStep < steps.count { changes[buffer.lastStep + 1] -= size }
    }
    var (step, most, alive) = (0, 0, 0)
    for (index, change) in changes.enumerated() {
      alive += change
      if alive > most { (step, most) = (index, alive) }
    }
    return (step, most)
  }

  /// The activations of this plan that the plan `current`, which was made from it, keeps through a
  /// step for the backward pass.
  private func droppable(at step: Int, of current: Plan) -> Set<Int> {
    var result: Set<Int> = []
    let fromOutside = Set((inputs + outputGradients).map(\.buffer))
    for (index, buffer) in buffers.enumerated()
    where buffer.region == .frame && !fromOutside.contains(index) {
      let life = current.buffers[index]
      guard life.firstStep < step, life.lastStep > step, buffer.firstStep < forwardCount,
        buffer.lastStep >= forwardCount
      else { continue }
      result.insert(index)
    }
    return result
  }

  /// For each buffer the effort of computing it again, per element of memory that this frees.
  private var recomputeCosts: [Double] {
    var costs = [Double](repeating: 0, count: buffers.count)
    for step in steps.prefix(forwardCount) {
      costs[step.output.buffer] +=
        step.effort / Double(max(1, buffers[step.output.buffer].elementCount))
    }
    return costs
  }

  /// The plan that computes these activations again where the backward pass first needs them.
  private func dropping(_ dropped: Set<Int>) -> Plan {
    var plan = self
    plan.steps = Array(steps.prefix(forwardCount))
    var producers: [Int: [Int]] = [:]
    for (index, step) in plan.steps.enumerated() where dropped.contains(step.output.buffer) {
      producers[step.output.buffer, default: []].append(index)
    }
    var firstUses: [Int: Int] = [:]
    for (index, step) in steps.enumerated().dropFirst(forwardCount) {
      for view in step.reads where firstUses[view.buffer] == nil { firstUses[view.buffer] = index }
    }
    // An activation that is computed again only to compute another, and is itself needed much
    // later, is not kept until then.
    let patience = (steps.count - forwardCount) / 8
    var renewed: [Int: Int] = [:]
    var passing: [Int: Int] = [:]
    func moved(_ view: View) -> View {
      var view = view
      view.buffer = renewed[view.buffer] ?? passing[view.buffer] ?? view.buffer
      return view
    }
    func renew(_ views: [View], at position: Int) {
      // All dropped activations that these depend on are computed in the order of the forward pass.
      var open = views
      var again: Set<Int> = []
      passing = [:]
      while let buffer = open.popLast()?.buffer {
        guard dropped.contains(buffer), renewed[buffer] == nil, passing[buffer] == nil else {
          continue
        }
        plan.buffers.append(buffers[buffer])
        if (firstUses[buffer] ?? .max) - position <= patience {
          renewed[buffer] = plan.buffers.count - 1
        } else {
          passing[buffer] = plan.buffers.count - 1
        }
        for index in producers[buffer] ?? [] {
          again.insert(index)
          open += steps[index].reads
        }
      }
      for index in again.sorted() {
        var step = steps[index].mapped(moved)
        // The running statistics were updated in the forward pass.
        if case .statistics = step.work { step.work = .statistics(momentum: 0) }
        plan.steps.append(step)
      }
    }
    for (index, step) in steps.enumerated().dropFirst(forwardCount) {
      renew(step.reads, at: index)
      plan.steps.append(step.mapped(moved))
    }
    plan.assignLifetimes()
    return plan
  }
}
