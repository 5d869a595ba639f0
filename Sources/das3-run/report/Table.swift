// Rows of texts in, aligned columns out.
import Foundation

/// A number with a fixed count of decimals, always with a point.
func fixed(_ value: Double, _ decimals: Int) -> String {
  String(format: "%.\(decimals)f", locale: Locale(identifier: "en_US_POSIX"), value)
}

/// A number with three significant digits, such as "0.0123" or "-1.2e-05".
func brief(_ value: Double) -> String {
  String(format: "%.3g", locale: Locale(identifier: "en_US_POSIX"), value)
}

/// Such as "1 frame" or "3 frames"; `plural` is for nouns whose plural is not made by an s.
func counted(_ count: Int, _ noun: String, _ plural: String? = nil) -> String {
  "\(count) \(count == 1 ? noun : plural ?? noun + "s")"
}

struct Table {
  enum Alignment {
    case left
    case right
  }

  let alignments: [Alignment]
  private var rows: [[String]] = []

  init(_ alignments: [Alignment]) {
    self.alignments = alignments
  }

  /// Adds a row; missing cells at its end stay empty.
  mutating func add(_ cells: String...) {
    add(cells)
  }

  mutating func add(_ cells: [String]) {
    rows.append(cells)
  }

  /// The rows as lines, with two blanks between columns.
  var text: String {
    var widths = alignments.map { _ in 0 }
    for row in rows {
      for (column, cell) in zip(widths.indices, row) {
        widths[column] = max(widths[column], Self.visibleLength(cell))
      }
    }
    return rows.map { row in
      var line = ""
      for (column, cell) in zip(widths.indices, row) {
        let blanks = String(repeating: " ", count: widths[column] - Self.visibleLength(cell))
        if column > 0 { line += "  " }
        line += alignments[column] == .left ? cell + blanks : blanks + cell
      }
      return line.replacing(/\s+$/, with: "") + "\n"
    }.joined()
  }

  /// The number of characters, without the escape sequences of colours.
  private static func visibleLength(_ cell: String) -> Int {
    cell.replacing(/\u{1B}\[[0-9;]*m/, with: "").count
  }
}
