import Das3Graph

/// Counts of (truth, label) pairs over any number of frames, and the scores made from them.
package struct ConfusionMatrix: Sendable {
  package let classCount: Int
  package let ignoreLabel: Int
  /// Row = truth, column = label; the last column counts labels outside the classes.
  private var counts: [UInt64]

  package init(classCount: Int, ignoreLabel: Int) throws(Das3Error) {
    guard (1...255).contains(classCount) else {
      throw .argument("class_count is \(classCount); expected 1 to 255")
    }
    self.classCount = classCount
    self.ignoreLabel = ignoreLabel
    counts = [UInt64](repeating: 0, count: classCount * (classCount + 1))
  }

  /// Counts pairs; truth that is `ignoreLabel` or no class is left out.
  package mutating func add(labels: Span<UInt8>, truth: Span<UInt8>) {
    for index in labels.indices {
      let expected = Int(truth[index])
      guard expected < classCount, expected != ignoreLabel else { continue }
      counts[expected * (classCount + 1) + min(Int(labels[index]), classCount)] += 1
    }
  }

  package var pixelCount: UInt64 { counts.reduce(0, +) }

  package var pixelAccuracy: Double {
    let total = pixelCount
    let right = (0..<classCount).reduce(UInt64(0)) { $0 + counts[$1 * (classCount + 2)] }
    return total == 0 ? 0 : Double(right) / Double(total)
  }

  /// How truth and labels overlap, per class.
  package var overlaps: [ClassOverlap] {
    (0..<classCount).map { index in
      let width = classCount + 1
      let truth = counts[index * width..<(index + 1) * width].reduce(0, +)
      let predicted = (0..<classCount).reduce(UInt64(0)) { $0 + counts[$1 * width + index] }
      let both = counts[index * width + index]
      return ClassOverlap(intersection: both, union: truth + predicted - both)
    }
  }
}

/// Pixels of a class; those of several frames add up.
package struct ClassOverlap: Sendable, Equatable {
  /// That truth and labels agree on.
  package var intersection: UInt64 = 0
  /// In truth, labels or both.
  package var union: UInt64 = 0

  package init(intersection: UInt64 = 0, union: UInt64 = 0) {
    self.intersection = intersection
    self.union = union
  }

  /// Intersection over union, 0 to 1; nil = neither in truth nor predicted.
  package var iou: Double? { union == 0 ? nil : Double(intersection) / Double(union) }
}

extension [ClassOverlap] {
  /// Mean over the classes in truth or prediction, 0 to 1.
  package var meanIoU: Double {
    let seen = compactMap(\.iou)
    return seen.isEmpty ? 0 : seen.reduce(0, +) / Double(seen.count)
  }

  /// Adds those of another frame, class by class.
  package mutating func add(_ other: [ClassOverlap]) {
    for (index, overlap) in zip(indices, other) {
      self[index].intersection += overlap.intersection
      self[index].union += overlap.union
    }
  }
}
