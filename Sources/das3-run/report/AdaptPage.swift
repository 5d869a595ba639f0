// All that is known of an adaptation in, the page that reports it out.
import CDas3

/// Fills a page for `adapt --report`.
struct AdaptPage {
  let model: String
  let method: AdaptationMethod
  let settings: AdapterSettings
  /// What else was chosen, and which files it was.
  let facts: [(title: String, value: String?)]
  let report: AdaptReport
  let workload: Workload
  let isPaused: Bool
  /// How long the run has taken, without its page.
  let seconds: Double
  /// The most memory that the process has used in it; nil where that is not known.
  let processBytes: UInt64?
  /// How many frames have truth that was compared; 0 = nothing was measured.
  let measuredCount: Int
  let comparison: LabelComparison
  /// Where the compared frames are from, and how many there are.
  let compared: (path: String, frameCount: Int)
  /// The program and its version.
  let program: String

  var history: AdaptHistory { report.history }

  /// The whole page.
  func page() -> ReportPage {
    var page = ReportPage(
      title: "Adaptation of \(Path.name(of: model))", lead: [decision, reason],
      footer: "Written by \(program).")
    page.add("Settings", settingsBlocks)
    page.add("Guard and blend", guardBlocks)
    page.add("Curves", curveBlocks)
    page.add("Classes", classBlocks)
    page.add("Frames", frameBlocks)
    page.add("Times and memory", timeBlocks)
    return page
  }

  /// What a phase is called.
  func name(of phase: AdaptHistory.Phase) -> String {
    switch phase.name {
    case nil: method.rawValue
    case "blend", "guard": phase.name ?? ""
    case let letter?: "stage \(letter)"
    }
  }
}

// MARK: Settings

extension AdaptPage {
  private var settingsBlocks: [ReportPage.Block] {
    var table = PageTable("What was run")
    for (title, value) in facts { table.add(title, value) }
    table.add("network size", "\(workload.size.width) × \(workload.size.height) pixels")
    table.add("threads", String(workload.threadCount))
    table.add("precision", workload.precision.rawValue)
    table.add("duration", Self.duration(seconds))
    table.add("memory at most", processBytes.map { ByteCount(bytes: $0).text })
    table.add("version", program)
    let defaults = AdapterSettings()
    var changed = PageTable(
      "Options that were changed",
      [.text("option"), .text("value"), .text("default"), .text("meaning")])
    for option in AdapterSettings.known where settings[option.name] != defaults[option.name] {
      changed.add([
        .text(option.name), .text(settings[option.name]), .text(defaults[option.name]),
        .words(option.meaning),
      ])
    }
    var blocks = [ReportPage.Block.table(table)]
    blocks.append(
      changed.isEmpty ? .text("All options of --set have their defaults.") : .table(changed))
    return blocks
  }

  /// Such as "34.5 s" or "12 min 5 s".
  static func duration(_ seconds: Double) -> String {
    guard seconds >= 100 else { return fixed(seconds, 1) + " s" }
    let whole = Int(min(seconds, 1e9).rounded())
    let (hours, minutes) = (whole / 3600, whole / 60 % 60)
    return (hours > 0 ? "\(hours) h " : "") + "\(minutes) min \(whole % 60) s"
  }
}

// MARK: Classes and frames

extension AdaptPage {
  private var sample: String {
    let all = compared.frameCount
    let some = comparison.comparedCount
    return some == all
      ? "all \(counted(all, "frame")) of \(compared.path)"
      : "\(counted(some, "frame")), evenly spread over the \(all) of \(compared.path)"
  }

  private var classBlocks: [ReportPage.Block] {
    let (before, after) = (comparison.before, comparison.after)
    let measured = report.before.flatMap { old in report.after.map { (old, $0) } }
    var columns: [PageTable.Column] = [
      .text("class"), .number("before, %"), .number("after, %"), .number("change"),
      .text("before and after"),
    ]
    if measured != nil {
      columns += [.number("IoU before, %"), .number("IoU after, %"), .number("change")]
    }
    var table = PageTable("Share of the pixels of each class", columns)
    let none = (before.unlabelledShare, after.unlabelledShare)
    // The longest bar takes all the room.
    let largest = (before.shares + after.shares + [none.0, none.1, 1e-9]).max() ?? 1
    var leftOut = 0
    for (index, entry) in comparison.classes.enumerated() {
      let (old, new) = (before.shares[index], after.shares[index])
      let values = measured.map { ($0.0.iou[index], $0.1.iou[index]) }
      guard old > 0 || new > 0 || values?.0 != nil || values?.1 != nil else {
        leftOut += 1
        continue
      }
      var cells: [PageTable.Cell] = [.swatch(entry.colour, entry.name)]
      cells +=
        Self.numbers(old, new) + [
          .bars(before: old / largest, after: new / largest, colour: entry.colour)
        ]
      if let values { cells += Self.numbers(values.0, values.1) }
      table.add(cells)
    }
    if none.0 > 0 || none.1 > 0 {
      table.add(
        [.swatch(.background, "(no class)")] + Self.numbers(none.0, none.1)
          + [.bars(before: none.0 / largest, after: none.1 / largest, colour: .background)])
    }
    var text = "Shares are those of \(sample). The upper bar is before, the lower one after."
    if leftOut > 0 {
      text += " \(counted(leftOut, "class", "classes")) that occur nowhere are left out."
    }
    var blocks: [ReportPage.Block] = [.text(text), .table(table)]
    guard let measured else { return blocks }
    var means = PageTable(
      "Compared with truth, \(counted(measuredCount, "frame"))",
      [.text(""), .number("before, %"), .number("after, %"), .number("change")])
    means.add([.text("mIoU")] + Self.numbers(measured.0.miou, measured.1.miou))
    means.add(
      [.text("pixel accuracy")] + Self.numbers(measured.0.pixelAccuracy, measured.1.pixelAccuracy))
    blocks.append(.table(means))
    return blocks
  }

  /// Two shares in percent and the difference; "–" for what is not known.
  private static func numbers(_ old: Double?, _ new: Double?) -> [PageTable.Cell] {
    func text(_ value: Double?) -> PageTable.Cell {
      .number(value.map { fixed($0 * 100, 2) } ?? "–")
    }
    guard let old, let new else { return [text(old), text(new), .number("")] }
    // Of the rounded numbers, as everywhere.
    let values = [old, new].map { Double(fixed($0 * 100, 2)) ?? 0 }
    return [text(old), text(new), .number(Number.change(values[1] - values[0], decimals: 2))]
  }

  private var frameBlocks: [ReportPage.Block] {
    guard !comparison.frames.isEmpty else { return [] }
    let share = fixed(comparison.changedShare * 100, 1)
    let classes = comparison.classes.enumerated().filter { index, _ in
      comparison.before.shares[index] > 0 || comparison.after.shares[index] > 0
    }
    var blocks: [ReportPage.Block] = [
      .text("The label of \(share) % of the pixels has changed, over \(sample)."),
      .legend(classes.map { (colour: $0.element.colour, name: $0.element.name) }),
    ]
    for frame in comparison.frames {
      blocks += [.heading(frame.name), .pictures(frame.pictures)]
    }
    return blocks
  }
}
