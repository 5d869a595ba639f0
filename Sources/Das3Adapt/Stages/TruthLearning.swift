import Das3Graph
import Das3Runtime

/// A few frames with truth beside those without: their cross-entropy joins the losses of every stage,
/// one of them a frame of the step, mirrored, enlarged, and in another light.
///
/// Classes count alike as far as that goes: a class by the median of their shares over its own, at
/// most fourfold (Eigen and Fergus, 2015).
final class TruthLearning {
  private let settings: AdaptationSettings
  private let trainer: Trainer
  private let target: TargetFrames
  private let labeller: Labeller
  /// In classes of the network; made with the first step.
  private var truths: [FrameSet.Truth] = []
  private var classWeights: [Float] = []

  private static let mostWeight: Float = 4

  /// - Returns: nil where no truth is learned from.
  init?(
    _ settings: AdaptationSettings, _ trainer: Trainer, _ target: TargetFrames, _ labeller: Labeller
  ) {
    guard target.taught.count > 0 else { return nil }
    self.settings = settings
    self.trainer = trainer
    self.target = target
    self.labeller = labeller
  }

  var byteCount: Int { truths.reduce(0) { $0 + $1.labels.count } }

  /// Makes the labels, once.
  func prepare() throws(Das3Error) {
    guard truths.isEmpty else { return }
    var made: [FrameSet.Truth] = []
    let classes = target.taught.truthClasses
    for frame in 0..<target.taught.count {
      try target.checkCancelled()
      let truth = target.taught.frames.truths[frame]
      let labels = classes.isEmpty ? truth.labels : try refine(frame, truth, classes)
      made.append(
        FrameSet.Truth(
          height: truth.height, width: truth.width, labels: withoutIgnored(labels, truth)))
    }
    truths = made
    classWeights = Self.weights(truths, classCount: trainer.scoreShape[1])
  }

  /// Adds the gradient of the frames of a step.
  func addGradient(stage: Int, _ step: Int, to losses: inout StepLosses) throws(Das3Error) {
    let (batchSize, shape) = (settings.batchSize, trainer.scoreShape)
    trainer.losses = Losses()
    trainer.losses.crossEntropy = settings.labelWeight
    trainer.losses.classWeights = classWeights
    for position in step * batchSize..<(step + 1) * batchSize {
      let order = target.order(
        of: Array(truths.indices), turn: position / truths.count, stage: -1 - stage)
      let frame = order[position % truths.count]
      let augmentation = target.augmentation(
        stage: -1 - stage, position, isPhotometric: true, enlarges: settings.draws)
      try target.checkCancelled()
      try target.taught.frames.read(frame) { trainer.load($0, augmentation.part) }
      target.apply(augmentation)
      var labels = truths[frame].labels(augmentation.part, height: shape[2], width: shape[3])
      if augmentation.isMirrored { target.mirror(&labels) }
      let values = try trainer.addGradient(labels: labels, scale: 1 / Float(batchSize))
      losses.addTruth(values, share: 1 / Double(batchSize))
    }
  }

  /// The truth in classes of the network: of those that count as the class of the truth, that which
  /// the source network finds most probable.
  private func refine(
    _ frame: Int, _ truth: FrameSet.Truth, _ classes: [UInt8]
  ) throws(Das3Error) -> [UInt8] {
    let shape = trainer.scoreShape
    let members = (0..<255).map { truthClass in
      classes.indices.filter { classes[$0] == truthClass }
    }
    let probabilities = try Arena(elementCount: shape.elementCount)
    try labeller.withWeights(trainer.model.onnx.weights) { weights throws(Das3Error) in
      try target.taught.frames.read(frame) { picture in
        trainer.load(picture)
        trainer.predict(by: weights, probabilities: probabilities)
      }
    }
    try KernelFailure.check()
    let values = probabilities.values
    return (0..<truth.height).flatMap { y in
      let row = (2 * y + 1) * shape[2] / (2 * truth.height)
      return (0..<truth.width).map { x -> UInt8 in
        let truthClass = Int(truth.labels[y * truth.width + x])
        guard truthClass < members.count, let first = members[truthClass].first else { return 255 }
        let pixel = row * shape[3] + (2 * x + 1) * shape[3] / (2 * truth.width)
        return UInt8(
          members[truthClass].reduce(first) {
            values[pixel * shape[1] + $1] > values[pixel * shape[1] + $0] ? $1 : $0
          })
      }
    }
  }

  private func withoutIgnored(_ labels: [UInt8], _ truth: FrameSet.Truth) -> [UInt8] {
    guard let marks = target.ignored?.marks else { return labels }
    let shape = trainer.scoreShape
    let fitted = FramePart.whole.nearest(
      of: marks, height: shape[2], width: shape[3], newHeight: truth.height, newWidth: truth.width)
    return zip(labels, fitted).map { $1 == 0 ? $0 : 255 }
  }

  private static func weights(_ truths: [FrameSet.Truth], classCount: Int) -> [Float] {
    var counts = [Int](repeating: 0, count: 256)
    for truth in truths {
      for label in truth.labels { counts[Int(label)] += 1 }
    }
    let seen = counts[..<classCount].filter { $0 > 0 }.sorted()
    guard !seen.isEmpty else { return [] }
    let median = Float(seen[seen.count / 2])
    return counts[..<classCount].map { count in
      count == 0 ? 0 : min(max(median / Float(count), 1 / mostWeight), mostWeight)
    }
  }
}
