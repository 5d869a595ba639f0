// Labels and times of frames in, what `segment` prints out.

struct SegmentReport {
  private let classes: [ModelClass]
  /// The timing of a video; nil for images.
  private let timing: VideoTiming?
  private let isJson: Bool
  private let start = ContinuousClock.now
  private var milliseconds: [Double] = []
  private var total: ClassShares

  init(classes: [ModelClass], timing: VideoTiming?, isJson: Bool) {
    self.timing = timing
    self.classes = classes
    self.isJson = isJson
    total = ClassShares(names: classes.map(\.name))
  }

  var frameCount: Int { milliseconds.count }

  /// Counts a frame and returns the share of each class in it, 0 to 1.
  mutating func add(_ frame: Frame, labels: [UInt8], milliseconds elapsed: Double) throws(Failure)
    -> [Double]
  {
    var own = ClassShares(names: total.names)
    own.add(labels)
    total.add(own)
    milliseconds.append(elapsed)
    if isJson {
      var members: [JsonValue.Member] = [
        (key: "frame", value: .string(frame.name)),
        (key: "milliseconds", value: .rounded(elapsed, 3)),
        (key: "shares", value: own.json),
      ]
      if let timing {
        let seconds = Double(frame.time) * timing.base.value
        members.append((key: "seconds", value: .rounded(seconds, 6)))
        members.append((key: "damaged", value: .bool(frame.isDamaged)))
      }
      try JsonValue.printEvent("frame", members)
    }
    return own.shares
  }

  /// Prints the summary and, where no files are written, the table of classes.
  func finish(
    networkSize: PixelSize, output: String?, stream: FrameStream, isWhole: Bool
  ) throws(Failure) {
    let seconds = (ContinuousClock.now - start).seconds
    let rate = seconds > 0 ? Double(frameCount) / seconds : 0
    if isJson {
      return try JsonValue.printEvent(
        "summary",
        [
          (key: "frames", value: .integer(frameCount)),
          (key: "done", value: .bool(isWhole)),
          (key: "seconds", value: .rounded(seconds, 3)),
          (key: "frames_per_second", value: .rounded(rate, 2)),
          (key: "median_ms", value: .rounded(milliseconds.median, 3)),
          (key: "width", value: .integer(networkSize.width)),
          (key: "height", value: .integer(networkSize.height)),
          (key: "shares", value: total.json),
          (key: "left_out", value: .integer(stream.reader.leftOutCount)),
          (key: "damaged", value: .integer(stream.reader.damagedFrameCount)),
          (key: "dropped", value: .integer(stream.droppedCount)),
          (key: "reconnects", value: .integer(stream.reader.reconnectCount)),
          (key: "output", value: .text(output)),
        ])
    }
    stream.noteDropped()
    if output == nil { try Terminal.say(table) }
    let speed = "\(fixed(seconds, 1)) s, \(fixed(rate, 1)) frames/s\(isWhole ? "" : ", stopped")"
    let place = output.map { ", results in \($0)" } ?? ""
    try Terminal.say(
      "\(counted(frameCount, "frame")) in \(speed); network \(networkSize), "
        + "\(fixed(milliseconds.median, 1)) ms a frame (median)\(place)")
  }

  private var table: String {
    var table = Table([.left, .left, .right])
    let rows = zip(classes, total.shares).filter { $0.1 > 0 }.sorted { $0.1 > $1.1 }
    for (entry, share) in rows {
      table.add(Terminal.swatch(entry.colour), entry.name, fixed(share * 100, 2) + " %")
    }
    if total.unlabelledShare > 0 {
      table.add("", "(no class)", fixed(total.unlabelledShare * 100, 2) + " %")
    }
    return table.text
  }
}
