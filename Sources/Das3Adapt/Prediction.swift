internal import CKernels
import Das3Graph
import Das3Runtime

/// What a network says of the pixels of one frame, at the size of its scores.
package struct Prediction: Sendable, Equatable {
  /// 1×C×h×w, of the scores.
  package let shape: Shape
  /// The most probable class of each pixel; 255 = none, as for those that are ignored.
  package var labels: [UInt8]
  /// Its probability.
  package var confidence: [Float]
  /// Classes that a pixel certainly is not: `markByteCount` bytes a pixel, class c is bit c mod 8 of
  /// byte c / 8.
  package var negatives: [UInt8]
  /// Mean over the pixels that count of the entropy, 0…1.
  package var meanEntropy = 0.0
  /// Of each class the sum over pixels of its probability: how many of them are expected to be it.
  package var masses: [Double]
  private var scratch: [Double]

  /// What enlarged parts count beside the image as it is.
  private static let zoomedShare: Float = 0.2

  package init(shape: Shape) {
    self.shape = shape
    let pixelCount = shape[2] * shape[3]
    labels = [UInt8](repeating: 255, count: pixelCount)
    confidence = [Float](repeating: 0, count: pixelCount)
    negatives = [UInt8](repeating: 0, count: pixelCount * Self.markByteCount(shape))
    masses = [Double](repeating: 0, count: shape[1])
    let scratchByteCount = d3k_predict_scratch_bytes(Int64(pixelCount), Int64(shape[1]))
    scratch = [Double](repeating: 0, count: scratchByteCount / MemoryLayout<Double>.stride)
  }

  package var classCount: Int { shape[1] }
  package var pixelCount: Int { labels.count }

  /// Bytes of one pixel's marks.
  package static func markByteCount(_ shape: Shape) -> Int { (shape[1] + 7) / 8 }

  /// Reads scores or probabilities, channels last.
  ///
  /// - Parameters:
  ///   - scores: one pixel after the other.
  ///   - stride: floats from one pixel to the next.
  ///   - isProbability: they are probabilities already.
  ///   - mirrored: what `softmax` made of the mirror image; the mean of both is then read.
  ///   - zoomed: what enlarged parts of the image say, which then counts, too.
  ///   - ignored: at the size of the scores, as the image lies; nil = every pixel counts.
  ///   - negativeThreshold: probability below which a class is marked.
  ///   - probabilities: receives those of all classes, densely; nil = nobody wants them.
  ///   - threads: of the one pool.
  package mutating func fill(
    scores: UnsafePointer<Float>, stride: Int, isProbability: Bool = false,
    mirrored: UnsafePointer<Float>? = nil, zoomed: UnsafePointer<Float>? = nil,
    ignored: IgnoredPixels? = nil,
    negativeThreshold: Float, probabilities: UnsafeMutablePointer<Float>? = nil, threads: Int
  ) {
    var scores = unsafe d3k_scores(scores, stride, shape, isProbability: isProbability)
    meanEntropy = unsafe labels.withUnsafeMutableBufferPointer { labels in
      unsafe confidence.withUnsafeMutableBufferPointer { confidence in
        unsafe negatives.withUnsafeMutableBufferPointer { negatives in
          unsafe masses.withUnsafeMutableBufferPointer { masses in
            unsafe scratch.withUnsafeMutableBytes { scratch in
              unsafe withOptionalPointer(ignored?.marks) { ignored in
                var prediction = unsafe d3k_prediction(
                  mirrored: mirrored, zoomed: zoomed, zoomed_share: Self.zoomedShare,
                  ignored: ignored, negative_threshold: negativeThreshold,
                  labels: labels.baseAddress, confidence: confidence.baseAddress,
                  negatives: negatives.baseAddress, probabilities: probabilities,
                  masses: masses.baseAddress, scratch: scratch.baseAddress)
                return unsafe d3k_predict(Int32(threads), &scores, &prediction)
              }
            }
          }
        }
      }
    }
  }

  /// Scores → probabilities alone, both channels last.
  ///
  /// - Parameters:
  ///   - scores: one pixel after the other.
  ///   - stride: floats from one pixel to the next.
  ///   - shape: 1×C×h×w.
  ///   - probabilities: receives them, densely.
  ///   - scratch: as much as the losses of as many pixels and classes take.
  ///   - threads: of the one pool.
  static func softmax(
    scores: UnsafePointer<Float>, stride: Int, shape: Shape,
    into probabilities: UnsafeMutablePointer<Float>, scratch: Arena, threads: Int
  ) {
    var scores = unsafe d3k_scores(scores, stride, shape)
    var prediction = unsafe d3k_prediction()
    unsafe prediction.probabilities = probabilities
    unsafe prediction.scratch = UnsafeMutableRawPointer(scratch.pointer(at: 0))
    _ = unsafe d3k_predict(Int32(threads), &scores, &prediction)
  }

  /// Scores, channels last → labels alone: those of `fill`, but 0 where a score is not a number.
  ///
  /// - Parameters:
  ///   - scores: one pixel after the other.
  ///   - stride: floats from one pixel to the next.
  ///   - shape: 1×C×h×w.
  ///   - labels: one a pixel.
  ///   - threads: of the one pool.
  static func label(
    scores: UnsafePointer<Float>, stride: Int, shape: Shape, into labels: inout [UInt8],
    threads: Int
  ) {
    var scores = unsafe d3k_scores(scores, stride, shape)
    unsafe labels.withUnsafeMutableBufferPointer { labels in
      var labelling = unsafe d3k_labelling()
      unsafe labelling.labels = labels.baseAddress
      unsafe d3k_label(Int32(threads), &scores, &labelling)
    }
  }
}

/// Lends the bytes, or nil.
func withOptionalPointer<Result>(
  _ bytes: [UInt8]?, _ body: (UnsafePointer<UInt8>?) -> Result
) -> Result {
  guard let bytes else { return body(nil) }
  return unsafe bytes.withUnsafeBufferPointer { unsafe body($0.baseAddress) }
}

extension d3k_scores {
  /// Of a shape 1×C×h×w, channels last, pixels `stride` floats apart.
  init(
    _ data: UnsafePointer<Float>, _ stride: Int, _ shape: Shape, isProbability: Bool = false
  ) {
    unsafe self.init(
      data: data, stride: Int64(stride), height: Int64(shape[2]), width: Int64(shape[3]),
      classes: Int64(shape[1]), is_probability: isProbability ? 1 : 0)
  }
}
