// Picked frames and their labels in, a directory for an annotator out.

/// Writes `frames/` with the pictures and their LabelMe files, `labels/` with PNGs of class numbers,
/// the names of the classes for LabelMe, and `picked.json`.
final class PickWriter {
  let directory: String
  private let classes: [ModelClass]
  private let labelWriter: ImageWriter
  private let frameWriter = ImageWriter(format: .rgb)

  /// What became of a frame.
  struct Written {
    /// The name without its ending, which frame, PNG and JSON have in common.
    let stem: String
    let shapeCount: Int
    let speckCount: Int
    let agreement: Double
  }

  static let frameFolder = "frames"
  static let labelFolder = "labels"
  private static let classesName = "labelme_labels.txt"
  private static let listName = "picked.json"

  private var folders: [String] {
    [Self.frameFolder, Self.labelFolder].map { Path.join(directory, $0) }
  }

  /// Throws where nothing could be written, and where there are files, which somebody may have
  /// corrected.
  init(directory: String, input: String, classes: [ModelClass]) throws(Failure) {
    self.directory = directory
    self.classes = classes
    // What has no class has the number 255, and is black.
    labelWriter = ImageWriter(format: .indexed(classes.map(\.colour)))
    guard !Folder.isSame(directory, input) else {
      throw Failure("\(directory) is where the input is read from; choose another --output")
    }
    for folder in folders {
      let names = Folder.exists(folder) ? SystemFile.names(in: folder) ?? [] : []
      guard names.allSatisfy({ [".", ".."].contains($0) }) else {
        throw Failure(
          "\(folder) has files, which may have been corrected by hand; choose another --output")
      }
    }
    var place = directory
    while !SystemFile.exists(place), Path.parent(of: place) != place {
      place = Path.parent(of: place)
    }
    try Folder.checkIsWritable(place, "cannot write frames")
  }

  /// Creates the directories.
  func begin() throws(Failure) {
    for folder in folders { try Folder.create(folder) }
  }

  /// Writes a frame, its labels and its shapes.
  ///
  /// - Parameters:
  ///   - frame: the picture.
  ///   - file: where it comes from, which is copied; nil for a frame of a video.
  ///   - labels: class numbers of its pixels; 255 = none.
  ///   - number: the place in the order of choice, with as many digits as all have.
  /// - Returns: its name there, and what its shapes are like.
  /// - Throws: `Failure` where a file cannot be read or written.
  func write(
    _ frame: Frame, from file: String?, labels: [UInt8], number: String
  ) throws(Failure) -> Written {
    let stem = "\(number)_\(frame.stem)"
    let ending = file.map { Path.ending(of: $0) } ?? "png"
    let name = ending.isEmpty ? stem : "\(stem).\(ending)"
    let folder = Path.join(directory, Self.frameFolder)
    let picture = Path.join(folder, name)
    if let file {
      try SystemFile.write(try SystemFile.read(file), to: picture)
    } else {
      try frameWriter.write(frame.pixels, size: frame.size, to: picture)
    }
    let labelPath = Path.join(Path.join(directory, Self.labelFolder), stem + ".png")
    try labelWriter.write(labels, size: frame.size, to: labelPath)
    let shapePath = Path.join(folder, stem + ".json")
    let shapes = try LabelShapes(
      labels: labels, size: frame.size, classes: classes.map(\.name), path: shapePath)
    try write(shapes.file.json(picture: name, size: frame.size).line, to: shapePath)
    return Written(
      stem: stem, shapeCount: shapes.file.shapes.count, speckCount: shapes.speckCount,
      agreement: shapes.agreement)
  }

  /// Writes the names of the classes, and what was picked.
  func finish(_ list: JsonValue) throws(Failure) {
    let names = [LabelMe.ignoredName] + classes.map(\.name)
    try write(names.joined(separator: "\n"), to: Path.join(directory, Self.classesName))
    try write(list.line, to: Path.join(directory, Self.listName))
  }

  private func write(_ text: String, to path: String) throws(Failure) {
    try SystemFile.write(Path.bytes(of: text + "\n"), to: path)
  }
}
