// All that is known of a drive in, the page that reports it out.
import CDas3

/// Fills a page for `drive --report`.
struct DrivePage {
  let model: String
  /// What was chosen, and which files it was.
  let facts: [(title: String, value: String?)]
  let history: DriveHistory
  /// At the end.
  let last: das3_online_report
  let medianMilliseconds, lateMilliseconds: Double
  let seconds: Double
  /// The most memory that the process has used; nil where that is not known.
  let processBytes: UInt64?
  let comparison: ComparisonBlocks
  /// The program and its version.
  let program: String

  /// The whole page.
  func page() -> ReportPage {
    var page = ReportPage(
      title: "Drive with \(Path.name(of: model))", lead: [decision, reason],
      footer: "Written by \(program).")
    page.add("Settings", [.table(settings)])
    page.add("Weights in use", weightBlocks)
    page.add("Curves", curveBlocks)
    page.add("Classes", comparison.classes)
    page.add("Frames", comparison.frames)
    page.add("Times and memory", [.table(times)])
    return page
  }

  private var decision: String {
    "\(counted(Int(last.frame_count), "frame")) were labelled, in the end by \(last.words)."
  }

  private var reason: String {
    if let reason = AdapterHandle.meaning(ofGuardReason: last.reason) {
      return "The network as it came is in use: \(reason)."
    }
    return
      "Of what \(counted(Int(last.total_step), "optimiser step")) have led to, the guard accepted "
      + "\(last.accepted_count), held back \(last.held_count) and gave up \(last.rolled_back_count) "
      + "results of stages, by frames that nothing was learned from."
  }

  private var settings: PageTable {
    var table = PageTable("What was run")
    for (title, value) in facts { table.add(title, value) }
    return table
  }

  private var weightBlocks: [ReportPage.Block] {
    var counts = PageTable("What the guard has done")
    for (title, count) in [
      ("comparisons", last.judged_count), ("accepted", last.accepted_count),
      ("held back", last.held_count), ("given up", last.rolled_back_count),
      ("returns of the source between comparisons", last.alarm_count),
      ("frames looked at", last.observed_count), ("of them showed nothing", last.unseen_count),
      ("of them showed the same as before", last.repeated_count),
    ] {
      counts.add(title, Number.grouped(Int(count)))
    }
    guard !history.changes.isEmpty else {
      return [.text("The network as it came has labelled all frames."), .table(counts)]
    }
    let shown = history.changes.count
    var table = PageTable(
      "Weights that labelled from a frame on"
        + (shown < history.changeCount ? ", the last \(shown) of \(history.changeCount)" : ""),
      [
        .text("frame"), .text("weights"), .number("statistics"), .number("M"),
        .number("M of the source"), .number("steps"),
      ])
    for change in history.changes {
      let report = change.report
      table.add([
        .text(change.frame), .text(report.originName),
        .number("\(fixed(report.share * 100, 0)) %"), .number(fixed(report.score, 3)),
        .number(fixed(report.source_score, 3)), .number(Number.grouped(Int(report.total_step))),
      ])
    }
    return [
      .table(table),
      .text(
        "M is the mutual information of pixels and classes times the part of the pixels with the same "
          + "label in the mirror image, over the frames kept to judge by. Statistics says how far "
          + "those of BatchNormalization are moved to the scene's."),
      .table(counts),
    ]
  }

  private var curveBlocks: [ReportPage.Block] {
    var charts: [LineChart] = []
    var votes = LineChart(title: "M when sets were compared", xTitle: "frame")
    votes.series = [
      .init(name: "in use", points: history.score.points, style: .dots, colour: 0),
      .init(name: "source", points: history.sourceScore.points, style: .dashed, colour: 1),
    ]
    if !history.score.points.isEmpty { charts.append(votes) }
    for (title, xTitle, curve) in [
      ("Loss", "optimiser step", history.loss),
      ("Milliseconds a frame", "frame", history.milliseconds),
    ] where !curve.points.isEmpty {
      var chart = LineChart(title: title, xTitle: xTitle)
      let smoothed = curve.smoothed
      chart.series = [
        .init(
          name: "as it was", points: curve.points, style: smoothed == nil ? .line : .faint,
          colour: 0)
      ]
      if let smoothed {
        chart.series.append(.init(name: "smoothed", points: smoothed, style: .line, colour: 0))
      }
      charts.append(chart)
    }
    return charts.isEmpty ? [] : [.charts(charts)]
  }

  private var times: PageTable {
    var table = PageTable("Times and memory")
    table.add("the whole drive", AdaptPage.duration(seconds))
    table.add("a frame, median", fixed(medianMilliseconds, 1) + " ms")
    table.add("a frame, 99th percentile", fixed(lateMilliseconds, 1) + " ms")
    table.add("learning", AdaptPage.duration(last.seconds))
    table.add("memory for learning", ByteCount(bytes: last.memory_bytes).text)
    table.add("memory of the process at most", processBytes.map { ByteCount(bytes: $0).text })
    return table
  }
}
