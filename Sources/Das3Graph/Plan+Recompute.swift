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
  /// more than a second.
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
    let outline = Outline(self)
    // The activations that a plan without a limit would drop are dropped first, so that a limit
    // never makes a plan larger.
    var mostEffort = outline.effort * (1 + Self.freeShare)
    var isDropped = [Bool](repeating: false, count: buffers.count)
    var isKept = isDropped
    // Whether something was dropped since the activations in `isKept` were last tried.
    var isWorthRetrying = false
    var search = RecomputeSearch()
    var best = self
    var current = outline.trial(isDropped)
    current.takeLifetimes(of: self)
    var isLaidOut = true
    var peak = outline.peak(of: current)
    func layOut() {
      guard !isLaidOut else { return }
      isLaidOut = true
      search.layoutCount += 1
      var plan = dropping(isDropped, outline)
      plan.assignMemory()
      current.takeLifetimes(of: plan)
      peak = outline.peak(of: current)
      if plan.frameElementCount < best.frameElementCount { best = plan }
    }
    while best.frameElementCount > limit,
      search.stepCount / Self.patience < Self.mostDoublings
    {
      let mostCount = 1 << (search.stepCount / Self.patience)
      // One more than are dropped now shows whether any remain.
      let candidates = Array(
        outline.droppable.lazy.filter {
          !isDropped[$0] && !isKept[$0] && current.firstSteps[$0] < peak.step
            && current.lastSteps[$0] > peak.step
        }.prefix(mostCount + 1))
      guard !candidates.isEmpty else {
        guard isWorthRetrying || isBound && mostEffort < .infinity else { break }
        if !isWorthRetrying {
          layOut()
          mostEffort = .infinity
        }
        for buffer in isKept.indices { isKept[buffer] = false }
        isWorthRetrying = false
        continue
      }
      let choice = candidates.prefix(mostCount)
      for buffer in choice { isDropped[buffer] = true }
      let trial = outline.trial(isDropped)
      search.stepCount += trial.stepCount
      let trialPeak = outline.peak(of: trial)
      // A trial that moves the peak to another step without lowering it counts as progress.
      if trialPeak.elementCount > peak.elementCount || trial.effort > mostEffort {
        for buffer in choice { (isDropped[buffer], isKept[buffer]) = (false, true) }
        continue
      }
      isWorthRetrying = true
      (current, peak, isLaidOut) = (trial, trialPeak, false)
      if peak.elementCount <= limit || candidates.count == choice.count { layOut() }
    }
    layOut()
    self = best
    recomputeSearch = search
  }

  /// The plan that computes these activations again where the backward pass first needs them; its
  /// memory is not assigned.
  private func dropping(_ isDropped: [Bool], _ outline: Outline) -> Plan {
    var plan = self
    plan.steps.removeSubrange(forwardCount...)
    outline.backward(
      isDropped, addBuffer: { plan.buffers.append(buffers[$0]) },
      addStep: { index, isAgain, places in
        var step = steps[index].mapped { view in
          var view = view
          view.buffer = places[view.buffer]
          return view
        }
        // The running statistics were updated in the forward pass.
        if isAgain, case .statistics = step.work { step.work = .statistics(momentum: 0) }
        plan.steps.append(step)
      })
    return plan
  }
}
