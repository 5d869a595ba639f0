// The options that say what labels are compared with.
import ArgumentParser

/// Truth and its meaning, or a protocol, which says where both are.
struct TruthOptions: ParsableArguments {
  @Option(
    name: .customLong("protocol"),
    help: ArgumentHelp(
      "One of the literature's: --input is the folder of its data set as it comes.",
      valueName: "name"))
  var rules: AdaptationProtocol?

  @Option(help: ArgumentHelp("The directory of truth PNGs.", valueName: "dir"))
  var truth: String?

  @Option(
    help: ArgumentHelp(
      "From the model's class names to the truth's: a file, or the name of a labelling.",
      valueName: "file|name"))
  var classMap: String?

  @Option(
    help: ArgumentHelp("What names of truth have behind the frames'.", valueName: "text"))
  var truthSuffix: String?

  func validate() throws {
    guard let rules else { return }
    let others = [
      ("--truth", truth), ("--class-map", classMap), ("--truth-suffix", truthSuffix),
    ]
    for (option, value) in others where value != nil {
      throw ValidationError("'\(option)' is what '--protocol \(rules.name)' says; expected one")
    }
  }

  /// Takes from the protocol, if there is one, what the other options would have said.
  ///
  /// - Returns: the folder of the frames to measure on, in that of the data set; nil without a
  ///   protocol.
  mutating func follow(in data: String) throws(Failure) -> String? {
    guard let rules else { return nil }
    let folders = try rules.measured(in: data)
    truth = folders.truth
    truthSuffix = rules.target.suffix
    classMap = rules.name
    return folders.frames
  }
}
