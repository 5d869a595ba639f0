// `das3-run demo`: nothing in, an adaptation before your eyes out.
import ArgumentParser
import Foundation

struct Demo: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Adapt a small network to the dusk of a street world drawn by code.",
    discussion: """
      The network, 65 017 parameters inside this program, has only seen streets by
      day. It adapts to frames at dusk without labels: other light, other camera,
      other colours. First a blend of statistics, in seconds; then the stages of DAS3
      from there. mIoU is measured before and after each on streets that it has not
      seen, in less than three minutes on two cores. In --output:
        demo.png          streets by day and at dusk; labels before, of the blend, after
        adapted.onnx      the adapted network
        streetN_strip.png the same for one street

      --draw writes frames of this world and their truth instead, as PNGs of class
      numbers; the same seed gives the same frame everywhere. --train makes the
      network anew from random weights, in about a quarter of an hour.

      Examples:
        das3-run demo
        das3-run demo --draw streets --look dusk --count 100 --seed 7
        das3-run demo --train street.onnx
      """)

  @Option(
    help: ArgumentHelp(
      "Directory for the results; created if need be. Default: demo.", valueName: "dir"))
  var output: String?

  @Option(help: ArgumentHelp("Train the network and write it here.", valueName: "file"))
  var train: String?

  @Option(
    help: ArgumentHelp("Draw frames/ and truth/ into this directory.", valueName: "dir"))
  var draw: String?

  @Option(help: "What --draw draws. Default: day.")
  var look: StreetWorld?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How many frames --draw draws. Default: 8.", valueName: "N"))
  var count: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Of the first frame that --draw draws. Default: 900000.", valueName: "N"))
  var seed: UInt64?

  @Flag(help: .hidden)
  var short = false

  @OptionGroup var shared: SharedOptions

  func validate() throws {
    guard train == nil || draw == nil else {
      throw ValidationError("'--train' and '--draw' are two things; expected one of them")
    }
    if output != nil, let option = train.map({ _ in "--train" }) ?? draw.map({ _ in "--draw" }) {
      throw ValidationError("'\(option)' says where it writes; '--output' is of the demo itself")
    }
    let given = ["--look": look != nil, "--count": count != nil, "--seed": seed != nil]
    if draw == nil, let option = given.filter(\.value).keys.min() {
      throw ValidationError("'\(option)' needs '--draw DIR'")
    }
    if let count, !(1...1_000_000).contains(count) {
      throw ValidationError("'--count \(count)': expected 1 to 1000000")
    }
  }

  func run() throws {
    if let train {
      try DemoTraining(path: train, isShort: short, shared: shared).run()
    } else if let draw {
      try write(to: draw)
    } else {
      try DemoAdaptation(directory: output ?? "demo", isShort: short, shared: shared).run()
    }
  }

  private func write(to directory: String) throws(Failure) {
    let (look, count) = (look ?? .day, count ?? 8)
    let seed = seed ?? DemoAdaptation.validationSeeds.lowerBound
    let places = ["frames", "truth"].map { Path.join(directory, $0) }
    for place in places { try Folder.create(place) }
    let (colours, labels) = (ImageWriter(format: .rgb), ImageWriter(format: .gray))
    var progress = ProgressBar(title: "draw", count: count)
    for index in 0..<count {
      let drawn = look.frame(seed: seed &+ UInt64(index), name: "street\(index)")
      let (frame, name) = (drawn.frame, "/\(drawn.frame.stem).png")
      try colours.write(frame.pixels, size: frame.size, to: places[0] + name)
      try labels.write(drawn.truth, size: frame.size, to: places[1] + name)
      progress.update(finished: index + 1)
    }
    progress.clear()
  }
}
