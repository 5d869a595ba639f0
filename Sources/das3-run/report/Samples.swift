// Measured values in, order statistics out.

struct Samples {
  private(set) var values: [Double] = []

  mutating func add(_ value: Double) {
    values.append(value)
  }

  var minimum: Double { values.min() ?? 0 }

  /// The middle value, or the mean of the two in the middle; 0 without values.
  var median: Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  /// The smallest value that `percent` of the values do not exceed; 0 without values.
  func percentile(_ percent: Int) -> Double {
    guard !values.isEmpty else { return 0 }
    let rank = (values.count * percent + 99) / 100
    return values.sorted()[max(0, min(values.count, rank) - 1)]
  }
}
