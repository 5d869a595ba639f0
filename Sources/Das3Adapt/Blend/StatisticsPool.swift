/// Mean and variance of every normalisation's input over all pixels of all frames, from those of one
/// frame after the other (Chan, Golub and LeVeque, 1979).
///
/// The sums are held as pairs of floats, so that a checkpoint of float32 vectors keeps every bit.
package struct StatisticsPool: Sendable {
  /// By the place of the statistic in the weights: its first 24 bits, and the 24 after them.
  package private(set) var high, low: [Float]
  /// Frames that have been added; at most the window, where there is one.
  package private(set) var frameCount: Int
  /// Frames over which older ones are forgotten: a new one then counts as one of so many.
  private let window: Int

  /// - Parameters:
  ///   - weightCount: of the network.
  ///   - window: frames over which older ones are forgotten.
  package init(weightCount: Int, window: Int = .max) {
    high = [Float](repeating: 0, count: weightCount)
    low = high
    frameCount = 0
    self.window = window
  }

  /// Goes on from what another process has gathered.
  package init(high: [Float], low: [Float], frameCount: Int, window: Int = .max) {
    self.high = high
    self.low = low
    self.frameCount = frameCount
    self.window = window
  }

  private subscript(index: Int) -> Double {
    get { Double(high[index]) + Double(low[index]) }
    set {
      high[index] = Float(newValue)
      low[index] = Float(newValue - Double(high[index]))
    }
  }

  /// Adds a frame.
  ///
  /// - Parameters:
  ///   - weights: the network's, whose statistics are the frame's own; variances unbiased.
  ///   - layers: where they are.
  package mutating func add(_ weights: [Float], _ layers: [Trainer.StatisticsLayer]) {
    let before = Double(frameCount)
    for layer in layers {
      let pixels = Double(layer.pixelCount)
      // Unbiased variance = sum of squares / degrees of freedom.
      let (freedomBefore, freedom) = (before * pixels - 1, (before + 1) * pixels - 1)
      for (mean, variance) in zip(layer.mean, layer.variance) {
        let distance = Double(weights[mean]) - self[mean]
        let squares =
          (before > 0 ? self[variance] * freedomBefore : 0)
          + Double(weights[variance]) * (pixels - 1)
          + distance * distance * pixels * before / (before + 1)
        self[mean] += distance / (before + 1)
        self[variance] = squares / freedom
      }
    }
    frameCount = min(frameCount + 1, window)
  }

  /// The source's weights with their statistics moved a part of the way to those gathered here.
  ///
  /// - Parameters:
  ///   - share: of the way, 0…1.
  ///   - source: weights of the network as it came.
  ///   - layers: whose statistics move.
  /// - Returns: as many weights; `source` itself for a share of 0.
  package func blend(_ share: Double, from source: [Float], _ layers: [Trainer.StatisticsLayer])
    -> [Float]
  {
    var weights = source
    guard share > 0 else { return weights }
    for index in layers.lazy.flatMap({ [$0.mean, $0.variance] }).joined() {
      weights[index] = Float((1 - share) * Double(source[index]) + share * self[index])
    }
    return weights
  }
}
