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
  let comparison: ComparisonBlocks
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
    page.add("Classes", comparison.classes)
    page.add("Frames", comparison.frames)
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
