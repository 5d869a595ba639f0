/// A plan as the search for activations to compute again reads it: which buffers each step reads and
/// writes, their sizes and the effort, in flat arrays that serve all plans that are tried.
extension Plan {
  struct Outline {
    /// The activations that the forward pass keeps for the backward pass, in the order in which they
    /// are dropped: by the effort of computing them again, per element of memory that this frees.
    let droppable: [Int]
    /// The effort of all steps.
    let effort: Double
    private let forwardCount: Int
    private let stepCount: Int
    /// Of each step, the buffers that it reads and then those that it writes.
    private var uses: [Int] = []
    /// Where the reads of each step begin in `uses`, and after the last step where its writes end.
    private var readStarts: [Int] = []
    /// Where its writes begin.
    private var writeStarts: [Int] = []
    /// The elements that each buffer takes of the memory of a frame.
    private let sizes: [Int]
    /// The effort of each step; 0 for static steps.
    private let efforts: [Double]
    /// The steps of the forward pass that write each buffer.
    private var producers: [[Int]]
    /// The first step of the backward pass that reads each buffer.
    private var firstUses: [Int]
    /// The forward pass alone, which is the same in all trials.
    private var forward: Trial

    /// Reads a plan whose memory is assigned.
    init(_ plan: Plan) {
      (forwardCount, stepCount) = (plan.forwardCount, plan.steps.count)
      let buffers = plan.buffers
      sizes = buffers.map { $0.region == .frame ? Plan.aligned($0.elementCount) : 0 }
      efforts = plan.steps.map { $0.isStatic ? 0 : $0.effort }
      effort = efforts.reduce(0, +)
      producers = [[Int]](repeating: [], count: buffers.count)
      firstUses = [Int](repeating: .max, count: buffers.count)
      var costs = [Double](repeating: 0, count: buffers.count)
      for (index, step) in plan.steps.enumerated() {
        let reads = step.reads.map(\.buffer)
        readStarts.append(uses.count)
        uses += reads
        writeStarts.append(uses.count)
        uses += step.writes.map(\.buffer)
        if index < forwardCount {
          let buffer = step.output.buffer
          producers[buffer].append(index)
          costs[buffer] += step.effort / Double(max(1, buffers[buffer].elementCount))
        } else {
          for buffer in reads { firstUses[buffer] = min(firstUses[buffer], index) }
        }
      }
      readStarts.append(uses.count)
      let fromOutside = Set((plan.inputs + plan.outputGradients).map(\.buffer))
      droppable = buffers.indices.filter {
        buffers[$0].region == .frame && !fromOutside.contains($0)
          && buffers[$0].firstStep < plan.forwardCount && buffers[$0].lastStep >= plan.forwardCount
      }.sorted { (costs[$0], $0) < (costs[$1], $1) }
      forward = Trial(bufferCount: buffers.count)
      for (view, step) in plan.outsideUses { forward.use(view.buffer, at: step) }
      for step in 0..<forwardCount { add(step, in: Array(buffers.indices), to: &forward) }
    }

    /// The plan that computes the dropped activations again where the backward pass first needs them.
    ///
    /// - Parameters:
    ///   - isDropped: whether a buffer of the plan is dropped.
    ///   - addBuffer: receives the buffer of which another one is made, which takes the next number.
    ///   - addStep: receives each step of the backward pass, whether it is one of the forward pass
    ///     that is computed again, and the number of the buffer in the place of each buffer.
    func backward(
      _ isDropped: [Bool], addBuffer: (Int) -> Void,
      addStep: (_ step: Int, _ isAgain: Bool, _ places: [Int]) -> Void
    ) {
      // An activation that is computed again only to compute another, and is itself needed much
      // later, is not kept until then.
      let patience = (stepCount - forwardCount) / 8
      var places = Array(sizes.indices)
      var placeCount = places.count
      var (passing, open, again) = ([Int](), [Int](), [Int]())
      for step in forwardCount..<stepCount {
        for buffer in passing { places[buffer] = buffer }
        passing.removeAll(keepingCapacity: true)
        // All dropped activations that these depend on are computed in the order of the forward
        // pass.
        for use in readStarts[step]..<writeStarts[step] { open.append(uses[use]) }
        while let buffer = open.popLast() {
          guard isDropped[buffer], places[buffer] == buffer else { continue }
          addBuffer(buffer)
          places[buffer] = placeCount
          placeCount += 1
          if firstUses[buffer] - step > patience { passing.append(buffer) }
          for producer in producers[buffer] {
            again.append(producer)
            for use in readStarts[producer]..<writeStarts[producer] { open.append(uses[use]) }
          }
        }
        again.sort()
        for step in again { addStep(step, true, places) }
        again.removeAll(keepingCapacity: true)
        addStep(step, false, places)
      }
    }

    /// What the plan would be with these activations dropped.
    func trial(_ isDropped: [Bool]) -> Trial {
      var trial = forward
      backward(
        isDropped, addBuffer: { trial.addBuffer(copyOf: $0) },
        addStep: { step, _, places in add(step, in: places, to: &trial) })
      return trial
    }

    private func add(_ step: Int, in places: [Int], to trial: inout Trial) {
      for use in readStarts[step]..<readStarts[step + 1] {
        trial.use(places[uses[use]], at: trial.stepCount)
      }
      trial.effort += efforts[step]
      trial.stepCount += 1
    }

    /// The step at which most elements are alive, and their number.
    func peak(of trial: Trial) -> (step: Int, elementCount: Int) {
      var changes = [Int](repeating: 0, count: trial.stepCount + 1)
      for (index, first) in trial.firstSteps.enumerated() {
        let last = trial.lastSteps[index]
        guard first <= last else { continue }
        let size = sizes[index < sizes.count ? index : trial.copied[index - sizes.count]]
        changes[first] += size
        if last < trial.stepCount { changes[last + 1] -= size }
      }
      var (step, most, alive) = (0, 0, 0)
      for (index, change) in changes.enumerated() {
        alive += change
        if alive > most { (step, most) = (index, alive) }
      }
      return (step, most)
    }
  }

  /// A plan that is tried: all that decides whether it is better.
  struct Trial {
    var stepCount = 0
    var effort = 0.0
    /// The first and the last step that use each buffer: those of the plan, then the new ones.
    private(set) var firstSteps: [Int]
    private(set) var lastSteps: [Int]
    /// The buffers of the plan of which the new ones are copies.
    private(set) var copied: [Int] = []

    init(bufferCount: Int) {
      firstSteps = [Int](repeating: .max, count: bufferCount)
      lastSteps = [Int](repeating: -1, count: bufferCount)
    }

    mutating func addBuffer(copyOf buffer: Int) {
      copied.append(buffer)
      firstSteps.append(.max)
      lastSteps.append(-1)
    }

    mutating func use(_ buffer: Int, at step: Int) {
      firstSteps[buffer] = min(firstSteps[buffer], step)
      lastSteps[buffer] = max(lastSteps[buffer], step)
    }

    /// Takes the lifetimes of the plan that was made of it, in whose memory buffers share places.
    mutating func takeLifetimes(of plan: Plan) {
      firstSteps = plan.buffers.map(\.firstStep)
      lastSteps = plan.buffers.map(\.lastStep)
    }
  }
}
