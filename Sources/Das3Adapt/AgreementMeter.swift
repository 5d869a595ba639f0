import Das3Graph
import Das3Runtime

/// How far a stage has led the network away from where it began: the part of the pixels of a few
/// frames that have the label they had then.
final class AgreementMeter {
  /// Looks are closer at first, when nobody knows how far a step leads.
  static func isDue(_ step: Int) -> Bool {
    step > 0 && step % 10 == 0 || step == 2 || step == 5
  }

  static let frameCount = 4

  private let context: StageContext
  private let frames: [Int]
  private var labels: [[UInt8]] = []
  private let pixelCount: Int
  /// Not 0 where a pixel counts for nothing; nil = all count.
  private let ignored: [UInt8]?

  /// Frames spread over the set; labels by the weights `start`.
  init(_ context: StageContext, start: [Float]) throws(Das3Error) {
    self.context = context
    let count = min(Self.frameCount, context.target.count)
    frames = (0..<count).map { $0 * context.target.count / count }
    ignored = context.target.ignored?.marks
    pixelCount = context.trainer.scoreShape[2] * context.trainer.scoreShape[3]
    try context.labeller.withWeights(start) { weights throws(Das3Error) in
      for frame in frames { labels.append(try label(frame, by: weights)) }
    }
  }

  var byteCount: Int { labels.reduce(0) { $0 + $1.count } }

  /// 0…1.
  func measure() throws(Das3Error) -> Double {
    var same = 0
    var count = 0
    for (frame, before) in zip(frames, labels) {
      let now = try label(frame, by: context.trainer.student)
      for index in now.indices where (ignored?[index] ?? 0) == 0 {
        count += 1
        if now[index] == before[index] { same += 1 }
      }
    }
    return Double(same) / Double(max(1, count))
  }

  private func label(_ frame: Int, by weights: WeightSet) throws(Das3Error) -> [UInt8] {
    try context.target.load(frame)
    var labels = [UInt8](repeating: 0, count: pixelCount)
    context.trainer.predict(by: weights, labels: &labels)
    return labels
  }
}
