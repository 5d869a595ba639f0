// Corners in, the pixels between them out.

/// An outline in pixels: 0, 0 is the upper left corner of the first pixel, whose centre is ½, ½.
struct Polygon {
  struct Point: Equatable {
    var x: Double
    var y: Double
  }

  var points: [Point]

  /// Calls `body` with the index of each pixel of a picture whose centre is inside, by the even-odd
  /// rule.
  ///
  /// Of two polygons with a common edge exactly one has a centre that lies on it.
  func forEachPixel(in size: PixelSize, _ body: (Int) -> Void) {
    guard let low = points.map(\.y).min(), let high = points.map(\.y).max() else { return }
    var crossings: [Double] = []
    for row in Self.centres(from: low, to: high, below: size.height) {
      cross(at: Double(row) + 0.5, into: &crossings)
      for pair in stride(from: 0, to: crossings.count - 1, by: 2) {
        let span = Self.centres(from: crossings[pair], to: crossings[pair + 1], below: size.width)
        for column in span { body(row * size.width + column) }
      }
    }
  }

  /// Where the outline crosses a row, in order.
  private func cross(at y: Double, into crossings: inout [Double]) {
    crossings.removeAll(keepingCapacity: true)
    guard var previous = points.last else { return }
    for point in points {
      if (previous.y <= y) != (point.y <= y) {
        // From above, whichever way the edge runs: the polygon beside it finds the same number.
        let (top, bottom) = previous.y < point.y ? (previous, point) : (point, previous)
        crossings.append(top.x + (y - top.y) / (bottom.y - top.y) * (bottom.x - top.x))
      }
      previous = point
    }
    crossings.sort()
  }

  /// The pixels of a line whose centres lie between two places.
  private static func centres(from low: Double, to high: Double, below count: Int) -> Range<Int> {
    let limit = Double(count)
    let first = Int(min(max((low - 0.5).rounded(.up), 0), limit))
    let end = Int(min(max((high - 0.5).rounded(.up), 0), limit))
    return first..<max(first, end)
  }
}
