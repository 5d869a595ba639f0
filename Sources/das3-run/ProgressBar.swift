// Counts of finished frames in, a line on stderr out, if that is a terminal.
import Foundation

/// A bar with rate and time left.
///
/// Redraws at most ten times a second; silent without a terminal.
struct ProgressBar {
  private let title: String
  private let frameCount: Int?
  private let isVisible: Bool
  private let start = ContinuousClock.now
  private var lastDrawn: ContinuousClock.Instant?

  /// - Parameters:
  ///   - title: what is being done.
  ///   - frameCount: how many frames will come; nil where nobody knows.
  init(title: String, frameCount: Int?) {
    self.title = title
    self.frameCount = frameCount
    isVisible = Terminal.errorIsTerminal
  }

  mutating func update(finished: Int) {
    guard isVisible else { return }
    let now = ContinuousClock.now
    if let lastDrawn, now - lastDrawn < .milliseconds(100) { return }
    lastDrawn = now
    Terminal.eraseErrorLine()
    Terminal.writeError(line(finished: finished, seconds: (now - start).seconds))
  }

  /// Wipes the bar, so that results start on a clean line.
  mutating func clear() {
    guard isVisible, lastDrawn != nil else { return }
    Terminal.eraseErrorLine()
    lastDrawn = nil
  }

  private func line(finished: Int, seconds: Double) -> String {
    let rate = seconds > 0 ? Double(finished) / seconds : 0
    let rateText = fixed(rate, rate < 10 ? 1 : 0) + " frames/s"
    guard let frameCount, frameCount > 0 else {
      return String("\(title)  \(finished) frames  \(rateText)".prefix(Terminal.columnCount - 1))
    }
    let left = rate > 0 ? Double(max(0, frameCount - finished)) / rate : 0
    let tail = "  \(finished)/\(frameCount)  \(rateText)  \(clock(left)) left"
    let room = Terminal.columnCount - 1 - title.count - 2 - tail.count
    guard room >= 6 else { return String((title + tail).prefix(Terminal.columnCount - 1)) }
    let cells = min(room, 40)
    let filled = min(cells, cells * finished / frameCount)
    return title + "  " + String(repeating: "█", count: filled)
      + String(repeating: "░", count: cells - filled) + tail
  }

  private func clock(_ seconds: Double) -> String {
    let whole = Int(min(seconds, 359_999).rounded())
    let twoDigits = whole % 60 < 10 ? "0\(whole % 60)" : "\(whole % 60)"
    return "\(whole / 60):\(twoDigits)"
  }
}

extension Duration {
  var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
