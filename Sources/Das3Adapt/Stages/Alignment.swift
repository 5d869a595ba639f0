import Das3Graph

/// Losses without labels, one frame after the other: stage (a), and the baselines tent, entropy and
/// maxsquare; without a loss the passes forward alone, by which the statistics of bn follow.
final class Alignment: Stage {
  let memory: StageMemory
  private let context: StageContext
  private let number: Int
  private var order: FrameOrder

  init(_ context: StageContext, number: Int, _ memory: StageMemory) {
    self.context = context
    self.number = number
    self.memory = memory
    order = FrameOrder(context.target, Array(0..<context.target.count), stage: number)
  }

  func addGradient(_ step: Int) throws(Das3Error) -> StepLosses {
    var losses = StepLosses()
    let batchSize = context.settings.batchSize
    for position in step * batchSize..<(step + 1) * batchSize {
      let frame = order.frame(at: position)
      try context.target.load(frame, context.target.augmentation(stage: number, position))
      let values = try context.trainer.addGradient(scale: 1 / Float(batchSize))
      losses.add(values, share: 1 / Double(batchSize))
    }
    return losses
  }
}
