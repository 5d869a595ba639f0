// "Each Nth frame, at most so many" in, the place of each frame among all of them out.
import ArgumentParser

struct FrameChoice: ParsableArguments {
  @Option(parsing: .unconditional, help: ArgumentHelp("Take each Nth frame only.", valueName: "N"))
  var every = 1

  @Option(parsing: .unconditional, help: ArgumentHelp("Stop after so many frames.", valueName: "N"))
  var limit: Int?

  static let all: FrameChoice = {
    var choice = FrameChoice()
    choice.every = 1
    choice.limit = nil
    return choice
  }()

  func validate() throws {
    guard (1...1_000_000).contains(every) else {
      throw ValidationError("'--every \(every)': expected 1 to 1000000")
    }
    if let limit, limit < 1 {
      throw ValidationError("'--limit \(limit)': expected 1 or more")
    }
  }

  /// Where frame `index` of the chosen ones stands; nil behind the last.
  func place(of index: Int) -> Int? {
    index < min(limit ?? .max, Int(Int32.max)) ? index * every : nil
  }

  /// How many of `frameCount` frames are chosen.
  func count(of frameCount: Int) -> Int {
    min(limit ?? .max, (frameCount + every - 1) / every)
  }
}
