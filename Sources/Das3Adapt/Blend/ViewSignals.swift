import Glibc

/// What the probe frames and their mirror images say of one network, without labels.
///
/// Sums over the pixels of the probe frames; the means below are what candidates are compared by.
/// The mutual information of pixels and classes is that of Krause et al. (2010) and Liang et al.
/// (SHOT, 2020); agreement of views as a measure of error is in Lee et al. (AETTA, 2024).
package struct ViewSignals: Sendable, Equatable {
  /// −Σ_c p_c ln p_c of each pixel.
  package var entropySum = 0.0
  /// Jensen-Shannon divergence of each pixel's p and that of the mirrored view, in nats.
  package var divergenceSum = 0.0
  /// Pixels that both views give the same label.
  package var sameCount = 0.0
  /// Pixels whose scores are numbers.
  package var pixelCount = 0.0
  /// Of each class the sum of its probabilities.
  package var masses: [Double]

  package init(classCount: Int) { masses = [Double](repeating: 0, count: classCount) }

  /// What many frames say together; at least one.
  package init(sumOf frames: [ViewSignals]) {
    self.init(classCount: frames.first?.masses.count ?? 0)
    for frame in frames { add(frame) }
  }

  /// Adds what another frame says.
  package mutating func add(_ other: ViewSignals) {
    entropySum += other.entropySum
    divergenceSum += other.divergenceSum
    sameCount += other.sameCount
    pixelCount += other.pixelCount
    for label in masses.indices { masses[label] += other.masses[label] }
  }

  /// q, the mean p: the part of the pixels that each class is expected on; they sum to 1.
  package var classShares: [Double] { masses.map { pixelCount > 0 ? $0 / pixelCount : 0 } }

  /// Mean entropy of a pixel, in nats; 0…ln C.
  package var entropy: Double { pixelCount > 0 ? entropySum / pixelCount : 0 }

  /// M = IM · F: diverse, certain, and the same from both sides.
  package var score: Double { information * agreement }

  /// IM = H(q) − mean H(p), q = mean p, in nats; 0…ln C.
  ///
  /// Large where single pixels are certain and all together are diverse.
  package var information: Double {
    guard pixelCount > 0 else { return 0 }
    let diversity = masses.reduce(0) { sum, mass in
      mass > 0 ? sum - mass / pixelCount * log(mass / pixelCount) : sum
    }
    return max(0, diversity - entropySum / pixelCount)
  }

  /// F, the part of the pixels that both views give the same label; 0…1.
  package var agreement: Double { pixelCount > 0 ? sameCount / pixelCount : 0 }

  /// V, the mean divergence of the two views, in nats; 0…ln 2.
  package var divergence: Double { pixelCount > 0 ? divergenceSum / pixelCount : 0 }
}

extension ViewSignals {
  /// The sums as a checkpoint keeps them.
  package var numbers: [Double] { [entropySum, divergenceSum, sameCount, pixelCount] + masses }

  package init?(_ numbers: [Double]) {
    guard numbers.count > 4 else { return nil }
    self.init(classCount: 0)
    (entropySum, divergenceSum) = (numbers[0], numbers[1])
    (sameCount, pixelCount) = (numbers[2], numbers[3])
    masses = Array(numbers[4...])
  }
}
