import Das3Graph

/// Cross-entropy with the truth (equation 1).
final class Supervised: Stage {
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
    let shape = bench.trainer.scoreShape
    for position in step * batchSize..<(step + 1) * batchSize {
      let frame = order.frame(at: position)
      let look = bench.look(stage: number, position)
      try bench.load(frame, look)
      var labels = bench.frames.truths[frame].labels(height: shape[2], width: shape[3])
      if look.isMirrored { bench.mirror(&labels) }
      let values = try bench.trainer.addGradient(labels: labels, scale: 1 / Float(batchSize))
      losses.add(values, share: 1 / Double(batchSize))
    }
    return losses
  }
}
