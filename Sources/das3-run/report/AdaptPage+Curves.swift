// The history of an adaptation in, its curves, times and memory out.

extension AdaptPage {
  var curveBlocks: [ReportPage.Block] {
    let charts =
      lossCharts
      + [labelChart, entropyChart, rateChart, gradientChart, truthChart]
      .compactMap(\.self) + [voteChart].compactMap(\.self)
    var blocks: [ReportPage.Block] = []
    if let firstStep = history.firstStep, firstStep > 1 {
      blocks.append(
        .text("The run went on from a checkpoint: steps before \(firstStep) are not shown."))
    }
    if !charts.isEmpty { blocks.append(.charts(charts)) }
    if let lossTable { blocks.append(.table(lossTable)) }
    if let measurementTable { blocks.append(.table(measurementTable)) }
    return blocks.isEmpty ? [.text("No step was taken that trains weights.")] : blocks
  }

  private var trained: [AdaptHistory.Phase] { history.phases.filter(\.trains) }

  private var marks: [(x: Double, name: String)] {
    trained.map { (x: Double($0.start), name: $0.name ?? "") }
  }

  private var lossCharts: [LineChart] {
    trained.compactMap { phase in
      let points = phase.loss.points
      guard !points.isEmpty else { return nil }
      var chart = LineChart(title: "Loss of \(name(of: phase))", xTitle: "step")
      let isSmooth = phase.loss.smoothed != nil
      chart.series = [
        .init(name: "each step", points: points, style: isSmooth ? .faint : .line, colour: 0)
      ]
      if let smoothed = phase.loss.smoothed {
        chart.series.append(.init(name: "smoothed", points: smoothed, style: .line, colour: 0))
      }
      return chart
    }
  }

  private func chart(
    _ title: String, _ curves: [(name: String, curve: SampledCurve)], factor: Double = 1,
    unit: String = "", isLogarithmic: Bool = false
  ) -> LineChart? {
    var chart = LineChart(
      title: title, xTitle: "training step", unit: unit, isLogarithmic: isLogarithmic)
    for (index, (name, curve)) in curves.enumerated() {
      let points = curve.points.map { LineChart.Point(x: $0.x, y: $0.y * factor) }
      guard points.contains(where: { $0.y != 0 }) else { continue }
      chart.series.append(
        .init(name: name, points: points, style: index == 0 ? .line : .dashed, colour: index))
    }
    chart.marks = marks
    return chart.series.isEmpty ? nil : chart
  }

  private var labelChart: LineChart? {
    chart(
      "Labels: coverage, and agreement with the start of the stage",
      [("coverage", history.coverage), ("agreement", history.agreement)], factor: 100, unit: " %")
  }

  private var entropyChart: LineChart? {
    chart(
      "Mean entropy of a pixel, of at most 100 %", [("entropy", history.entropy)], factor: 100,
      unit: " %")
  }

  private var rateChart: LineChart? {
    chart("Learning rate", [("learning rate", history.learningRate)], isLogarithmic: true)
  }

  private var gradientChart: LineChart? {
    chart(
      "Norm of the gradient before clipping", [("norm", history.gradientNorm)],
      isLogarithmic: true)
  }

  private var truthChart: LineChart? {
    guard history.measurements.count > 1, history.trainingCount > 0 else { return nil }
    let points = measurements(atMost: Self.mostPoints).map { measurement in
      LineChart.Point(x: Double(measurement.step), y: measurement.result.miou * 100)
    }
    var chart = LineChart(
      title: "mIoU where it was measured, source and blend at step 0", xTitle: "training step",
      unit: " %")
    chart.series = [.init(name: "mIoU", points: points, style: .dots, colour: 2)]
    chart.marks = marks
    return chart
  }

  /// How each part of the loss has changed within each stage.
  private var lossTable: PageTable? {
    let phases = trained.filter { !$0.loss.points.isEmpty }
    guard !phases.isEmpty else { return nil }
    var table = PageTable(
      "Losses: mean of the first tenth of the steps → mean of the last",
      [.text("loss")] + phases.map { .number(name(of: $0)) })
    func add(_ title: String, _ curve: (AdaptHistory.Phase) -> SampledCurve) {
      let curves = phases.map(curve)
      guard curves.contains(where: { $0.points.contains { $0.y != 0 } }) else { return }
      table.add([.text(title)] + curves.map(Self.ends(of:)))
    }
    add("total") { $0.loss }
    for (index, part) in AdaptHistory.parts.enumerated() { add(part.name) { $0.parts[index] } }
    return table
  }

