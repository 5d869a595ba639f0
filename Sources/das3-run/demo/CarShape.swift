// The outlines that cars are made from.

/// A car seen from its side.
struct CarShape {
  /// Metres from the near end and from the ground, going over the car from end to end.
  let outline: [Point]
  /// The segments of the outline that are the near and the far window; the roof is between them.
  let windows: ClosedRange<Int>
  /// Metres from the near end to the pillars between the side windows.
  let pillars: [Float]

  static let hatchback = CarShape(
    outline: [
      Point(0.06, 0.3), Point(0, 0.5), Point(0.05, 0.94), Point(0.36, 1.38), Point(0.85, 1.48),
      Point(2.1, 1.46), Point(2.9, 0.98), Point(3.8, 0.84), Point(4, 0.58), Point(3.96, 0.3),
    ], windows: 2...5, pillars: [0.75, 1.6])

  static let saloon = CarShape(
    outline: [
      Point(0.06, 0.3), Point(0, 0.55), Point(0.06, 0.94), Point(0.7, 0.99), Point(1.3, 1.4),
      Point(2.4, 1.42), Point(3.2, 0.98), Point(4.25, 0.84), Point(4.5, 0.58), Point(4.46, 0.3),
    ], windows: 3...5, pillars: [1.95])

  static let van = CarShape(
    outline: [
      Point(0.04, 0.34), Point(0, 0.6), Point(0.02, 1.15), Point(0.1, 1.92), Point(0.3, 2.04),
      Point(3.5, 2), Point(4.2, 1.2), Point(4.75, 1), Point(4.9, 0.6), Point(4.86, 0.34),
    ], windows: 2...5, pillars: [1.3, 2.6])

  var length: Float { outline.reduce(0) { max($0, $1.x) } }

  /// The same car coming towards us.
  var turned: CarShape {
    let last = outline.count - 2
    let length = length
    return CarShape(
      outline: outline.reversed().map { Point(length - $0.x, $0.y) },
      windows: last - windows.upperBound...last - windows.lowerBound,
      pillars: pillars.map { length - $0 })
  }

  /// Half the car's width at a corner of the outline, as a share of its width at the doors.
  func width(at corner: Int) -> Float {
    corner > windows.lowerBound && corner <= windows.upperBound ? 0.8 : 1
  }

  /// The side windows as one, with a rim around them.
  var sideWindow: [Point] {
    let corners = outline[windows.lowerBound...windows.upperBound + 1]
    let middle = corners.reduce(.zero, +) / Float(corners.count)
    return corners.map { middle + ($0 - middle) * Point(0.86, 0.74) + Point(0, 0.02) }
  }
}
