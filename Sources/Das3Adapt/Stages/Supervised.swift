import Das3Graph

/// Cross-entropy with the truth (equation 1).
final class Supervised: Stage {
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
    let shape = context.trainer.scoreShape
    for position in step * batchSize..<(step + 1) * batchSize {
      let frame = order.frame(at: position)
      let augmentation = context.target.augmentation(stage: number, position)
      try context.target.load(frame, augmentation)
      var labels =
        context.target.truth(of: frame)?.labels(height: shape[2], width: shape[3]) ?? []
      if augmentation.isMirrored { context.target.mirror(&labels) }
      let values = try context.trainer.addGradient(labels: labels, scale: 1 / Float(batchSize))
      losses.add(values, share: 1 / Double(batchSize))
    }
    return losses
  }
}
