// Curves in, a figure with an inline SVG drawing out.
import Foundation

/// Curves over one axis of steps.
///
/// The drawing is as wide as a phone, so that its texts are as large there as elsewhere.
struct LineChart {
  typealias Point = SampledCurve.Point

  enum Style: String {
    /// A line through all points.
    case line = "curve"
    /// The same in dashes, so that it differs without colours.
    case dashed = "curve dashed"
    /// Values as they are, behind their smoothed curve.
    case faint = "curve faint"
    /// A thin line with a dot at each point.
    case dots = "curve dots"
  }

  struct Series {
    let name: String
    let points: [Point]
    let style: Style
    /// 0 to 2.
    let colour: Int
  }

  let title: String
  let xTitle: String
  /// Such as " %"; stands behind the numbers of the y axis.
  var unit = ""
  /// Whether equal distances are equal ratios; values above 0 alone are drawn then.
  var isLogarithmic = false
  var series: [Series] = []
  /// Where something begins on the x axis.
  var marks: [(x: Double, name: String)] = []

  private static let width = 400.0
  private static let height = 210.0
  private static let right = 14.0
  private static let top = 18.0
  private static let bottom = 36.0
  /// Of texts, at most.
  private static let letterWidth = 6.5

  var html: String {
    let size = "0 0 \(fixed(Self.width, 0)) \(fixed(Self.height, 0))"
    return """
      <figure class="chart">
      <svg viewBox="\(size)" role="img" aria-label="\(Html.escaped(description))">
      \(drawing.joined(separator: "\n"))
      </svg>
      <figcaption>\(Html.escaped(title))\(keys)</figcaption>
      </figure>
      """
  }

  private var drawing: [String] {
    let shown = series.map { series in
      Series(
        name: series.name, points: series.points.filter { !isLogarithmic || $0.y > 0 },
        style: series.style, colour: series.colour)
    }
    let points = shown.flatMap(\.points)
    let xAxis = Axis(points.map(\.x) + marks.map(\.x), isWhole: true)
    let yAxis = Axis(
      points.map { isLogarithmic ? log10($0.y) : $0.y }, isLogarithmic: isLogarithmic)
    // As wide as the longest number beside the axis.
    let longest = yAxis.ticks.map { ($0.text + unit).count }.max() ?? 0
    let left = Self.letterWidth * Double(longest) + 8
    func place(_ x: Double) -> Double {
      left + xAxis.place(x) * (Self.width - left - Self.right)
    }
    func level(_ y: Double) -> Double {
      Self.height - Self.bottom - yAxis.place(y) * (Self.height - Self.top - Self.bottom)
    }
    var parts = yAxis.ticks.flatMap { tick in
      let y = level(tick.value)
      return [
        line(left, y, Self.width - Self.right, y, "axis"),
        text(tick.text + unit, left - 5, y + 4, "end"),
      ]
    }
    parts += xAxis.ticks.map { tick in
      text(tick.text, place(tick.value), Self.height - Self.bottom + 15, "middle")
    }
    parts.append(
      text(xTitle, (left + Self.width - Self.right) / 2, Self.height - 5, "middle"))
    parts += drawing(of: marks.map { (x: place($0.x), name: $0.name) })
    for series in shown {
      parts += drawing(
        of: series,
        at: series.points.map { point in
          (x: place(point.x), y: level(isLogarithmic ? log10(point.y) : point.y))
        })
    }
    return parts
  }

  /// Lines from top to bottom, and their names where these have room.
  private func drawing(of marks: [(x: Double, name: String)]) -> [String] {
    var parts: [String] = []
    var end = -Double.infinity
    for mark in marks {
      parts.append(line(mark.x, Self.top, mark.x, Self.height - Self.bottom, "mark"))
      let length = Double(mark.name.count) * Self.letterWidth
      // A name at the right edge stands before its line.
      let start = mark.x + length > Self.width - 2 ? mark.x - length : mark.x
      guard start >= end else { continue }
      parts.append(text(mark.name, start, Self.top - 5, "start"))
      end = start + length + Self.letterWidth
    }
    return parts
  }

