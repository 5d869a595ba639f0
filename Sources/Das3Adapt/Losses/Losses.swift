internal import CKernels
import Das3Graph
import Das3Runtime

/// Class scores of a batch → values of the losses that are on, and the gradient of their weighted
/// sum to the scores.
///
/// With p = softmax of a pixel's C scores, natural logarithms and h = −Σ_c p_c log p_c / log C, the
/// entropy in 0…1 (0 where C = 1). Each weight is the factor of one loss; 0 = off. All are means
/// over the pixels of the batch that count: nats, or parts of log C where h appears. An ignored pixel
/// counts in none, whatever its scores are, and its gradient is 0.
package struct Losses: Sendable, Equatable {
  /// −log p of the label, mean over the labelled pixels; ≥ 0.
  ///
  /// A pixel labelled 255, or with no class of this network, does not count; with none left the
  /// loss and its gradient are 0. Where a batch has confidences, a label is soft: P = its confidence
  /// for its class, the rest spread evenly over the others, and the loss is KL(P ‖ p) =
  /// Σ_c P_c log(P_c / p_c), which has the gradient of −Σ_c P_c log p_c. Where it has pixel weights,
  /// each is a factor of its pixel's loss, and the mean is not by them: half the weight everywhere
  /// is half the loss.
  package var crossEntropy: Float = 0
  /// What a pixel counts in cross-entropy, by its label, from 0; the mean is by them.
  ///
  /// Empty = 1 each.
  package var classWeights: [Float] = []
  /// (1 − h)^γ h, mean over pixels; 0…1.
  ///
  /// The gradient flows through both h.
  package var focalEntropy: Float = 0
  /// Σ_c q_c log q_c / log C with q_c = mean of exp(−λ h) p_c; −1…0 (−1.07…0 for two classes).
  ///
  /// No gradient flows through exp(−λ h).
  package var diversity: Float = 0
  /// −log(1 − p_c) summed over the marked classes of a pixel, mean over all pixels; ≥ 0.
  ///
  /// 1 − p_c is taken as at least 1.2e-38: a single mark costs at most 87.3.
  package var negative: Float = 0
  /// The entropy h, mean over pixels; 0…1.
  package var entropy: Float = 0
  /// −½ Σ_c p_c², mean over pixels; −½…−1/(2C).
  package var maxSquare: Float = 0
  /// −log(1 − p_k) of the class k at `rank`, mean over pixels; ≥ 0, and 0 for one class.
  ///
  /// No gradient flows through which class that is. 1 − p_k is bounded as in `negative`.
  package var rankedNegative: Float = 0
  /// Of classes by their probability, from 1 = the largest; of equals the first comes before.
  package var rank = 1
  /// −log(1 − Σ p_c) over the classes with p_c < `smallProbability`, mean over pixels; ≥ 0.
  ///
  /// No gradient flows through which classes these are. A pixel whose classes all are below says
  /// nothing: its loss and gradient are 0.
  package var smallNegative: Float = 0
  package var smallProbability: Float = 0.04
  /// Σ_c (p_c − P_c)² for the batch's probabilities P, mean over pixels; 0…2.
  ///
  /// No gradient flows through P.
  package var consistency: Float = 0
  /// KL(P ‖ p) = Σ_c P_c log(P_c / p_c) for the batch's probabilities P, mean over pixels; ≥ 0.
  ///
  /// No gradient flows through P.
  package var divergence: Float = 0
  /// The exponent γ ≥ 0 of focal entropy.
  ///
  /// Below 1 its slope is infinite at h = 1; there 1 − h is taken as at least 1e-6.
  package var gamma: Float = 3
  /// How fast uncertain pixels lose their say in diversity: λ.
  package var lambda: Float = 3

  /// The most classes a network may have here.
  package static let maximumClassCount = 256

  package init() {}

  /// What the losses are on one batch, without their weights; a loss that is off is 0.
  package struct Values: Sendable, Equatable {
    package var crossEntropy = 0.0
    package var focalEntropy = 0.0
    package var diversity = 0.0
    package var negative = 0.0
    package var entropy = 0.0
    package var maxSquare = 0.0
    package var rankedNegative = 0.0
    package var smallNegative = 0.0
    package var consistency = 0.0
    package var divergence = 0.0
    /// The weighted sum.
    package var total = 0.0
    /// Mean of h, whatever is on.
    package var meanEntropy = 0.0
    /// Pixels with a label that is a class.
    package var labelledCount = 0
    /// Whether some pixel counted in a loss that is on.
    package var selects = false

    package init() {}
  }

  /// One batch: what is read, and where the gradient goes.
  @safe package struct Batch {
    package let pixelCount: Int
    package let classCount: Int
    let scores: UnsafePointer<Float>
    let scoreStride: Int
    let labels: UnsafePointer<UInt8>?
    let confidences: UnsafePointer<UInt8>?
    let pixelWeights: UnsafePointer<UInt8>?
    let negatives: UnsafePointer<UInt8>?
    let probabilities: UnsafePointer<Float>?
    let ignored: UnsafePointer<UInt8>?
    let gradient: UnsafeMutablePointer<Float>?
    let gradientStride: Int

    /// Lends memory; all of it must outlive the batch.
    ///
    /// - Parameters:
    ///   - scores: `pixelCount` × `classCount`, channels last.
    ///   - scoreStride: floats from one pixel to the next.
    ///   - pixelCount: of all frames of the batch, one after the other.
    ///   - classCount: at most `maximumClassCount`.
    ///   - labels: one byte a pixel; nil turns cross-entropy off.
    ///   - confidences: of the labels, one byte a pixel, 255 = 1; nil = 1 each.
    ///   - pixelWeights: of cross-entropy, one byte a pixel, 255 = 1; nil = 1 each.
    ///   - negatives: ⌈`classCount` / 8⌉ bytes a pixel, class c is bit c mod 8 of byte c / 8; nil
    ///     turns the negative loss off.
    ///   - probabilities: `pixelCount` × `classCount`, dense; nil turns consistency and divergence
    ///     off.
    ///   - ignored: one byte a pixel, any but 0 = ignored; nil = all pixels count.
    ///   - gradient: overwritten; nil = values alone. May be `scores`, with the same stride.
    ///   - gradientStride: floats from one pixel to the next.
    /// - Throws: `.shape` for no pixels, or for no or too many classes.
    package init(
      scores: UnsafePointer<Float>, scoreStride: Int, pixelCount: Int, classCount: Int,
      labels: UnsafePointer<UInt8>? = nil, confidences: UnsafePointer<UInt8>? = nil,
      pixelWeights: UnsafePointer<UInt8>? = nil, negatives: UnsafePointer<UInt8>? = nil,
      probabilities: UnsafePointer<Float>? = nil, ignored: UnsafePointer<UInt8>? = nil,
      gradient: UnsafeMutablePointer<Float>?, gradientStride: Int
    ) throws(Das3Error) {
      guard pixelCount > 0, (1...maximumClassCount).contains(classCount) else {
        throw .shape(
          "\(pixelCount) pixels of \(classCount) classes; expected 1 to \(maximumClassCount) classes"
        )
      }
      guard scoreStride >= classCount, gradientStride >= classCount else {
        throw .shape("pixels \(min(scoreStride, gradientStride)) apart hold \(classCount) classes")
      }
      self.pixelCount = pixelCount
      self.classCount = classCount
      unsafe self.scores = scores
      self.scoreStride = scoreStride
      unsafe self.labels = labels
      unsafe self.confidences = confidences
      unsafe self.pixelWeights = pixelWeights
      unsafe self.negatives = negatives
      unsafe self.probabilities = probabilities
      unsafe self.ignored = ignored
      unsafe self.gradient = gradient
      self.gradientStride = gradientStride
    }

    /// Elements of the arena that `Losses.evaluate` wants as scratch.
    package var scratchElementCount: Int {
      Losses.scratchElementCount(pixelCount: pixelCount, classCount: classCount)
    }
  }

  /// Elements of scratch for a batch.
  package static func scratchElementCount(pixelCount: Int, classCount: Int) -> Int {
    (d3k_loss_scratch_bytes(Int64(pixelCount), Int64(classCount)) + 3) / 4
  }

  /// Values of the losses that are on; the gradient of their weighted sum goes where `batch` says.
  ///
  /// - Cost: one exponential a score, two with diversity; 31 comparisons with a ranked negative;
  ///   splits over pixels; same bits for any thread count. Finite for scores of ±1e4 and for p of
  ///   exactly 0 or 1.
  /// - Parameters:
  ///   - batch: scores, labels and gradient.
  ///   - scale: a further factor of the gradient, not of the values: 1 / n for n accumulated steps.
  ///   - scratch: at least `batch.scratchElementCount` elements.
  ///   - threads: of the one pool.
  /// - Returns: the values, without `scale`.
  /// - Throws: `.argument` where the scratch is too small, class weights are not one a class, or no
  ///   class has the rank.
  package func evaluate(
    _ batch: Batch, scale: Float = 1, scratch: Arena, threads: Int
  ) throws(Das3Error) -> Values {
    guard scratch.elementCount >= batch.scratchElementCount else {
      throw .argument(
        "scratch of \(scratch.elementCount) elements; expected \(batch.scratchElementCount)")
    }
    guard classWeights.isEmpty || classWeights.count == batch.classCount else {
      throw .argument("\(classWeights.count) class weights; expected \(batch.classCount)")
    }
    guard rankedNegative == 0 || (1...batch.classCount).contains(rank) else {
      throw .argument("rank \(rank) of a negative loss; expected 1 to \(batch.classCount)")
    }
    var result = d3k_loss_values()
    unsafe classWeights.withUnsafeBufferPointer { weights in
      var options = unsafe d3k_loss_options(
        cross_entropy: crossEntropy, focal_entropy: focalEntropy, diversity: diversity,
        negative: negative, entropy: entropy, max_square: maxSquare,
        ranked_negative: rankedNegative, small_negative: smallNegative, consistency: consistency,
        divergence: divergence, gamma: gamma, lambda: lambda, small_probability: smallProbability,
        rank: Int32(clamping: rank), class_weights: weights.isEmpty ? nil : weights.baseAddress)
      var image = unsafe d3k_loss_image(
        scores: d3k_scores(
          data: batch.scores, stride: Int64(batch.scoreStride), height: 1,
          width: Int64(batch.pixelCount), classes: Int64(batch.classCount), is_probability: 0),
        labels: batch.labels, confidences: batch.confidences, pixel_weights: batch.pixelWeights,
        negatives: batch.negatives, probabilities: batch.probabilities, ignored: batch.ignored,
        gradient: batch.gradient, gradient_stride: Int64(batch.gradientStride), scale: scale)
      unsafe d3k_loss(Int32(threads), &options, &image, &result, scratch.pointer(at: 0))
    }
    var values = Values(result)
    // Means over all pixels; cross-entropy is over those with a label, of which weights may leave
    // none; the negative losses are over classes, of which there may be none either.
    let isMean = [focalEntropy, diversity, entropy, maxSquare].contains { $0 != 0 }
    let isWeighted = unsafe batch.pixelWeights != nil
    let isCompared = unsafe batch.probabilities != nil
    values.selects =
      isMean || (isCompared && (consistency != 0 || divergence != 0))
      || (crossEntropy != 0 && values.labelledCount > 0
        && (!isWeighted || values.crossEntropy != 0))
      || (negative != 0 && values.negative != 0)
      || (rankedNegative != 0 && values.rankedNegative != 0)
      || (smallNegative != 0 && values.smallNegative != 0)
    return values
  }
}

