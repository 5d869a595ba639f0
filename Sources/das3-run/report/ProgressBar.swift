// Counts of what is finished in, a line on stderr out, if that is a terminal.
import Foundation

/// A bar with rate and time left, which is drawn at most ten times a second, and only on a terminal.
struct ProgressBar {
  private let title: String
  /// How many there will be; nil where that is not known.
  var count: Int?
  private let unit: String
  private let isVisible: Bool
  private var first: (finished: Int, time: ContinuousClock.Instant)?
  private var lastDrawn: ContinuousClock.Instant?

  /// A bar that counts `unit`, a noun in the plural.
  init(title: String, count: Int?, unit: String = "frames") {
    self.title = title
    self.count = count
    self.unit = unit
    isVisible = Terminal.errorIsTerminal
  }

  /// Draws the bar with the rate since the first update, and `detail` at its end.
  mutating func update(finished: Int, detail: String = "") {
    guard isVisible else { return }
    let now = ContinuousClock.now
    let first = first ?? (finished, now)
    self.first = first
    if let lastDrawn, now - lastDrawn < .milliseconds(100) { return }
    lastDrawn = now
    let seconds = (now - first.time).seconds
    let rate = seconds > 0 ? Double(finished - first.finished) / seconds : nil
    Terminal.eraseErrorLine()
    Terminal.writeError(line(finished: finished, rate: rate, detail: detail))
  }

  /// Erases the bar, so that results start on an empty line.
  mutating func clear() {
    guard isVisible, lastDrawn != nil else { return }
    Terminal.eraseErrorLine()
    lastDrawn = nil
  }

  private func line(finished: Int, rate: Double?, detail: String) -> String {
    let room = Terminal.columnCount - 1
    var tail = ""
    if let rate { tail += "  \(fixed(rate, rate < 10 ? 1 : 0)) \(unit)/s" }
    guard let count, count > 0 else {
      return String("\(title)  \(finished) \(unit)\(tail)  \(detail)".prefix(room))
    }
    if let rate, rate > 0 { tail += "  \(clock(Double(max(0, count - finished)) / rate)) left" }
    tail = "  \(finished)/\(count)\(tail)" + (detail.isEmpty ? "" : "  " + detail)
    let barRoom = room - title.count - 2 - tail.count
    guard barRoom >= 6 else { return String((title + tail).prefix(room)) }
    let cells = min(barRoom, 40)
    let filled = min(cells, cells * finished / count)
    return title + "  " + String(repeating: "█", count: filled)
      + String(repeating: "░", count: cells - filled) + tail
  }

  private func clock(_ seconds: Double) -> String {
    let whole = Int(min(seconds, 359_999).rounded())
    return String(format: "%d:%02d", whole / 60, whole % 60)
  }
}

extension Duration {
  var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
