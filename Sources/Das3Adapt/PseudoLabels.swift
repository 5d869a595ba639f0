import Das3Graph

/// Labels that a fixed copy of the network gives the whole target set: positive ones where it is
/// certain (equation 4), marks of what a pixel certainly is not (equation 6), and how certain each
/// frame is (equation 9).
///
/// One byte and C bits a pixel; on disk where memory does not suffice.
package final class PseudoLabels {
  package let thresholds: ClassThresholds
  /// Pixels of the set with a positive label, of those that count, 0…1.
  package let coverage: Double
  /// Mean entropy of each frame, 0…1.
  package let entropies: [Double]
  /// What a label of each class is to count, so that the class counts as often as the network expects
  /// it: the sum of its probabilities over the pixels that have its label.
  ///
  /// The arg max hardly ever finds what is rare and uncertain; without this, training on it makes
  /// the rare rarer.
  package let classWeights: [Float]
  private let records: RecordStore

  /// No class counts more, or less than its inverse.
  private static let mostWeight = 4.0

  /// Makes the labels of every frame.
  ///
  /// - Cost: one prediction a frame, and three passes over 5 bytes a pixel.
  /// - Parameters:
  ///   - store: where they lie; labels that lay there are no more.
  ///   - share: of each class's pixels that keep their label (K).
  ///   - frameShare: of each frame's pixels that keep it beside them, whatever their classes.
  ///   - ignoredCount: pixels of a frame that count for nothing.
  ///   - predict: fills in the prediction of a frame.
  /// - Throws: what `predict` throws; `.io` where the disk is full.
  package init(
    in store: LabelStore, share: Double, frameShare: Double? = nil, ignoredCount: Int = 0,
    predict: (_ frame: Int, _ prediction: inout Prediction) throws(Das3Error) -> Void
  ) throws(Das3Error) {
    var prediction = Prediction(shape: store.shape)
    let pixelCount = prediction.pixelCount
    let confidences = store.confidences
    records = store.records
    var search = ClassThresholds.Search(classCount: store.shape[1], share: share)
    var entropies: [Double] = []
    var masses = [Double](repeating: 0, count: store.shape[1])
    for frame in 0..<store.frameCount {
      try predict(frame, &prediction)
      entropies.append(prediction.meanEntropy)
      for label in masses.indices { masses[label] += prediction.masses[label] }
      search.add(prediction.labels, prediction.confidence)
      try records.write(prediction.labels, to: frame)
      try records.write(prediction.negatives, to: frame, at: pixelCount)
      try confidences.write(prediction.confidence, to: frame)
    }
    search.endPass()
    while !search.isDone {
      for frame in 0..<store.frameCount {
        try records.read(into: &prediction.labels, from: frame)
        try confidences.read(into: &prediction.confidence, from: frame)
        search.add(prediction.labels, prediction.confidence)
      }
      search.endPass()
    }
    let found = search.thresholds
    thresholds = found
    self.entropies = entropies
    classWeights = zip(masses, search.classCounts).map { mass, count in
      Float(min(max(mass / Double(max(1, count)), 1 / Self.mostWeight), Self.mostWeight))
    }
    var kept = 0
    for frame in 0..<store.frameCount {
      try records.read(into: &prediction.labels, from: frame)
      try confidences.read(into: &prediction.confidence, from: frame)
      var limits = found
      if let frameShare { limits = found.lowered(toKeep: frameShare, of: prediction) }
      kept += limits.filter(&prediction)
      try records.write(prediction.labels, to: frame)
    }
    coverage = Double(kept) / Double(max(1, store.frameCount * (pixelCount - ignoredCount)))
  }

  /// Bytes held in memory.
  package var memoryByteCount: Int { records.memoryByteCount }

  /// Positive labels of a frame, 255 where it has none.
  package func readLabels(of frame: Int, into labels: inout [UInt8]) throws(Das3Error) {
    try records.read(into: &labels, from: frame)
  }

  /// Marks of a frame.
  package func readNegatives(of frame: Int, into negatives: inout [UInt8]) throws(Das3Error) {
    try records.read(into: &negatives, from: frame, at: records.byteCount - negatives.count)
  }

  /// Frames by rising entropy: the first `share` of them are easy, the rest hard.
  ///
  /// At least one is easy.
  package static func rank(_ entropies: [Double], share: Double) -> (easy: [Int], hard: [Int]) {
    let order = entropies.indices.sorted { (entropies[$0], $0) < (entropies[$1], $1) }
    let easyCount = min(order.count, max(1, Int(share * Double(order.count))))
    return (Array(order[..<easyCount]), Array(order[easyCount...]))
  }
}
