// Any number of values in, a curve of at most 500 points out.

/// Values over steps; where there are many, each point is the mean of as many of them.
struct SampledCurve {
  struct Point {
    let x, y: Double
  }

  private static let capacity = 500

  private var complete: [Point] = []
  /// How many values make a point.
  private var groupSize = 1
  private var sum = (count: 0, x: 0.0, y: 0.0)

  /// Adds a value; one that is not finite is left out.
  mutating func add(_ y: Double, at x: Double) {
    guard y.isFinite else { return }
    sum = (sum.count + 1, sum.x + x, sum.y + y)
    guard sum.count == groupSize else { return }
    if let point = rest { complete.append(point) }
    sum = (0, 0, 0)
    guard complete.count == Self.capacity else { return }
    complete = stride(from: 0, to: Self.capacity, by: 2).map { index in
      let (one, two) = (complete[index], complete[index + 1])
      return Point(x: (one.x + two.x) / 2, y: (one.y + two.y) / 2)
    }
    groupSize *= 2
  }

  var points: [Point] { complete + (rest.map { [$0] } ?? []) }

  /// The mean of the values that do not make a whole point yet.
  private var rest: Point? {
    sum.count == 0 ? nil : Point(x: sum.x / Double(sum.count), y: sum.y / Double(sum.count))
  }

  /// Each point as the mean of its neighbours, a fifteenth of the curve; nil where points are few.
  var smoothed: [Point]? {
    let points = points
    guard points.count >= Self.leastSmoothed else { return nil }
    let reach = max(1, points.count / 30)
    return points.indices.map { index in
      // As many on both sides, so that the ends do not lean.
      let near = min(reach, index, points.count - 1 - index)
      let values = points[index - near...index + near].map(\.y)
      return Point(x: points[index].x, y: values.reduce(0, +) / Double(values.count))
    }
  }

  private static let leastSmoothed = 8

  /// The means of the first and of the last tenth; nil without values.
  var ends: (first: Double, last: Double)? {
    let values = points.map(\.y)
    guard !values.isEmpty else { return nil }
    let count = max(1, values.count / 10)
    return (
      values.prefix(count).reduce(0, +) / Double(count),
      values.suffix(count).reduce(0, +) / Double(count)
    )
  }
}
