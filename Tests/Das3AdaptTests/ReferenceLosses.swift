import Das3Adapt
import Foundation

/// The formulas of `Losses` written down once more, plainly and in double.
struct ReferenceLosses {
  var losses: Losses
  var classCount: Int
  var labels: [UInt8]
  var negatives: [UInt8]
  var confidences: [UInt8]?
  var pixelWeights: [UInt8]?
  var probabilities: [Float]?

  init(_ call: LossCall) {
    losses = call.losses
    classCount = call.classCount
    labels = call.labels ?? []
    negatives = call.negatives ?? []
    confidences = call.confidences
    pixelWeights = call.pixelWeights
    probabilities = call.probabilities
  }

  /// What the gradient of a pixel holds fast.
  struct Held {
    /// exp(−λ h).
    var weight: Double
    /// The class of the rank.
    var ranked: Int
    /// Classes whose probability is small.
    var small: Set<Int>
  }

  func held(_ scores: [Double]) -> [Held] {
    pixels(scores).map { pixel in
      let p = softmax(pixel)
      return Held(
        weight: exp(-Double(losses.lambda) * entropy(p)),
        ranked: p.indices.sorted { p[$0] > p[$1] }[losses.rank - 1],
        small: Set(p.indices.filter { p[$0] < Double(losses.smallProbability) }))
    }
  }

  func values(_ scores: [Double], held: [Held]) -> Losses.Values {
    var result = Losses.Values()
    let pixels = pixels(scores)
    let count = Double(pixels.count)
    var marginal = [Double](repeating: 0, count: classCount)
    var labelWeight = 0.0
    for (index, pixel) in pixels.enumerated() {
      let p = softmax(pixel)
      let h = entropy(p)
      result.meanEntropy += h / count
      result.focalEntropy += pow(max(1 - h, 0), Double(losses.gamma)) * h / count
      result.rankedNegative -= logOfOthers(p, [held[index].ranked]) / count
      if held[index].small.count < classCount {
        result.smallNegative -= logOfOthers(p, held[index].small) / count
      }
      for c in 0..<classCount {
        result.maxSquare -= p[c] * p[c] / 2 / count
        marginal[c] += held[index].weight * p[c] / count
        let byte = negatives[index * ((classCount + 7) / 8) + c / 8]
        if byte >> (c % 8) & 1 == 1 { result.negative -= logOfOthers(p, [c]) / count }
        if let probabilities {
          let difference = p[c] - Double(probabilities[index * classCount + c])
          result.consistency += difference * difference / count
          let given = Double(probabilities[index * classCount + c])
          if given > 0 { result.divergence += given * log(given / p[c]) / count }
        }
      }
      if labels[index] < classCount {
        let label = Int(labels[index])
        let weight = losses.classWeights.isEmpty ? 1 : Double(losses.classWeights[label])
        result.labelledCount += 1
        labelWeight += weight
        let factor = pixelWeights.map { Double($0[index]) / 255 } ?? 1
        result.crossEntropy += weight * factor * divergence(of: p, from: target(index, label))
      }
    }
    if labelWeight > 0 { result.crossEntropy /= labelWeight }
    result.entropy = result.meanEntropy
    if classCount > 1 {
      result.diversity = marginal.reduce(0) { $0 + $1 * log($1) } / log(Double(classCount))
    }
    let parts: [(Float, Double)] = [
      (losses.crossEntropy, result.crossEntropy), (losses.focalEntropy, result.focalEntropy),
      (losses.diversity, result.diversity), (losses.negative, result.negative),
      (losses.entropy, result.entropy), (losses.maxSquare, result.maxSquare),
      (losses.rankedNegative, result.rankedNegative),
      (losses.smallNegative, result.smallNegative), (losses.consistency, result.consistency),
      (losses.divergence, result.divergence),
    ]
    result.total = parts.reduce(0) { $0 + Double($1.0) * $1.1 }
    return result
  }

  /// By central differences of the total.
  func gradient(_ scores: [Double]) -> [Double] {
    let held = held(scores)
    let step = 1e-5
    return scores.indices.map { index in
      var moved = scores
      moved[index] = scores[index] + step
      let above = values(moved, held: held).total
      moved[index] = scores[index] - step
      return (above - values(moved, held: held).total) / (2 * step)
    }
  }

  private func pixels(_ scores: [Double]) -> [ArraySlice<Double>] {
    stride(from: 0, to: scores.count, by: classCount).map { scores[$0..<$0 + classCount] }
  }

  private func softmax(_ pixel: ArraySlice<Double>) -> [Double] {
    let largest = pixel.max() ?? 0
    let powers = pixel.map { exp($0 - largest) }
    let sum = powers.reduce(0, +)
    return powers.map { $0 / sum }
  }

  private func entropy(_ p: [Double]) -> Double {
    guard classCount > 1 else { return 0 }
    return -p.reduce(0) { $1 > 0 ? $0 + $1 * log($1) : $0 } / log(Double(classCount))
  }

  /// log(1 − Σ p) over some classes.
  private func logOfOthers(_ p: [Double], _ classes: Set<Int>) -> Double {
    log(p.indices.reduce(0) { classes.contains($1) ? $0 : $0 + p[$1] })
  }

  /// P of a pixel's label.
  private func target(_ pixel: Int, _ label: Int) -> [Double] {
    let own = confidences.map { Double($0[pixel]) / 255 } ?? 1
    return (0..<classCount).map { $0 == label ? own : (1 - own) / Double(classCount - 1) }
  }

  /// KL of the second from the first.
  private func divergence(of p: [Double], from target: [Double]) -> Double {
    zip(target, p).reduce(0) { $1.0 > 0 ? $0 + $1.0 * log($1.0 / $1.1) : $0 }
  }
}
