import Das3Graph
import Das3Runtime

/// Labels of a set of frames that stay uncertain: what a pixel is believed to be is its most probable
/// class with that class's probability P₁, and evenly every other class with what P₁ leaves.
///
/// Two bytes a pixel, the label and 255 P₁; on disk where memory does not suffice. A pixel without a
/// label, 255, never gets one.
final class SoftLabels {
  private let shape: Shape
  private let pixelCount: Int
  private let records: RecordStore
  /// Of one frame.
  private var labels, confidences: [UInt8]
  private var labelled: [Int]

  /// - Parameters:
  ///   - frameCount: how many frames there are.
  ///   - shape: of the scores of one, 1×C×h×w.
  ///   - memoryLimit: bytes beyond which labels go to disk.
  ///   - directory: on that disk; nil = $TMPDIR or /var/tmp.
  /// - Throws: `.io` where that cannot be written.
  init(frameCount: Int, shape: Shape, memoryLimit: Int, directory: String?) throws(Das3Error) {
    self.shape = shape
    pixelCount = shape[2] * shape[3]
    records = try RecordStore(
      recordCount: frameCount, byteCount: 2 * pixelCount, memoryLimit: memoryLimit,
      directory: directory)
    labels = [UInt8](repeating: 255, count: pixelCount)
    confidences = [UInt8](repeating: 0, count: pixelCount)
    labelled = [Int](repeating: 0, count: frameCount)
  }

  /// Bytes held in memory.
  var memoryByteCount: Int { records.memoryByteCount }

  /// Pixels with a label.
  var labelledCount: Int { labelled.reduce(0, +) }

  /// Takes what is said of a frame.
  func write(_ prediction: Prediction, to frame: Int) throws(Das3Error) {
    for pixel in 0..<pixelCount {
      confidences[pixel] = UInt8(min(max(prediction.confidence[pixel], 0), 1) * 255 + 0.5)
    }
    labelled[frame] = prediction.labels.reduce(0) { $0 + ($1 == 255 ? 0 : 1) }
    try records.write(prediction.labels, to: frame)
    try records.write(confidences, to: frame, at: pixelCount)
  }

  /// Labels of a frame, and 255 P₁ of each.
  func read(of frame: Int, into labels: inout [UInt8], confidences: inout [UInt8])
    throws(Das3Error)
  {
    try records.read(into: &labels, from: frame)
    try records.read(into: &confidences, from: frame, at: pixelCount)
  }

  /// Moves what is believed of a frame towards what a network says of it, but keeps of the mean no
  /// more than two bytes a pixel, either.
  ///
  /// - Parameters:
  ///   - frame: that is renewed.
  ///   - answer: probabilities by the network, channels last; receives P = keep · what was believed +
  ///     (1 − keep) · these.
  ///   - keep: 0…1.
  ///   - ignored: at the size of the scores; nil = every pixel counts.
  ///   - negativeThreshold: probability below which a class is marked.
  ///   - threads: of the one pool.
  ///   - prediction: receives the most probable class of P, its probability and the marks.
  /// - Throws: `.io`.
  func mix(
    _ frame: Int, with answer: Arena, keep: Float, ignored: IgnoredPixels?,
    negativeThreshold: Float, threads: Int, into prediction: inout Prediction
  ) throws(Das3Error) {
    try read(of: frame, into: &labels, confidences: &confidences)
    let classCount = shape[1]
    let values = unsafe answer.pointer(at: 0)
    for pixel in 0..<pixelCount {
      let label = Int(labels[pixel])
      guard label < classCount else {
        unsafe (values + pixel * classCount).update(repeating: .nan, count: classCount)
        continue
      }
      let own = classCount > 1 ? Float(confidences[pixel]) / 255 : 1
      let other = (1 - own) / Float(max(1, classCount - 1))
      for index in pixel * classCount..<(pixel + 1) * classCount {
        unsafe values[index] = (1 - keep) * values[index] + keep * other
      }
      unsafe values[pixel * classCount + label] += keep * (own - other)
    }
    unsafe prediction.fill(
      scores: values, stride: classCount, isProbability: true, ignored: ignored,
      negativeThreshold: negativeThreshold, threads: threads)
  }
}
