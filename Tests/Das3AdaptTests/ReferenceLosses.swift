import Das3Adapt
import Foundation

/// The formulas of `Losses` written down once more, plainly and in double.
struct ReferenceLosses {
  var losses: Losses
  var classCount: Int
  var labels: [UInt8]
  var negatives: [UInt8]

  /// exp(−λ h) of each pixel, which the gradient holds fast.
  func weights(_ scores: [Double]) -> [Double] {
    pixels(scores).map { exp(-Double(losses.lambda) * entropy(probabilities($0))) }
  }

  func values(_ scores: [Double], weights: [Double]) -> Losses.Values {
    var result = Losses.Values()
    let pixels = pixels(scores)
    let count = Double(pixels.count)
    var marginal = [Double](repeating: 0, count: classCount)
    var labelWeight = 0.0
    for (index, pixel) in pixels.enumerated() {
      let p = probabilities(pixel)
      let h = entropy(p)
      result.meanEntropy += h / count
      result.focalEntropy += pow(max(1 - h, 0), Double(losses.gamma)) * h / count
      for c in 0..<classCount {
        result.maxSquare -= p[c] * p[c] / 2 / count
        marginal[c] += weights[index] * p[c] / count
        let byte = negatives[index * ((classCount + 7) / 8) + c / 8]
        if byte >> (c % 8) & 1 == 1 {
          let others = p.indices.reduce(0) { $1 == c ? $0 : $0 + p[$1] }
          result.negative -= log(others) / count
        }
      }
      if labels[index] < classCount {
        let label = Int(labels[index])
        let weight = losses.classWeights.isEmpty ? 1 : Double(losses.classWeights[label])
        result.labelledCount += 1
        labelWeight += weight
        result.crossEntropy -= weight * log(p[label])
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
    ]
    result.total = parts.reduce(0) { $0 + Double($1.0) * $1.1 }
    return result
  }

  /// By central differences of the total.
  func gradient(_ scores: [Double]) -> [Double] {
    let weights = weights(scores)
    let step = 1e-5
    return scores.indices.map { index in
      var moved = scores
      moved[index] = scores[index] + step
      let above = values(moved, weights: weights).total
      moved[index] = scores[index] - step
      return (above - values(moved, weights: weights).total) / (2 * step)
    }
  }

  private func pixels(_ scores: [Double]) -> [ArraySlice<Double>] {
    stride(from: 0, to: scores.count, by: classCount).map { scores[$0..<$0 + classCount] }
  }

  private func probabilities(_ pixel: ArraySlice<Double>) -> [Double] {
    let largest = pixel.max() ?? 0
    let powers = pixel.map { exp($0 - largest) }
    let sum = powers.reduce(0, +)
    return powers.map { $0 / sum }
  }

  private func entropy(_ p: [Double]) -> Double {
    guard classCount > 1 else { return 0 }
    return -p.reduce(0) { $1 > 0 ? $0 + $1 * log($1) : $0 } / log(Double(classCount))
  }
}
