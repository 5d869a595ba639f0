// What a drive has come to in, lines and a summary out.
import CDas3

struct DriveReport {
  private let isJson: Bool
  private let stream: FrameStream
  private var reader: FrameReader { stream.reader }
  private let start = ContinuousClock.now
  private var milliseconds: [Double] = []
  private(set) var history: DriveHistory
  private var progress: ProgressBar

  /// Times of so many frames at most are kept.
  private static let mostTimes = 1 << 20

  init(isJson: Bool, stream: FrameStream, keepsFrames: Bool) {
    self.isJson = isJson
    history = DriveHistory(keepsFrames: keepsFrames)
    self.stream = stream
    progress = ProgressBar(title: "drive", count: stream.frameCount)
  }

  var seconds: Double { (ContinuousClock.now - start).seconds }
  var medianMilliseconds: Double { milliseconds.median }
  /// The 99th percentile.
  var lateMilliseconds: Double {
    let sorted = milliseconds.sorted()
    return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
  }

  /// Counts a frame.
  mutating func add(
    _ frame: Frame, milliseconds elapsed: Double, _ report: das3_online_report
  ) throws(Failure) {
    if milliseconds.count < Self.mostTimes { milliseconds.append(elapsed) }
    let isNew = history.add(frame, milliseconds: elapsed, report)
    if isJson {
      var members: [JsonValue.Member] = [
        (key: "frame", value: .string(frame.name)),
        (key: "milliseconds", value: .rounded(elapsed, 3)),
        (key: "weights", value: .string(report.originName)),
        (key: "steps", value: .integer(Int(report.total_step))),
      ]
      if reader.kind == .video {
        members.append(
          (key: "seconds", value: .rounded(Double(frame.time) * reader.timing.base.value, 6)))
      }
      try JsonValue.printEvent("frame", members)
      if isNew { try JsonValue.printEvent("weights", report.json) }
    } else if isNew {
      progress.clear()
      try Terminal.say("frame \(frame.name): from now on by \(report.words)")
    }
    progress.update(
      finished: Int(report.frame_count),
      detail: report.stage == 0 ? "" : "stage \(UnicodeScalar(UInt8(clamping: report.stage)))")
  }

  /// Prints the summary.
  mutating func finish(
    _ report: das3_online_report, output: String?, page: String?, isWhole: Bool
  ) throws(Failure) {
    progress.clear()
    let (seconds, p99) = (seconds, lateMilliseconds)
    if isJson {
      return try JsonValue.printEvent(
        "summary",
        [
          (key: "frames", value: .integer(Int(report.frame_count))),
          (key: "done", value: .bool(isWhole)), (key: "seconds", value: .rounded(seconds, 3)),
          (key: "median_ms", value: .rounded(milliseconds.median, 3)),
          (key: "p99_ms", value: .rounded(p99, 3)),
        ] + report.json + [
          (key: "left_out", value: .integer(reader.leftOutCount)),
          (key: "damaged", value: .integer(reader.damagedFrameCount)),
          (key: "dropped", value: .integer(stream.droppedCount)),
          (key: "reconnects", value: .integer(reader.reconnectCount)),
          (key: "output", value: .text(output)), (key: "report", value: .text(page)),
        ])
    }
    let counts =
      "\(counted(Int(report.accepted_count), "stage")) accepted, \(report.held_count) held back, "
      + "\(report.rolled_back_count) given up, \(counted(Int(report.alarm_count), "alarm"))"
    try Terminal.say(
      "\(counted(Int(report.frame_count), "frame")) in \(fixed(seconds, 1)) s, "
        + "\(fixed(milliseconds.median, 1)) ms a frame (median), \(fixed(p99, 1)) ms (99th percentile)"
    )
    stream.noteDropped()
    try Terminal.say("learned in \(report.total_step) steps: \(counts)")
    try Terminal.say("at the end by \(report.words)" + (output.map { ", saved in \($0)" } ?? ""))
    if let part = report.ignoredPart { try Terminal.say("ignored: \(part)") }
    if let reason = AdapterHandle.meaning(ofGuardReason: report.reason) {
      Terminal.note("the network as it came labels: \(reason)")
    }
    if report.status != DAS3_OK {
      Terminal.note(
        "learning has ended: \(unsafe String(cString: das3_status_name(report.status)))")
    }
  }
}

extension das3_online_report {
  /// Which part of the pixels counts for nothing, and why; nil where all count.
  var ignoredPart: String? { IgnoredArea.part(ignored_share, found: found_share) }

  /// Such as "what stage b led to (M 1.48, the source 1.22)".
  var words: String {
    let numbers = score > 0 ? " (M \(fixed(score, 3)), the source \(fixed(source_score, 3)))" : ""
    return switch originName {
    case "source": "the network as it came"
    case "blend": "a blend of statistics, \(fixed(share * 100, 0)) % of the way" + numbers
    default: "what stage \(originName) led to" + numbers
    }
  }
}
