import Das3Graph

/// Losses without labels, one frame after the other: stage (a), and the baselines tent, entropy and
/// maxsquare; without a loss the passes forward alone, by which the statistics of bn follow.
final class Alignment: Stage {
  let memory: StageMemory
  private let bench: Workbench
  private let number: Int
  private var order: FrameOrder

  init(_ bench: Workbench, number: Int, _ memory: StageMemory) {
    self.bench = bench
    self.number = number
    self.memory = memory
    order = FrameOrder(bench, Array(0..<bench.frames.count), stage: number)
  }

  func addGradient(_ step: Int) throws(Das3Error) -> StepLosses {
    var losses = StepLosses()
    let batchSize = bench.settings.batchSize
    for position in step * batchSize..<(step + 1) * batchSize {
      let frame = order.frame(at: position)
      try bench.load(frame, bench.look(stage: number, position))
      let values = try bench.trainer.addGradient(scale: 1 / Float(batchSize))
      losses.add(values, share: 1 / Double(batchSize))
    }
    return losses
  }
}
