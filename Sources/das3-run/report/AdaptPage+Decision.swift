// What a guard and a blend have judged in, words and tables that say what was decided and why out.
import CDas3

extension AdaptPage {
  private var judged: [das3_guard_candidate] { report.last?.judged ?? [] }

  /// The set of weights that is the result; nil where no guard has decided that.
  private var choice: das3_guard_candidate? {
    guard let last = report.last, last.guard_done != 0 else { return nil }
    let index = Int(last.guard_choice)
    return judged.indices.contains(index) ? judged[index] : nil
  }

  /// What the result is, in one sentence.
  var decision: String {
    guard let last = report.last else { return "Nothing was done." }
    guard !isPaused else {
      let place = "after step \(last.total_step) of \(last.total_step_count)"
      let judgement = judged.isEmpty ? "" : ", which the guard has not judged to the end"
      return
        "The run was interrupted \(place): the result is the network as it was then\(judgement)."
    }
    if let reason = report.reasonForSource {
      return "The result is the network as it came: \(reason)."
    }
    if let choice, let source = judged.first {
      let result = "The result is \(choice.origin(in: "the network as it came"))"
      if choice.hasLabels {
        return
          "\(result): on the labelled frames its mIoU is \(fixed(choice.miou * 100, 1)) %, that "
          + "of the network as it came \(fixed(source.miou * 100, 1)) %."
      }
      return
        "\(result): on \(probes) its M is \(fixed(choice.score, 3)), that of the network as it "
        + "came \(fixed(source.score, 3))."
    }
    guard method == .blend else {
      let stage = history.phases.last { $0.trains }.map { name(of: $0) } ?? method.rawValue
      let steps = counted(report.stepCount, "step")
      return "The result is what \(stage) led to after \(steps) of method \(method.rawValue); "
        + "no guard has judged it."
    }
    if let reason = AdapterHandle.meaning(ofBlendReason: last.blend_reason) {
      return "The result is the network as it came: \(reason)."
    }
    let candidates = last.candidates
    let source = candidates.first.map { fixed($0.score, 3) } ?? "–"
    let chosen = candidates.first { $0.share == last.blend_share }.map { fixed($0.score, 3) } ?? "–"
    return last.blend_share == 0
      ? "The result is the network as it came, whose M is \(source): no blend of statistics was "
        + "preferred to it."
      : "The result is a blend: the statistics of BatchNormalization were moved "
        + "\(fixed(last.blend_share * 100, 0)) % of the way to those of the frames, and M rose "
        + "from \(source) to \(chosen)."
  }

  private var probes: String {
    history.probeCount.map { "the \(counted($0, "frame")) that were kept apart" }
      ?? "the frames that were kept apart"
  }

  /// Why, or what truth says of it, in one sentence.
  var reason: String {
    if let before = report.before, let after = report.after {
      let (old, new) = (fixed(before.miou * 100, 1), fixed(after.miou * 100, 1))
      let frames = "on the \(counted(comparison.measuredCount, "frame")) with truth"
      guard old != new else { return "mIoU \(frames) is \(old) %, as it was before." }
      let verb = after.miou > before.miou ? "rose" : "fell"
      return "mIoU \(frames) \(verb) from \(old) % to \(new) %."
    }
    let isSource = report.reasonForSource != nil || choice?.origin == 0
    if !isPaused, isSource { return "The output is that network, bit for bit." }
    if !isPaused, choice?.hasLabels == true {
      return "Frames with truth that nothing was learned from have judged it, beside the votes of "
        + "\(probes)."
    }
    if !isPaused, choice != nil || (method == .blend && report.last?.blend_count ?? 0 > 0) {
      return "No truth was given; M is found without labels and is large where predictions are "
        + "diverse, certain, and the same for a frame and its mirror image."
    }
    return "No truth was given, so only the frames below show whether the labels are better."
  }

  var guardBlocks: [ReportPage.Block] {
    guard let last = report.last else { return [] }
    var blocks: [ReportPage.Block] = []
    if !judged.isEmpty {
      blocks += [
        .heading("What the guard has judged"), .table(guardTable(last)), .text(Self.meaning),
        .text(
          "Share is the place on the line from the best set before (0) to what a stage led to (1). "
            + "Entropy is the mean entropy of a pixel, in nats. Shift is how far the shares of the "
            + "classes are from those of the source, in nats. Wins are the votes: on how many of "
            + "\(probes) M is larger than that of the best set before."),
      ]
      if judged.contains(where: \.hasLabels) {
        blocks.append(
          .text(
            "mIoU is that of the labelled frames. P is the probability that mIoU is larger than that "
              + "of the best set before, found by drawing the frames again and again: where P is "
              + "large or small the labels decide, otherwise the votes."))
      }
    }
    if let reason = AdapterHandle.meaning(ofGuardReason: last.guard_reason) {
      blocks.append(.text("The source network stays: \(reason)."))
    } else if judged.isEmpty {
      blocks.append(.text("No guard has judged this run."))
    }
    guard last.blend_done != 0 else { return blocks }
    blocks.append(.heading("How far the statistics were moved"))
    if let reason = AdapterHandle.meaning(ofBlendReason: last.blend_reason) {
      return blocks + [.text("The statistics stay as they are: \(reason).")]
    }
    blocks.append(.table(blendTable(last)))
    blocks.append(
      .text(
        "The largest M is not always taken: a candidate with a smaller F than one nearer to the "
          + "source needs much more IM, and the frames of each half must prefer it to the source."))
    if judged.isEmpty { blocks.append(.text(Self.meaning)) }
    return blocks
  }

