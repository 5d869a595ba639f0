/// Mean and variance of every normalisation's input over all pixels of all frames, from those of one
/// frame after the other (Chan, Golub and LeVeque, 1979).
///
/// The sums are held as pairs of floats, so that a checkpoint of float32 vectors keeps every bit.
package struct StatisticsPool: Sendable {
  /// Mean and variance of each channel, layer by layer: their first 24 bits, and the 24 after them.
  ///
  /// Empty before the first frame.
  package private(set) var high: [Float] = [], low: [Float] = []
  /// Frames that have been added; at most the window, where there is one.
  package private(set) var frameCount = 0
  /// Frames over which older ones are forgotten: a new one then counts as one of so many.
  private let window: Int

  /// - Parameter window: frames over which older ones are forgotten.
  package init(window: Int = .max) { self.window = window }

  /// Goes on from what another process has gathered; where that is of other layers, it counts for
  /// nothing.
  package init(high: [Float], low: [Float], frameCount: Int, window: Int = .max) {
    self.high = high
    self.low = low
    self.frameCount = frameCount
    self.window = window
  }

  /// Several pools of the same layers from what `sums` gave of them.
  static func pools(high: [Float], low: [Float], frameCounts: [Int]) -> [StatisticsPool] {
    let length = high.count / frameCounts.count
    return frameCounts.enumerated().map { index, count in
      let part = index * length..<(index + 1) * length
      return StatisticsPool(
        high: Array(high[part]), low: low.count == high.count ? Array(low[part]) : [],
        frameCount: count)
    }
  }

  /// The sums of several pools one after the other; a pool without frames has zeros.
  static func sums(of pools: [StatisticsPool]) -> (high: [Float], low: [Float]) {
    let length = pools[0].high.count
    func padded(_ sums: [Float]) -> [Float] {
      sums.isEmpty ? [Float](repeating: 0, count: length) : sums
    }
    return (pools.flatMap { padded($0.high) }, pools.flatMap { padded($0.low) })
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
  package mutating func add(_ weights: Span<Float>, _ layers: [Trainer.StatisticsLayer]) {
    if !isOf(layers) {
      high = [Float](repeating: 0, count: Self.count(layers))
      (low, frameCount) = (high, 0)
    }
    let before = Double(frameCount)
    var place = 0
    for layer in layers {
      let pixels = Double(layer.pixelCount)
      // Unbiased variance = sum of squares / degrees of freedom.
      let (freedomBefore, freedom) = (before * pixels - 1, (before + 1) * pixels - 1)
      for (mean, variance) in zip(layer.mean, layer.variance) {
        let distance = Double(weights[mean]) - self[place]
        let squares =
          (before > 0 ? self[place + 1] * freedomBefore : 0)
          + Double(weights[variance]) * (pixels - 1)
          + distance * distance * pixels * before / (before + 1)
        self[place] += distance / (before + 1)
        self[place + 1] = squares / freedom
        place += 2
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
  /// - Returns: as many weights; `source` itself for a share of 0, or before the first frame.
  package func blend(_ share: Double, from source: [Float], _ layers: [Trainer.StatisticsLayer])
    -> [Float]
  {
    var weights = source
    guard share > 0, isOf(layers) else { return weights }
    var place = 0
    for index in layers.lazy.flatMap({ zip($0.mean, $0.variance) }).flatMap({ [$0, $1] }) {
      weights[index] = Float((1 - share) * Double(source[index]) + share * self[place])
      place += 1
    }
    return weights
  }

  private func isOf(_ layers: [Trainer.StatisticsLayer]) -> Bool {
    high.count == Self.count(layers) && low.count == high.count
  }

  private static func count(_ layers: [Trainer.StatisticsLayer]) -> Int {
    layers.reduce(0) { $0 + 2 * $1.mean.count }
  }
}
