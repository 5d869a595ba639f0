// Picks and what was written of them in, a table or JSON out.

struct PickReport {
  let survey: FrameSurvey
  let wanted: Int
  let picks: [FramePicker.Pick]
  /// One for each pick.
  let written: [PickWriter.Written]
  let reader: FrameReader

  private func traits(_ pick: FramePicker.Pick) -> FrameTraits { survey.frames[pick.frame] }

  var json: JsonValue {
    .object([
      (key: "frames", value: .integer(survey.frameCount)),
      (key: "wanted", value: .integer(wanted)),
      (key: "picked", value: .array(zip(picks, written).map(entry))),
      (key: "equal", value: .integer(survey.equalCount)),
      (key: "blank", value: .integer(survey.blankCount)),
      (key: "damaged", value: .integer(reader.damagedFrameCount)),
      (key: "left_out", value: .integer(reader.leftOutCount)),
    ])
  }

  private func entry(_ pick: FramePicker.Pick, _ written: PickWriter.Written) -> JsonValue {
    let traits = traits(pick)
    return .object([
      (key: "frame", value: .string(traits.name)), (key: "file", value: .string(written.stem)),
      (key: "seconds", value: reader.kind == .video ? .rounded(traits.seconds, 6) : .null),
      (key: "entropy", value: .rounded(traits.entropy, 4)),
      (key: "uncertain", value: .rounded(pick.uncertain * 100, 2)),
      (key: "different", value: pick.nearest.map { .rounded($0.distance, 4) } ?? .null),
      (key: "nearest", value: .text(pick.nearest.map { self.written[$0.pick].stem })),
      (key: "outlier", value: .bool(pick.isOutlier)),
      (key: "polygons", value: .integer(written.shapeCount)),
      (key: "specks", value: .integer(written.speckCount)),
      (key: "agreement", value: .rounded(written.agreement * 100, 2)),
    ])
  }

  func text(output: String) -> String {
    var table = Table([.left, .left])
    for (pick, written) in zip(picks, written) {
      let unsure = "less sure than \(fixed(pick.uncertain * 100, 0)) % of the others"
      let distance = pick.nearest.map {
        ", \(fixed($0.distance, 2)) from \(self.written[$0.pick].stem)"
      }
      let odd = pick.isOutlier ? ", like no other" : ""
      table.add(written.stem, unsure + (distance ?? "") + odd)
    }
    return table.text + "\n\(picks.count) of \(counted(survey.frameCount, "frame")), in \(output)"
  }

  /// Says why there are fewer than were wanted.
  func noteMissing() {
    guard picks.count < wanted else { return }
    let blank = survey.blankCount > 0 ? "; \(survey.blankCount) show nothing" : ""
    if survey.equalCount > 0 {
      Terminal.note(
        "\(wanted) were wanted, but only \(picks.count) of \(counted(survey.frameCount, "frame")) "
          + "differ\(blank)")
    } else {
      Terminal.note(
        "\(wanted) were wanted; \(picks.count) are all frames that can be picked\(blank)")
    }
  }
}
