import Das3Graph

extension Trainer {
  /// A normalisation whose running statistics follow the frames.
  package struct StatisticsLayer: Sendable, Equatable {
    /// Where they are in the weights, one of each a channel.
    package let mean, variance: Range<Int>
    /// Pixels of a frame that they are of.
    package let pixelCount: Int

    package init(mean: Range<Int>, variance: Range<Int>, pixelCount: Int) {
      self.mean = mean
      self.variance = variance
      self.pixelCount = pixelCount
    }
  }
}

extension Plan {
  /// Normalisations whose running statistics follow the frames.
  var statisticsLayers: [Trainer.StatisticsLayer] {
    steps.compactMap { step in
      guard case .statistics(let momentum) = step.work, momentum > 0,
        step.inputs.dropFirst().allSatisfy({ buffers[$0.buffer].region == .parameter })
      else { return nil }
      let count = step.output.shape[1]
      let starts = step.inputs.dropFirst().map { buffers[$0.buffer].offset + $0.offset }
      return Trainer.StatisticsLayer(
        mean: starts[0]..<starts[0] + count, variance: starts[1]..<starts[1] + count,
        pixelCount: step.inputs[0].shape.elementCount / max(1, count))
    }
  }
}
