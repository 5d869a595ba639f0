// Measured values in, order statistics out.

extension [Double] {
  /// The middle value, or the mean of the two in the middle; 0 without values.
  var median: Double {
    guard !isEmpty else { return 0 }
    let sorted = sorted()
    let middle = count / 2
    return count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  /// The smallest value that `percent` of the values do not exceed; 0 without values.
  func percentile(_ percent: Int) -> Double {
    guard !isEmpty else { return 0 }
    let rank = (count * percent + 99) / 100
    return sorted()[Swift.max(0, Swift.min(count, rank) - 1)]
  }
}
