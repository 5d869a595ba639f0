// Outlines in samples in, coloured and labelled samples out.

/// The classes of the street world; raw values are the class numbers of truth and network.
enum StreetClass: UInt8, CaseIterable {
  case road, pavement, building, pole, sign, vegetation, sky, person, car
}

/// A picture finer than the frame, and what each of its samples shows.
struct Raster {
  let width: Int
  let height: Int
  private(set) var inks: [Ink]
  private(set) var labels: [UInt8]
  private var crossings: [Float] = []

  init(width: Int, height: Int) {
    self.width = width
    self.height = height
    inks = [Ink](repeating: .zero, count: width * height)
    labels = [UInt8](repeating: StreetClass.sky.rawValue, count: width * height)
  }

  /// Paints one sample.
  @inline(__always)
  mutating func set(_ column: Int, _ row: Int, _ ink: Ink, _ kind: StreetClass) {
    inks[row * width + column] = ink
    labels[row * width + column] = kind.rawValue
  }

  /// Paints the samples whose centres are inside a polygon, by the even-odd rule.
  ///
  /// - Parameters:
  ///   - outline: its corners.
  ///   - kind: what it shows; nil leaves the labels as they are.
  ///   - step: how many samples of a row share one ink; more is faster.
  ///   - paint: the new ink of a sample from its centre and its ink so far.
  @inline(__always)
  mutating func fill(
    _ outline: [Point], _ kind: StreetClass?, step: Int = 1, _ paint: (Point, Ink) -> Ink
  ) {
    guard let last = outline.last else { return }
    var (low, high) = (last.y, last.y)
    for point in outline {
      low = min(low, point.y)
      high = max(high, point.y)
    }
    for row in Self.centres(from: low, to: high, below: height) {
      let y = Float(row) + 0.5
      cross(outline, from: last, at: y)
      for pair in stride(from: 0, to: crossings.count - 1, by: 2) {
        let span = Self.centres(from: crossings[pair], to: crossings[pair + 1], below: width)
        var column = span.lowerBound
        while column < span.upperBound {
          let next = min(column - column % step + step, span.upperBound)
          let index = row * width + column
          let ink = paint(Point(Float(column + next) / 2, y), inks[index])
          for same in index..<index + next - column { inks[same] = ink }
          column = next
        }
        guard let kind else { continue }
        for index in row * width + span.lowerBound..<row * width + span.upperBound {
          labels[index] = kind.rawValue
        }
      }
    }
  }

  /// Paints the samples whose centres are inside an ellipse.
  ///
  /// - Parameters:
  ///   - centre: its middle.
  ///   - radii: half its width and height.
  ///   - kind: what it shows; nil leaves the labels as they are.
  ///   - paint: the new ink of a sample, nil for none, from its place in the unit circle and its
  ///     ink so far.
  @inline(__always)
  mutating func disc(
    _ centre: Point, _ radii: Point, _ kind: StreetClass?, _ paint: (Point, Ink) -> Ink?
  ) {
    let rows = Self.centres(from: centre.y - radii.y, to: centre.y + radii.y, below: height)
    let columns = Self.centres(from: centre.x - radii.x, to: centre.x + radii.x, below: width)
    for row in rows {
      for column in columns {
        let place = (Point(Float(column) + 0.5, Float(row) + 0.5) - centre) / radii
        guard (place * place).sum() < 1 else { continue }
        let index = row * width + column
        guard let ink = paint(place, inks[index]) else { continue }
        inks[index] = ink
        if let kind { labels[index] = kind.rawValue }
      }
    }
  }

  /// Where the outline crosses a row, in order.
  private mutating func cross(_ outline: [Point], from last: Point, at y: Float) {
    crossings.removeAll(keepingCapacity: true)
    var previous = last
    for point in outline {
      if (previous.y <= y) != (point.y <= y) {
        let share = (y - previous.y) / (point.y - previous.y)
        crossings.append(previous.x + share * (point.x - previous.x))
      }
      previous = point
    }
    crossings.sort()
  }

  /// The samples of a line whose centres lie between two places.
  @inline(__always)
  private static func centres(from low: Float, to high: Float, below count: Int) -> Range<Int> {
    let limit = Float(count)
    let first = Int(min(max((low - 0.5).rounded(.up), 0), limit))
    let end = Int(min(max((high - 0.5).rounded(.up), 0), limit))
    return first..<max(first, end)
  }
}
