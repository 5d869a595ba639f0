// Numbered regions in, polygons with few corners that fit each other out.

/// The outlines of the regions of a picture, along the sides of pixels.
///
/// Regions on both sides of a border get the same simplified border, so that neither gaps nor
/// overlaps come to be. A hole has no outline of its own: what is in it lies above.
struct Outlines {
  /// Where pixels meet; 0, 0 is the upper left corner of the picture.
  struct Corner: Hashable, Comparable {
    let x: Int
    let y: Int

    static func < (one: Corner, two: Corner) -> Bool { (one.y, one.x) < (two.y, two.x) }
  }

  /// The region of each pixel.
  let numbers: [Int32]
  let size: PixelSize
  /// How far a corner of a region may be from its outline, in pixels.
  let tolerance: Double

  /// The outline of the region whose first pixel, row by row, is `first`, and the doubled area of it
  /// with its holes.
  ///
  /// A region that would lose half of its area keeps all of its corners.
  func outline(of first: Int) -> (corners: [Corner], doubledArea: Int) {
    let stops = trace(first)
    let whole = stops.map(\.corner)
    let area = Self.doubledArea(whole)
    let simple = simplified(stops)
    return (2 * Self.doubledArea(simple) > area ? simple : whole, area)
  }

  /// Follows the border with the region on the right; gives where it turns, and where the borders of
  /// other regions meet it, which is fixed.
  private func trace(_ first: Int) -> [(corner: Corner, isFixed: Bool)] {
    let region = numbers[first]
    let start = (x: first % size.width, y: first / size.width)
    var (x, y, stepX, stepY) = (start.x, start.y, 1, 0)
    var stops: [(corner: Corner, isFixed: Bool)] = []
    repeat {
      (x, y) = (x + stepX, y + stepY)
      // The two pixels ahead.
      let left = number(x + (stepX + stepY - 1) / 2, y + (stepY - stepX - 1) / 2)
      let right = number(x + (stepX - stepY - 1) / 2, y + (stepX + stepY - 1) / 2)
      let turns = right != region || left == region
      if right != region {
        (stepX, stepY) = (-stepY, stepX)
      } else if left == region {
        (stepX, stepY) = (stepY, -stepX)
      }
      let isFixed = isJunction(x, y)
      if turns || isFixed { stops.append((Corner(x: x, y: y), isFixed)) }
    } while x != start.x || y != start.y || stepX != 1
    return stops
  }

  /// The region of a pixel; −1 outside the picture.
  private func number(_ x: Int, _ y: Int) -> Int32 {
    (0..<size.width).contains(x) && (0..<size.height).contains(y) ? numbers[y * size.width + x] : -1
  }

  /// Whether more than two borders meet at a corner.
  private func isJunction(_ x: Int, _ y: Int) -> Bool {
    let around = [number(x - 1, y - 1), number(x, y - 1), number(x, y), number(x - 1, y)]
    return zip(around, around[1...] + around[..<1]).count { $0 != $1 } > 2
  }

  /// Leaves out corners between those that are fixed (Ramer 1972, Douglas and Peucker 1973).
  private func simplified(_ stops: [(corner: Corner, isFixed: Bool)]) -> [Corner] {
    let start = stops.firstIndex { $0.isFixed } ?? 0
    let loop = stops[start...] + stops[...start]
    var kept: [Corner] = []
    var border: [Corner] = []
    for (position, stop) in loop.enumerated() {
      border.append(stop.corner)
      guard position > 0, stop.isFixed || position == loop.count - 1 else { continue }
      kept.append(border[0])
      thin(border[...], into: &kept)
      border = [stop.corner]
    }
    return kept
  }

  /// Adds the corners between the first and the last one that stay.
  ///
  /// A border that is followed the other way keeps the same ones.
  private func thin(_ border: ArraySlice<Corner>, into kept: inout [Corner]) {
    guard let first = border.first, let last = border.last, border.count > 2 else { return }
    var worst = (index: border.startIndex, distance: 0.0)
    for index in border.indices.dropFirst().dropLast() {
      let distance = Self.squaredDistance(of: border[index], from: first, to: last)
      if distance > worst.distance
        || distance == worst.distance && border[index] < border[worst.index]
      {
        worst = (index, distance)
      }
    }
    guard worst.distance > tolerance * tolerance else { return }
    thin(border[...worst.index], into: &kept)
    kept.append(border[worst.index])
    thin(border[worst.index...], into: &kept)
  }

  /// Of a corner from the straight line between two others; the same with these exchanged.
  private static func squaredDistance(of corner: Corner, from one: Corner, to two: Corner)
    -> Double
  {
    let (ax, ay) = (corner.x - one.x, corner.y - one.y)
    let (bx, by) = (corner.x - two.x, corner.y - two.y)
    let (lengthX, lengthY) = (two.x - one.x, two.y - one.y)
    if ax * lengthX + ay * lengthY <= 0 || bx * lengthX + by * lengthY >= 0 {
      return Double(min(ax * ax + ay * ay, bx * bx + by * by))
    }
    let cross = Double(ax * lengthY - ay * lengthX)
    return cross * cross / Double(lengthX * lengthX + lengthY * lengthY)
  }

  private static func doubledArea(_ corners: [Corner]) -> Int {
    guard var last = corners.last else { return 0 }
    var area = 0
    for corner in corners {
      area += last.x * corner.y - last.y * corner.x
      last = corner
    }
    return abs(area)
  }
}
