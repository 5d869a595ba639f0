// Labels of frames in, the share of each class out.

struct ClassShares {
  let names: [String]
  private var counts: [Int]
  private var pixelCount = 0

  init(names: [String]) {
    self.names = names
    counts = [Int](repeating: 0, count: 256)
  }

  mutating func add(_ labels: [UInt8]) {
    for label in labels { counts[Int(label)] += 1 }
    pixelCount += labels.count
  }

  mutating func add(_ other: ClassShares) {
    for label in counts.indices { counts[label] += other.counts[label] }
    pixelCount += other.pixelCount
  }

  /// The share of each class, 0 to 1.
  var shares: [Double] {
    names.indices.map { pixelCount > 0 ? Double(counts[$0]) / Double(pixelCount) : 0 }
  }

  /// The share of pixels without a class.
  var unlabelledShare: Double {
    let count = counts.dropFirst(names.count).reduce(0, +)
    return pixelCount > 0 ? Double(count) / Double(pixelCount) : 0
  }

  /// The shares in percent of the classes that occur.
  var json: JsonValue {
    .object(
      zip(names, shares).filter { $0.1 > 0 }.map {
        (key: $0.0, value: .rounded($0.1 * 100, 2))
      })
  }
}
