import Das3Graph
import Das3Runtime

extension Trainer {
  /// What the network says of a frame and of its mirror image, without labels.
  ///
  /// Cost: two forward passes.
  ///
  /// - Parameters:
  ///   - frame: of any size.
  ///   - weights: of this network; nil = its own.
  ///   - mirrored: scratch of as many elements as there are scores.
  /// - Returns: sums over the pixels of the frame.
  /// - Throws: what kernels report.
  func compareViews(of frame: Frame, by weights: WeightSet? = nil, mirrored: Arena)
    throws(Das3Error) -> ViewSignals
  {
    load(frame)
    mirrorImage()
    predict(by: weights, probabilities: mirrored)
    load(frame)
    let signals = compareViews(by: weights, mirrored: mirrored)
    try KernelFailure.check()
    return signals
  }
}
