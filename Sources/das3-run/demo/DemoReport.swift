// Measurements in, what `demo` prints out.

/// Every measurement is one column: first by day, then at dusk, then after each stage.
struct DemoReport {
  private let isJson: Bool
  private var columns: [(title: String, result: EvaluatorHandle.Result)] = []

  init(isJson: Bool) {
    self.isJson = isJson
  }

  /// Adds a measurement after a stage; nil = before the first.
  mutating func add(
    _ result: EvaluatorHandle.Result, world: StreetWorld, stage: String?, seconds: Double = 0
  ) throws(Failure) {
    let before = columns.last?.result.miou
    let title = stage.map { $0 == "blend" ? $0 : "(\($0))" } ?? world.rawValue
    columns.append((title, result))
    if isJson {
      let place = [
        (key: "look", value: JsonValue.string(world.rawValue)), (key: "stage", value: .text(stage)),
        (key: "seconds", value: .rounded(seconds, 2)),
      ]
      return try JsonValue.printEvent("evaluation", place + result.json)
    }
    let miou = fixed(result.miou * 100, 2)
    guard let stage, let before else { return try say("\(world.rawValue): mIoU \(miou)") }
    let name = stage == "blend" ? "blend of statistics" : "stage (\(stage))"
    try say(
      "\(name) in \(fixed(seconds, 1)) s: mIoU \(fixed(before * 100, 2)) → \(miou)")
  }

  /// Prints a line at once, unless lines are JSON.
  func say(_ text: String) throws(Failure) {
    guard !isJson else { return }
    try Terminal.say(text)
  }

  /// Prints the table of all measurements and `text`, or a JSON summary with `facts`.
  func finish(_ facts: [JsonValue.Member], text: String) throws(Failure) {
    if isJson {
      return try JsonValue.printEvent("summary", facts)
    }
    var table = Table([.left] + columns.map { _ in .right })
    table.add([""] + columns.map(\.title))
    let rows = columns.map { $0.result.rows(decimals: 1) }
    // The last row would be the pixel accuracy.
    for (index, row) in (rows.first ?? []).dropLast().enumerated() {
      table.add([row.name] + rows.map { $0[index].value })
    }
    try say("\n" + table.text + "\n" + text)
  }
}
