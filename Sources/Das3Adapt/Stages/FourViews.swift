internal import CKernels
import Das3Graph
import Das3Runtime

/// What a network says of a frame as it is, enlarged, and of the mirror image of both: the mean of
/// the probabilities.
///
/// A network of a fixed size has the first view and its mirror image alone.
final class FourViews {
  private let context: StageContext
  /// The same network for larger frames.
  private let larger: Trainer?
  private let view, mean: Arena

  /// - Parameters:
  ///   - context: of the run.
  ///   - scale: of the larger views, by sides.
  ///   - weights: that are to be asked.
  /// - Throws: `.memory` where the machine does not suffice.
  init(_ context: StageContext, scale: Double, weights: [Float]) throws(Das3Error) {
    self.context = context
    let trainer = context.trainer
    larger = try context.settings.predictor(of: trainer.model, enlargedBy: scale)
    larger?.setWeights(weights)
    larger?.scenes = trainer.scenes
    view = try Arena(elementCount: trainer.scoreShape.elementCount)
    mean = try Arena(elementCount: trainer.scoreShape.elementCount)
  }

  var byteCount: Int {
    (larger?.byteCount ?? 0)
      + (view.elementCount + mean.elementCount) * MemoryLayout<Float>.stride
  }

  /// - Parameters:
  ///   - frame: of the target.
  ///   - weights: the same, as the run's trainer has them.
  ///   - prediction: receives what all views together say.
  /// - Throws: what frames throw.
  func predict(_ frame: Int, by weights: WeightSet, into prediction: inout Prediction)
    throws(Das3Error)
  {
    let shape = context.trainer.scoreShape
    let threads = context.settings.execution.threads
    var count = 0
    func add(_ network: Trainer, _ weights: WeightSet?) throws(Das3Error) {
      for isMirrored in [false, true] {
        try context.target.read(frame) { network.load($0) }
        if isMirrored { network.mirrorImage() }
        network.predict(by: weights, resizedTo: shape, probabilities: view)
        if isMirrored {
          unsafe d3k_flip(
            Int32(threads), view.pointer(at: 0), Int64(shape[2]), Int64(shape[3]),
            Int64(shape[1] * MemoryLayout<Float>.stride))
        }
        unsafe d3k_average(
          Int32(threads), mean.pointer(at: 0), view.pointer(at: 0), Int64(shape.elementCount),
          Double(count) / Double(count + 1))
        count += 1
      }
    }
    try add(context.trainer, weights)
    if let larger { try add(larger, nil) }
    try KernelFailure.check()
    unsafe prediction.fill(
      scores: mean.pointer(at: 0), stride: shape[1], isProbability: true,
      ignored: context.target.ignored, negativeThreshold: context.settings.negativeThreshold,
      threads: threads)
  }
}