extension Losses.Values {
  fileprivate init(_ values: d3k_loss_values) {
    crossEntropy = values.cross_entropy
    focalEntropy = values.focal_entropy
    diversity = values.diversity
    negative = values.negative
    entropy = values.entropy
    maxSquare = values.max_square
    rankedNegative = values.ranked_negative
    smallNegative = values.small_negative
    consistency = values.consistency
    divergence = values.divergence
    total = values.total
    meanEntropy = values.mean_entropy
    labelledCount = Int(values.labelled)
  }
}

extension Losses {
  /// How far a network agrees with another one → pixel weights exp(−KL(P ‖ p)), 255 = 1.
  ///
  /// KL is in nats; no weight is left where it is not a number. Cost: an exponential and a logarithm
  /// a score; splits over pixels; allocates nothing.
  ///
  /// - Parameters:
  ///   - scores: of p, one pixel after the other, channels last.
  ///   - stride: floats from one pixel to the next.
  ///   - isProbability: they are probabilities already.
  ///   - shape: 1×C×h×w.
  ///   - probabilities: P, as many, dense.
  ///   - ignored: at the size of the scores; these pixels weigh nothing; nil = every pixel counts.
  ///   - weights: receives one byte a pixel.
  ///   - threads: of the one pool.
  package static func weigh(
    scores: UnsafePointer<Float>, stride: Int, isProbability: Bool = false, shape: Shape,
    against probabilities: UnsafePointer<Float>, ignored: IgnoredPixels? = nil,
    into weights: inout [UInt8], threads: Int
  ) {
    precondition(weights.count == shape[2] * shape[3])
    var scores = unsafe d3k_scores(scores, stride, shape, isProbability: isProbability)
    unsafe withOptionalPointer(ignored?.marks) { ignored in
      unsafe weights.withUnsafeMutableBufferPointer { weights in
        guard let start = weights.baseAddress else { return }
        unsafe d3k_divergence_weights(Int32(threads), &scores, probabilities, ignored, start)
      }
    }
  }
}
