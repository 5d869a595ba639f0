/// Assigns an offset to every buffer: finds the lifetimes from the steps, lets results overwrite
/// inputs that are no longer needed, and then places the buffers.
extension Plan {
  /// Buffers start at multiples of so many elements: 64 bytes, a cache line and the widest vector.
  package static let alignment = 16

  /// Assigns the offsets.
  ///
  /// Frame buffers share memory where their lifetimes do not overlap.
  ///
  /// The largest buffers are placed first, each at the lowest offset that is free for its lifetime
  /// (greedy by size: Pisarchyk and Lee, 2020).
  mutating func assignMemory() {
    assignLifetimes()
    var homes = inPlaceHomes()
    // Buffers that share one place live from the first to the last step of any of them.
    for index in buffers.indices {
      let home = Self.root(of: index, &homes)
      buffers[home].firstStep = min(buffers[home].firstStep, buffers[index].firstStep)
      buffers[home].lastStep = max(buffers[home].lastStep, buffers[index].lastStep)
    }
    modelElementCount = 0
    frameElementCount = 0
    // By their first element.
    var placed: [(start: Int, end: Int, first: Int, last: Int)] = []
    let order = buffers.indices.sorted {
      buffers[$0].elementCount == buffers[$1].elementCount
        ? $0 < $1 : buffers[$0].elementCount > buffers[$1].elementCount
    }
    for index in order {
      let size = Self.aligned(buffers[index].elementCount)
      switch buffers[index].region {
      case .parameter, .gradient: continue
      case .model:
        buffers[index].offset = modelElementCount
        modelElementCount += size
      case .frame:
        let (first, last) = (buffers[index].firstStep, buffers[index].lastStep)
        guard homes[index] == index, first <= last else { continue }
        var offset = 0
        for other in placed {
          guard other.start < offset + size else { break }
          if other.first <= last, first <= other.last { offset = max(offset, other.end) }
        }
        buffers[index].offset = offset
        let place = placed.firstIndex { $0.start >= offset } ?? placed.endIndex
        placed.insert((offset, offset + size, first, last), at: place)
        frameElementCount = max(frameElementCount, offset + size)
      }
    }
    for index in buffers.indices where homes[index] != index {
      buffers[index].offset = buffers[homes[index]].offset
    }
  }

  package static func aligned(_ count: Int) -> Int {
    (max(count, 1) + alignment - 1) / alignment * alignment
  }

  /// Finds the first and the last step that need the content of each frame buffer.
  private mutating func assignLifetimes() {
    for index in buffers.indices {
      (buffers[index].firstStep, buffers[index].lastStep) = (.max, -1)
    }
    for (view, step) in outsideUses { use(view, at: step) }
    for (index, step) in steps.enumerated() {
      for view in step.reads { use(view, at: index) }
      for view in step.writes { use(view, at: index) }
    }
  }

  private mutating func use(_ view: View, at step: Int) {
    guard buffers[view.buffer].region == .frame else { return }
    buffers[view.buffer].firstStep = min(buffers[view.buffer].firstStep, step)
    buffers[view.buffer].lastStep = max(buffers[view.buffer].lastStep, step)
  }

  /// The views that the caller writes or reads, and the step of the forward pass around which it
  /// does.
  var outsideUses: [(view: View, step: Int)] {
    // Between the passes the caller reads the outputs and writes their gradients.
    let between = max(0, forwardCount - 1)
    return inputs.map { ($0, 0) }
      + outputs.map { ($0, outputGradients.isEmpty ? .max : between) }
      + outputGradients.map { ($0, between) }
  }

  /// For each buffer the buffer in whose place it lies.
  ///
  /// A step may overwrite its input where no later step needs the input.
  private func inPlaceHomes() -> [Int] {
    var homes = Array(buffers.indices)
    var lives = buffers.map { (first: $0.firstStep, last: $0.lastStep) }
    for (index, step) in steps.enumerated() {
      guard let (x, y) = step.inPlacePair(self) else { continue }
      let (from, to) = (Self.root(of: x.buffer, &homes), Self.root(of: y.buffer, &homes))
      guard from != to, lives[from].last == index, lives[to].first == index,
        buffers[from].elementCount == buffers[to].elementCount,
        x.offset == 0, y.offset == 0, x.shape == y.shape, x.strides == y.strides,
        x.shape.elementCount == buffers[from].elementCount,
        step.reads.filter({ Self.root(of: $0.buffer, &homes) == from }).count == 1
      else { continue }
      homes[to] = from
      lives[from].last = lives[to].last
    }
    for index in homes.indices { homes[index] = Self.root(of: index, &homes) }
    return homes
  }

  private static func root(of index: Int, _ homes: inout [Int]) -> Int {
    var root = index
    while homes[root] != root { root = homes[root] }
    homes[index] = root
    return root
  }
}

extension Plan.Step.Work {
  fileprivate func canBeInPlace(_ pass: OperatorFacts.InPlace) -> Bool {
    switch self {
    case .elementwise: true
    case .operation(let operation): operation.rules.facts.inPlace == pass
    case .copy, .statistics, .gradient, .accumulate, .clear: false
    }
  }
}

extension Plan.Step {
  /// The view that the step may overwrite while it reads it, and the view that it writes; nil where
  /// it may overwrite nothing.
  fileprivate func inPlacePair(_ plan: Plan) -> (read: Plan.View, written: Plan.View)? {
    func isFrame(_ view: Plan.View) -> Bool { plan.buffers[view.buffer].region == .frame }
    var pair: (read: Plan.View, written: Plan.View)?
    switch work {
    case .gradient(let gradient):
      if gradient.step.work.canBeInPlace(.backward), let target = gradient.inputs[0],
        !target.accumulates
      {
        pair = (gradient.outputGradient, target.view)
      }
    default: if work.canBeInPlace(.forward) { pair = (inputs[0], output) }
    }
    guard let pair, isFrame(pair.read), isFrame(pair.written) else { return nil }
    return pair
  }
}