  private static let meaning =
    "M = IM × F; larger is better. IM is the entropy of the mean prediction minus the mean entropy, "
    + "in nats: predictions are diverse and certain. F is the share of pixels with the same label "
    + "in a frame and in its mirror image. V is the divergence of both, in nats; smaller is better."

  private func guardTable(_ last: das3_adapter_report) -> PageTable {
    let hasLabels = judged.contains(where: \.hasLabels)
    let labelColumns: [PageTable.Column] = hasLabels ? [.number("mIoU"), .number("P")] : []
    var table = PageTable(
      "Every set of weights in the order it was judged",
      [
        .text("weights"), .number("share"), .number("M"), .number("IM"), .number("F"),
        .number("V"), .number("entropy"), .number("shift"), .number("wins"),
      ] + labelColumns + [.text("verdict")])
    for (index, candidate) in judged.enumerated() {
      let isChosen = last.guard_done != 0 && index == Int(last.guard_choice)
      table.add(
        [
          .text(candidate.origin(in: "source")), .number(fixed(candidate.share, 2)),
          .number(fixed(candidate.score, 3)), .number(fixed(candidate.information, 3)),
          .number(fixed(candidate.agreement, 3)), .number(fixed(candidate.divergence, 4)),
          .number(fixed(candidate.entropy, 3)), .number(fixed(candidate.shift, 4)),
          index == 0
            ? .number("–") : .share(candidate.wins, "\(fixed(candidate.wins * 100, 0)) %"),
        ] + (hasLabels ? labelCells(of: candidate, isSource: index == 0) : [])
          + [.text(verdict(on: candidate, index: index, isChosen: isChosen))],
        isChosen: isChosen)
    }
    return table
  }

  private func labelCells(of candidate: das3_guard_candidate, isSource: Bool) -> [PageTable.Cell] {
    [
      .number("\(fixed(candidate.miou * 100, 1)) %"),
      .number(isSource ? "–" : fixed(candidate.probability, 2)),
    ]
  }

  private func verdict(on candidate: das3_guard_candidate, index: Int, isChosen: Bool) -> String {
    if isChosen { return "the result" }
    if index == 0 { return "what all others are compared with" }
    if let objection = candidate.objection { return "refused: \(objection)" }
    return candidate.accepted != 0 ? "the best so far" : "no better than the best so far"
  }

  private func blendTable(_ last: das3_adapter_report) -> PageTable {
    let hasLabels = last.candidates.contains(where: \.hasLabels)
    let labelColumns: [PageTable.Column] = hasLabels ? [.number("mIoU")] : []
    var table = PageTable(
      "Candidates of the blend",
      [.text("part of the way"), .number("M"), .number("IM"), .number("F"), .number("V")]
        + labelColumns + [.text("verdict")])
    for candidate in last.candidates {
      let isChosen = candidate.share == last.blend_share
      let percent = "\(fixed(candidate.share * 100, 0)) %"
      table.add(
        [
          .text(candidate.share == 0 ? "0 % (source)" : percent),
          .number(fixed(candidate.score, 3)), .number(fixed(candidate.information, 3)),
          .number(fixed(candidate.agreement, 3)), .number(fixed(candidate.divergence, 4)),
        ] + (hasLabels ? [.number("\(fixed(candidate.miou * 100, 1)) %")] : [])
          + [.text(isChosen ? "chosen" : "")], isChosen: isChosen)
    }
    return table
  }

  /// The votes of the probes on each set of weights; nil where there is nothing to compare.
  var voteChart: LineChart? {
    guard judged.count > 2 else { return nil }
    var chart = LineChart(
      title: "Wins of each judged set (votes)", xTitle: "judged set", unit: " %")
    let points = judged.enumerated().dropFirst().map { index, candidate in
      LineChart.Point(x: Double(index), y: candidate.wins * 100)
    }
    chart.series = [.init(name: "wins", points: points, style: .dots, colour: 0)]
    chart.marks = judged.enumerated().dropFirst().map { (x: Double($0), name: $1.name) }
    return chart
  }
}

extension das3_guard_candidate {
  /// Where the weights come from, in words; `source` names the network as it came.
  fileprivate func origin(in source: String) -> String {
    let place: String
    switch das3_guard_origin(UInt32(origin)) {
    case DAS3_GUARD_ORIGIN_SOURCE: return source
    case DAS3_GUARD_ORIGIN_BLEND: place = "the blend of statistics"
    case DAS3_GUARD_ORIGIN_TRAINING: place = "what training led to"
    default: place = "what stage \(name.prefix(1)) led to"
    }
    return share == 1 ? place : "the point \(fixed(share * 100, 0)) % of the way to \(place)"
  }
}
