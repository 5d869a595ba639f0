// The folder of a data set as it comes in, the frames to adapt to, those to measure on, and their
// truth out.
import ArgumentParser

/// How the literature measures an adaptation: a network that has learned from one data set is adapted
/// to frames of another and compared with the truth of others of its frames, in given classes.
struct AdaptationProtocol: ExpressibleByArgument {
  let name: String
  /// The classes that count; the network has them all.
  let classes: [String]
  /// Some of the classes, whose mean is given, too.
  let subset: ClassSubset?
  let target: Target

  /// The data set that the network is adapted to.
  struct Target {
    let labels: LabelSet
    /// Folders below that of the data set.
    let training, validation, truth: String
    /// What follows the name of a frame in that of its truth.
    let suffix: String
    /// Which files have these folders, and where they are.
    let origin: String
  }

  private init(
    _ name: String, without missing: Set<String>, subset: ClassSubset? = nil, _ target: Target
  ) {
    self.name = name
    self.subset = subset
    self.target = target
    classes = LabelSet.cityscapesClasses.filter { !missing.contains($0) }
  }

  init?(argument: String) {
    guard let match = Self.all.first(where: { $0.name == argument }) else { return nil }
    self = match
  }

  static let allValueStrings = all.map(\.name)

  static let all =
    [
      Self("gta5-cityscapes", without: [], .cityscapes),
      Self(
        "synthia-cityscapes", without: notInSynthia,
        subset: ClassSubset(name: "mIoU13", without: thin), .cityscapes),
      Self("synthia13-cityscapes", without: notInSynthia.union(thin), .cityscapes),
    ]
    + ["Rio", "Rome", "Taipei", "Tokyo"].map { city in
      Self(
        "cityscapes-\(city.lowercased())", without: notInSynthia.union(thin), .crossCity(city))
    }

  private static let notInSynthia: Set = ["terrain", "truck", "train"]
  /// What the 13 classes leave out of the 16.
  private static let thin: Set = ["wall", "fence", "pole"]

  /// The folder of the frames to adapt to, in that of the data set.
  func training(in data: String) throws(Failure) -> String {
    try folder(target.training, in: data, "the frames to adapt to")
  }

  /// The folders of the frames to measure on and of their truth.
  func measured(in data: String) throws(Failure) -> (frames: String, truth: String) {
    (
      try folder(target.validation, in: data, "the frames to measure on"),
      try folder(target.truth, in: data, "their truth")
    )
  }

  private func folder(
    _ name: String, in data: String, _ contents: String
  ) throws(Failure) -> String {
    let path = Path.join(data, name)
    guard Folder.exists(path) else {
      throw Failure(
        "\(path): no such directory, where the protocol \(self.name) has \(contents); "
          + target.origin)
    }
    return path
  }

  /// A table for the help: name, classes, folders.
  static var table: String {
    var table = Table([.left, .right, .left])
    for entry in all {
      let means = entry.subset.map { ", \($0.count(of: entry.classes))" } ?? ""
      let target = entry.target
      table.add("  " + entry.name, "\(entry.classes.count)\(means)", target.training)
      table.add("", "", target.validation)
      table.add("", "", "\(target.truth)/…\(target.suffix).png")
    }
    return table.text
  }
}

extension AdaptationProtocol.Target {
  fileprivate static let cityscapes = Self(
    labels: .cityscapesIds, training: "leftImg8bit/train", validation: "leftImg8bit/val",
    truth: "gtFine/val", suffix: "_gtFine_labelIds",
    origin: "it is in leftImg8bit_trainvaltest.zip or gtFine_trainvaltest.zip of "
      + "https://www.cityscapes-dataset.com/downloads/, unpacked into one folder")

  fileprivate static func crossCity(_ city: String) -> Self {
    Self(
      labels: .crossCity, training: "\(city)/Images/Train", validation: "\(city)/Images/Test",
      truth: "\(city)/Labels/Test", suffix: "_eval",
      origin: "it is in NTHU_Datasets, which "
        + "https://yihsinchen.github.io/segmentation_adaptation/ links to")
  }
}
