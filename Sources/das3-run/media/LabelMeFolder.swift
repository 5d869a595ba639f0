// A directory and the stem of a frame in, the truth that LabelMe keeps there out.

/// The LabelMe files among the truth of frames, `NAME.json`.
final class LabelMeFolder {
  private let directory: String
  private let classes: [String]
  private let stems: Set<String>
  private var hasTold = false

  init(directory: String, classes: [String]) throws(Failure) {
    self.directory = directory
    self.classes = classes
    stems = Set(try Folder.files(in: directory, endings: ["json"]).map(Path.stem(of:)))
  }

  /// Reads the class numbers of a frame; nil where it has no file.
  func labels(for stem: String, size: PixelSize) throws(Failure) -> [UInt8]? {
    guard stems.contains(stem) else { return nil }
    let path = Path.join(directory, stem + ".json")
    let file = try LabelMe(path: path)
    if let own = file.size, own != size {
      throw Failure("truth \(path) is of a frame of \(own), expected \(size) as its frame")
    }
    if !hasTold { Terminal.note("truth is read from the files of LabelMe in \(directory)") }
    hasTold = true
    return try file.labels(of: classes, size: size, path: path)
  }
}
