// The options that say how to adapt in, settings for the library out.
import ArgumentParser

struct MethodOptions: ParsableArguments {
  @Option(help: "How to adapt.")
  var method = AdaptationMethod.auto

  @Option(
    help: "Where a method that trains begins: at a blend of statistics (default) or the source.")
  var start: AdaptationStart?

  @Option(
    help: ArgumentHelp("Of auto, das3 and atp: any of a, b, c, in this order.", valueName: "abc"))
  var stages: String?

  @Option(
    help: ArgumentHelp(
      "Steps at most: a=N,b=N,c=N, any of them; of other methods N.", valueName: "list"))
  var steps: String?

  @Option(help: ArgumentHelp("Changes a setting; they stand above.", valueName: "name=value"))
  var set: [String] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Of orders, masks and augmentation; from 0.", valueName: "N"))
  var seed: UInt64?

  static let allStages = "abc"

  func validate() throws {
    do throws(Failure) {
      _ = try settings()
    } catch {
      throw ValidationError(error.message)
    }
  }

  /// All of them together.
  func settings() throws(Failure) -> AdapterSettings {
    var settings = AdapterSettings()
    settings.method = method
    guard start == nil || method.trains else {
      throw Failure("'--start \(start?.rawValue ?? "")': \(method.rawValue) trains nothing")
    }
    guard start != .source || method != .auto else {
      throw Failure("'--start source': auto always begins at a blend; das3 can begin at the source")
    }
    settings.start = method.trains ? start ?? .blend : .source
    if let seed { settings.seed = seed }
    var names: Set<String> = []
    for (name, value) in try stageSetting() + stepSettings() + otherSettings() {
      guard names.insert(name).inserted else { throw Failure("\(name) is given twice") }
      try settings.set(name, to: value)
    }
    let chosen = settings.texts["stages"] ?? Self.allStages
    for stage in Self.allStages where names.contains("steps_\(stage)") && !chosen.contains(stage) {
      throw Failure("steps of stage \(stage), which is not among the stages \(chosen)")
    }
    return settings
  }

  /// The stages that are run, of a method that has them; a teacher takes the place of (a).
  func stages(hasTeacher: Bool) throws(Failure) -> String? {
    guard method.hasStages else { return nil }
    let chosen = try settings().texts["stages"] ?? Self.allStages
    return hasTeacher ? chosen.replacing("a", with: "") : chosen
  }

  private typealias NamedValue = (name: String, value: String)

  private func stageSetting() throws(Failure) -> [NamedValue] {
    guard let stages else { return [] }
    guard method.hasStages, stages.contains(/^a?b?c?$/), !stages.isEmpty else {
      throw Failure(
        "'--stages \(stages)': expected a, b, c in this order, of method auto, das3 or atp")
    }
    return [("stages", stages)]
  }

  private func stepSettings() throws(Failure) -> [NamedValue] {
    let isStaged = method.hasStages
    var values: [NamedValue] = []
    for part in steps?.split(separator: ",", omittingEmptySubsequences: false) ?? [] {
      let form = isStaged ? /([abc])=([1-9][0-9]*)/ : /()([1-9][0-9]*)/
      guard let match = part.wholeMatch(of: form) else {
        let expected = isStaged ? "such as a=100,b=200,c=100" : "a number"
        throw Failure(
          "'--steps \(steps ?? "")': expected \(expected) for \(method.rawValue), from 1")
      }
      values.append(("steps_\(isStaged ? match.1 : "a")", String(match.2)))
    }
    return values
  }

  private func otherSettings() throws(Failure) -> [NamedValue] {
    var values: [NamedValue] = []
    for text in set {
      let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard sides.count == 2 else { throw Failure("'--set \(text)': expected name=value") }
      values.append((String(sides[0]), String(sides[1])))
    }
    return values
  }
}
