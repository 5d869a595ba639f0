// Sections with texts, tables, curves and pictures in, one HTML file out.

/// A page that needs nothing but itself: no script, no other file, no address.
///
/// All texts are plain; the page escapes them.
struct ReportPage {
  let title: String
  /// What was decided and why: the sentences on top.
  let lead: [String]
  /// Such as the program and its version; stands at the end.
  let footer: String
  var sections: [Section] = []

  struct Section {
    let title: String
    var blocks: [Block] = []

    /// The part of an address that leads here.
    fileprivate var anchor: String {
      String(title.lowercased().map { $0.isASCII && $0.isLetter ? $0 : "-" })
    }
  }

  enum Block {
    case text(String)
    /// The heading of a part of a section.
    case heading(String)
    case table(PageTable)
    /// Side by side as far as there is room.
    case charts([LineChart])
    /// Side by side as far as there is room.
    case pictures([PagePicture])
    /// Colours and what they stand for.
    case legend([(colour: Colour, name: String)])
  }

  /// Adds a section, unless it is empty.
  mutating func add(_ title: String, _ blocks: [Block]) {
    guard !blocks.isEmpty else { return }
    sections.append(Section(title: title, blocks: blocks))
  }

  /// Forbids scripts and addresses even where an escape were forgotten.
  private static let policy =
    "script-src 'none'; img-src data:; font-src 'none'; media-src 'none'; connect-src 'none'; "
    + "frame-src 'none'; object-src 'none'; form-action 'none'; base-uri 'none'"

  /// The whole file.
  var html: String {
    let title = Html.escaped(title)
    let links = sections.map { section in
      "<a href=\"#\(section.anchor)\">\(Html.escaped(section.title))</a>"
    }
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta http-equiv="Content-Security-Policy" \
      content="\(Self.policy)">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <title>\(title)</title>
      <link rel="icon" href="data:,">
      <style>
      \(PageStyle.text)
      </style>
      </head>
      <body>
      <header>
      <h1>\(title)</h1>
      <p class="lead">\(lead.map(Html.escaped).joined(separator: " "))</p>
      <nav aria-label="Sections">\(links.joined(separator: " "))</nav>
      </header>
      <main>
      \(sections.map(html).joined(separator: "\n"))
      </main>
      <footer><p>\(Html.escaped(footer))</p></footer>
      </body>
      </html>

      """
  }

  private func html(_ section: Section) -> String {
    let name = Html.escaped(section.title)
    return """
      <section id="\(section.anchor)" aria-labelledby="\(section.anchor)-title">
      <h2 id="\(section.anchor)-title">\(name)</h2>
      \(section.blocks.map(html).joined(separator: "\n"))
      </section>
      """
  }

  private func html(_ block: Block) -> String {
    switch block {
    case .text(let text): return "<p>\(Html.escaped(text))</p>"
    case .heading(let text): return "<h3>\(Html.escaped(text))</h3>"
    case .table(let table): return table.html
    case .charts(let charts):
      return "<div class=\"grid\">\n\(charts.map(\.html).joined(separator: "\n"))\n</div>"
    case .pictures(let pictures):
      return "<div class=\"grid\">\n\(pictures.map(\.html).joined(separator: "\n"))\n</div>"
    case .legend(let entries):
      let items = entries.map { colour, name in
        "<li>\(PageTable.swatch(colour))\(Html.escaped(name))</li>"
      }
      return "<ul class=\"legend\">\(items.joined())</ul>"
    }
  }
}

extension ReportPage {
  /// Where a directory has its page.
  static func path(in directory: String) -> String { Path.join(directory, "index.html") }

  /// Makes the directory where it is not there; throws where no page could be written into it.
  static func checkCanWrite(into directory: String) throws(Failure) {
    try Folder.create(directory)
    try Folder.checkIsWritable(directory, "cannot write the report")
    try Folder.checkCanReplace(path(in: directory))
  }

  /// Writes the page into a directory; an old one stays until the new one is complete.
  func write(into directory: String) throws(Failure) {
    try SystemFile.write(Array(html.utf8), to: Self.path(in: directory))
  }
}
