import Das3Graph

/// Probabilities of the winning classes of a whole set of frames → the value of each class above
/// which a pixel keeps its label (equation 4).
///
///     λ_c = the value at descending rank ⌊share · n_c⌋ of the n_c pixels predicted as c
///
/// Exact whatever the size of the set: floats from 0 on are ordered like their bits, so a count by
/// the first third of the bits finds the first third of λ_c, and two more passes the rest. Memory:
/// 1,024 counts a class; nothing per pixel.
package struct ClassThresholds: Sendable, Equatable {
  /// Of each class; a class without pixels has 1.
  package var values: [Float]

  /// Whether the labels of so confident a pixel are kept.
  func keeps(_ label: UInt8, _ confidence: Float) -> Bool {
    Int(label) < values.count && confidence > values[Int(label)]
  }

  /// Takes the labels that are not kept away.
  ///
  /// - Returns: how many pixels keep theirs.
  func filter(_ prediction: inout Prediction) -> Int {
    var kept = 0
    for index in prediction.labels.indices {
      if keeps(prediction.labels[index], prediction.confidence[index]) {
        kept += 1
      } else {
        prediction.labels[index] = 255
      }
    }
    return kept
  }

  /// Thresholds that are no higher than what a share of a frame's labelled pixels exceed: the value at
  /// descending rank ⌊share · n⌋ of their n.
  func lowered(toKeep share: Double, of prediction: Prediction) -> ClassThresholds {
    var search = Search(classCount: 1, share: share)
    let labels = prediction.labels.map { label -> UInt8 in label == 255 ? 255 : 0 }
    while !search.isDone {
      search.add(labels, prediction.confidence)
      search.endPass()
    }
    let most = search.thresholds.values[0]
    return ClassThresholds(values: values.map { min($0, most) })
  }

  /// The search, digit by digit: 12, 10 and 10 bits of the value.
  package struct Search {
    private static let digits: [(shift: Int, count: Int)] = [
      (20, Int(Float(1).bitPattern >> 20) + 1), (10, 1024), (0, 1024),
    ]

    private let classCount: Int
    private let share: Double
    private var digit = 0
    private var counts: [UInt64]
    /// Of each class: the bits found so far, and the rank among the values that share them.
    private var found: [UInt32]
    private var ranks: [UInt64]
    /// Of each class: whether what was found so far is its largest value.
    private var isLargest: [Bool]
    /// Values of each class, known after the first pass.
    package private(set) var classCounts: [UInt64] = []

    package init(classCount: Int, share: Double) {
      self.classCount = classCount
      self.share = share
      counts = [UInt64](repeating: 0, count: classCount * Self.digits[0].count)
      found = [UInt32](repeating: 0, count: classCount)
      ranks = [UInt64](repeating: 0, count: classCount)
      isLargest = [Bool](repeating: true, count: classCount)
    }

    /// Whether further passes over the same values are needed.
    package var isDone: Bool { digit == Self.digits.count }

    /// Counts the values of one frame in this pass.
    package mutating func add(_ labels: [UInt8], _ confidence: [Float]) {
      guard !isDone else { return }
      let (shift, width) = Self.digits[digit]
      let mask = digit == 0 ? Int.max : width - 1
      // Of what was found already the values must have the same bits above this digit.
      let above = digit == 0 ? 32 : Self.digits[digit - 1].shift
      for index in labels.indices {
        let label = Int(labels[index])
        guard label < classCount else { continue }
        let bits = min(max(confidence[index], 0), 1).bitPattern
        if above < 32, bits >> UInt32(above) != found[label] >> UInt32(above) { continue }
        counts[label * width + Int(bits >> UInt32(shift)) & mask] += 1
      }
    }

    /// Ends a pass.
    package mutating func endPass() {
      guard !isDone else { return }
      let (shift, width) = Self.digits[digit]
      for label in 0..<classCount {
        let row = counts[label * width..<(label + 1) * width]
        if digit == 0 {
          let count = row.reduce(0, +)
          classCounts.append(count)
          ranks[label] = UInt64(max(0, share * Double(count)))
          isLargest[label] = ranks[label] > 0
        }
        // From the largest value down.
        var place = row.endIndex - 1
        while place > row.startIndex, ranks[label] >= row[place] {
          ranks[label] -= row[place]
          place -= 1
        }
        isLargest[label] = isLargest[label] && row[(place + 1)...].allSatisfy { $0 == 0 }
        found[label] |= UInt32(place - row.startIndex) << UInt32(shift)
      }
      digit += 1
      if !isDone {
        counts = [UInt64](repeating: 0, count: classCount * Self.digits[digit].count)
      }
    }

    /// What was found, after the last pass.
    package var thresholds: ClassThresholds {
      ClassThresholds(
        values: (0..<classCount).map { label in
          if classCounts[label] == 0 { return 1 }
          // Where so many share the largest value, as those of a teacher that gives labels alone,
          // they all are certain.
          let bits = isLargest[label] && found[label] > 0 ? found[label] - 1 : found[label]
          return share >= 1 ? 0 : Float(bitPattern: bits)
        })
    }
  }
}
