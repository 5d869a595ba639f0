// Rows of cells in, an HTML table out that scrolls inside its own box.

struct PageTable {
  enum Cell {
    case text(String)
    /// Words that may take several lines.
    case words(String)
    case number(String)
    /// A class: its colour and its name.
    case swatch(Colour, String)
    /// A share, 0 to 1, with its text.
    case share(Double, String)
    /// Lengths before and after, 0 to 1, as two bars in the colour of a class.
    case bars(before: Double, after: Double, colour: Colour)
  }

  struct Column {
    let title: String
    let isNumber: Bool

    static func text(_ title: String) -> Column { Column(title: title, isNumber: false) }
    static func number(_ title: String) -> Column { Column(title: title, isNumber: true) }
  }

  /// What the table shows, for those who cannot see that.
  let caption: String
  /// Empty where the first cell of each row is its title.
  let columns: [Column]
  private var rows: [(cells: [Cell], isChosen: Bool)] = []

  init(_ caption: String, _ columns: [Column] = []) {
    self.caption = caption
    self.columns = columns
  }

  var isEmpty: Bool { rows.isEmpty }

  /// Adds a row, which stands out where it is the chosen one.
  mutating func add(_ cells: [Cell], isChosen: Bool = false) {
    rows.append((cells, isChosen))
  }

  /// Adds a title and its value; nothing where there is no value.
  mutating func add(_ title: String, _ value: String?) {
    guard let value else { return }
    add([.text(title), .words(value)])
  }

  var html: String {
    let titles = columns.map { column in
      "<th scope=\"col\"\(column.isNumber ? " class=\"number\"" : "")>"
        + "\(Html.escaped(column.title))</th>"
    }
    let head = columns.isEmpty ? "" : "<thead><tr>\(titles.joined())</tr></thead>\n"
    let body = rows.map { row in
      let cells = row.cells.enumerated().map { html($1, isTitle: $0 == 0) }
      return "<tr\(row.isChosen ? " class=\"chosen\"" : "")>\(cells.joined())</tr>"
    }
    let name = Html.escaped(caption)
    return """
      <div class="scroll" role="region" aria-label="\(name)" tabindex="0">
      <table\(columns.isEmpty ? " class=\"pairs\"" : "")>
      <caption>\(name)</caption>
      \(head)<tbody>
      \(body.joined(separator: "\n"))
      </tbody>
      </table>
      </div>
      """
  }

  private func html(_ cell: Cell, isTitle: Bool) -> String {
    let (kind, content) = parts(of: cell)
    let attribute = kind.isEmpty ? "" : " class=\"\(kind)\""
    return isTitle
      ? "<th scope=\"row\"\(attribute)>\(content)</th>" : "<td\(attribute)>\(content)</td>"
  }

  private func parts(of cell: Cell) -> (kind: String, content: String) {
    switch cell {
    case .text(let text): ("", Html.escaped(text))
    case .words(let text): ("words", Html.escaped(text))
    case .number(let text): ("number", Html.escaped(text))
    case .swatch(let colour, let text): ("class", Self.swatch(colour) + Html.escaped(text))
    case .share(let share, let text):
      (
        "number",
        "\(Html.escaped(text))<span class=\"bar plain\" style=\"width: \(percent(share))\"></span>"
      )
    case .bars(let before, let after, let colour):
      (
        "bars",
        [("bar before", before), ("bar", after)].filter { $0.1 > 0 }.map { kind, share in
          "<span class=\"\(kind)\" style=\"width: \(percent(share)); "
            + "background: \(colour.hexadecimal)\"></span>"
        }.joined()
      )
    }
  }

  /// A square of a colour, which says nothing that its text does not say.
  static func swatch(_ colour: Colour) -> String {
    "<span class=\"swatch\" style=\"background: \(colour.hexadecimal)\"></span>"
  }

  private func percent(_ share: Double) -> String {
    fixed(share.isFinite ? max(0, min(1, share)) * 100 : 0, 2) + "%"
  }
}