  /// The first and the last values of a curve; "–" for a loss that is turned off, which is 0.
  private static func ends(of curve: SampledCurve) -> PageTable.Cell {
    guard curve.points.contains(where: { $0.y != 0 }), let ends = curve.ends else {
      return .number("–")
    }
    return .number("\(Number.short(ends.first)) → \(Number.short(ends.last))")
  }

  private var measurementTable: PageTable? {
    guard history.measurements.count > 1 else { return nil }
    let shown = measurements(atMost: Self.mostRows)
    let all = history.measurements.count
    var table = PageTable(
      "mIoU where it was measured" + (shown.count < all ? ", \(shown.count) of \(all)" : ""),
      [.text("weights"), .number("training steps"), .number("mIoU, %"), .number("accuracy, %")])
    for measurement in shown {
      let isStage = measurement.name.count == 1
      table.add([
        .text(isStage ? "stage \(measurement.name)" : measurement.name),
        .number(String(measurement.step)), .number(fixed(measurement.result.miou * 100, 2)),
        .number(fixed(measurement.result.pixelAccuracy * 100, 2)),
      ])
    }
    return table
  }

  private static let mostRows = 100
  private static let mostPoints = 500

  /// Measurements that are evenly spread, the first and the last among them.
  private func measurements(atMost wanted: Int) -> [AdaptHistory.Measurement] {
    let all = history.measurements
    guard all.count > wanted else { return all }
    return (0..<wanted).map { all[$0 * (all.count - 1) / (wanted - 1)] }
  }
}

// MARK: Times and memory

extension AdaptPage {
  var timeBlocks: [ReportPage.Block] {
    let whole = seconds
    var table = PageTable(
      "What the run has spent its time on",
      [
        .text("part"), .number("steps"), .number("time, s"), .number("in the network, s"),
        .number("a step, ms"), .number("of the run"),
      ])
    func add(_ name: String, _ steps: Int?, _ seconds: Double, _ network: Double?) {
      let perStep = steps.map { seconds / Double(max(1, $0)) * 1000 }
      let share = whole > 0 ? seconds / whole : 0
      table.add([
        .text(name), .number(steps.map(String.init) ?? ""), .number(fixed(seconds, 1)),
        .number(network.map { fixed($0, 1) } ?? ""), .number(perStep.map { fixed($0, 1) } ?? ""),
        .share(share, "\(fixed(share * 100, 1)) %"),
      ])
    }
    var known = 0.0
    let names = history.phases.map { name(of: $0) }
    for (index, title) in names.enumerated() where names.firstIndex(of: title) == index {
      let same = zip(names, history.phases).filter { $0.0 == title }.map(\.1)
      let seconds = same.reduce(0) { $0 + $1.seconds }
      let early = same.contains(where: \.isEarly) ? " (ended early)" : ""
      add(
        title + early, same.reduce(0) { $0 + $1.stepCount }, seconds,
        same.reduce(0) { $0 + $1.networkSeconds })
      known += seconds
    }
    if history.measuringSeconds > 0 {
      add("measuring mIoU, checkpoints", nil, history.measuringSeconds, nil)
      known += history.measuringSeconds
    }
    add("all else", nil, max(0, whole - known), nil)
    add("the run, without this page", nil, whole, nil)
    var memory = PageTable("Memory at most")
    memory.add("the process", processBytes.map { ByteCount(bytes: $0).text })
    memory.add(
      "the adapter: network, weights, frames, labels",
      history.mostMemory > 0 ? ByteCount(bytes: history.mostMemory).text : nil)
    memory.add("the network in training", ByteCount(bytes: workload.peakBytes).text)
    let skipped = history.phases.reduce(0) { $0 + $1.skippedCount }
    var blocks: [ReportPage.Block] = [.table(table)]
    if let last = report.last, last.guard_count > 0, whole > 0 {
      // A run that goes on has judged before, too.
      let isWhole = history.firstStep == 1
      let share = isWhole ? ", \(fixed(last.guard_seconds / whole * 100, 1)) % of the run" : ""
      blocks.append(
        .text("The guard has judged for \(fixed(last.guard_seconds, 1)) s\(share)."))
    }
    if skipped > 0 {
      blocks.append(
        .text(
          "\(counted(skipped, "step")) changed nothing: a gradient was not finite, or no pixel "
            + "counted."))
    }
    return blocks + [.table(memory)]
  }
}
