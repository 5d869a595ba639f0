// Labels before and after in, the parts of a page that compare them out.

/// What pages say of the classes and of single frames.
struct ComparisonBlocks {
  let comparison: LabelComparison
  /// Where the compared frames are from, and how many there are.
  let path: String
  let frameCount: Int
  /// What truth says before and after; nil where nothing was measured.
  var measured: (before: EvaluatorHandle.Result, after: EvaluatorHandle.Result)?
  /// How many frames have truth that was compared.
  var measuredCount = 0

  private var sample: String {
    let all = frameCount
    let some = comparison.comparedCount
    return some == all
      ? "all \(counted(all, "frame")) of \(path)"
      : "\(counted(some, "frame")), evenly spread over the \(all) of \(path)"
  }

  /// A table of the shares of the classes, with their IoU where truth was compared.
  var classes: [ReportPage.Block] {
    let (before, after) = (comparison.before, comparison.after)
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

  /// Pictures of the frames that are shown; nothing where there are none.
  var frames: [ReportPage.Block] {
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