  private func drawing(of series: Series, at places: [(x: Double, y: Double)]) -> [String] {
    let path = places.enumerated().map { index, place in
      "\(index == 0 ? "M" : "L")\(fixed(place.x, 1)) \(fixed(place.y, 1))"
    }
    let kind = "\(series.style.rawValue) series-\(series.colour)"
    var parts = ["<path class=\"\(kind)\" d=\"\(path.joined())\"/>"]
    // A line through one point could not be seen.
    guard series.style == .dots || places.count == 1 else { return parts }
    parts += places.map { place in
      "<circle class=\"series-\(series.colour)\" cx=\"\(fixed(place.x, 1))\" "
        + "cy=\"\(fixed(place.y, 1))\" r=\"3.5\"/>"
    }
    return parts
  }

  /// What the drawing shows, in words.
  private var description: String {
    let curves = series.filter { $0.style != .faint }.compactMap { series -> String? in
      guard let first = series.points.first, let last = series.points.last else { return nil }
      return "\(series.name) from \(Number.short(first.y))\(unit) to \(Number.short(last.y))\(unit)"
    }
    return ([title] + curves).joined(separator: "; ")
  }

  /// The names of the curves, where there are several.
  private var keys: String {
    guard series.count > 1 else { return "" }
    let items = series.map { series in
      "<span><svg viewBox=\"0 0 24 8\" aria-hidden=\"true\">"
        + "<path class=\"\(series.style.rawValue) series-\(series.colour)\" d=\"M0 4L24 4\"/></svg>"
        + "\(Html.escaped(series.name))</span>"
    }
    return "<br><span class=\"keys\">\(items.joined())</span>"
  }

  private func line(
    _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ kind: String
  ) -> String {
    "<line class=\"\(kind)\" x1=\"\(fixed(x1, 1))\" y1=\"\(fixed(y1, 1))\" "
      + "x2=\"\(fixed(x2, 1))\" y2=\"\(fixed(y2, 1))\"/>"
  }

  private func text(_ text: String, _ x: Double, _ y: Double, _ anchor: String) -> String {
    "<text x=\"\(fixed(x, 1))\" y=\"\(fixed(y, 1))\" text-anchor=\"\(anchor)\">"
      + "\(Html.escaped(text))</text>"
  }
}

/// The range of values along one side of a chart.
private struct Axis {
  let least, most: Double
  private let isLogarithmic: Bool
  private let step: Double

  /// About this many parts are marked.
  private static let partCount = 4.0

  init(_ values: [Double], isWhole: Bool = false, isLogarithmic: Bool = false) {
    self.isLogarithmic = isLogarithmic
    let (low, high) = (values.min() ?? 0, values.max() ?? 1)
    // A curve that stays level is drawn in the middle.
    let spare = high > low ? 0 : max(abs(high) * 0.1, isWhole ? 1 : 1e-3)
    let range = high - low + 2 * spare
    let rough = range / Self.partCount
    let magnitude = pow(10, floor(log10(rough)))
    let factor = [1.0, 2, 5, 10].first { $0 * magnitude >= rough } ?? 10
    step = isWhole || isLogarithmic ? max(1, factor * magnitude) : factor * magnitude
    if isWhole {
      (least, most) = (low - (high > low ? 0 : spare), high + spare)
    } else {
      least = floor((low - spare) / step) * step
      most = max(least + step, ceil((high + spare) / step) * step)
    }
  }

  /// 0 to 1.
  func place(_ value: Double) -> Double {
    most > least ? (value - least) / (most - least) : 0.5
  }

  var ticks: [(value: Double, text: String)] {
    let decimals = max(0, Int(-floor(log10(step) + 1e-9)))
    let first = Int((least / step - 1e-9).rounded(.up))
    let last = Int((most / step + 1e-9).rounded(.down))
    return (first...max(first, last)).map { index in
      let value = Double(index) * step
      if isLogarithmic { return (value, Number.short(pow(10, value))) }
      return (value, decimals > 3 ? Number.short(value) : fixed(value, decimals))
    }
  }
}
