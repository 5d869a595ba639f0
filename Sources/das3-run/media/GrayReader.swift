// A PNG in, one number per pixel out: gray values, palette indices or, on request, colours.

/// Truth or predictions in the files of a directory, which are found by the stems of frames.
final class GrayReader {
  /// Height × width numbers, or colours as 0xRRGGBB.
  private(set) var values: [UInt32] = []
  /// The file that was read last.
  private(set) var path = ""

  private let directory: String
  /// What the files hold, as messages call it, such as "truth".
  private let contents: String
  private let reading: ReadingOptions
  /// File names by stem.
  private let fileNames: [String: String]
  /// The end of the file names that the names of frames do not have, such as "_labelIds".
  private var suffix = ""

  /// Ends of the names of frames that the names of their truth files may lack.
  private static let frameSuffixes = ["_leftImg8bit", "_rgb_anon", "_rgb"]

  init(directory: String, contents: String, reading: ReadingOptions) throws(Failure) {
    guard Folder.exists(directory) else {
      throw Failure("\(directory): no such directory of \(contents) PNGs")
    }
    self.directory = directory
    self.contents = contents
    self.reading = reading
    let names = try Folder.files(in: directory, endings: ["png"])
    fileNames = Dictionary(names.map { (Path.stem(of: $0), $0) }) { first, _ in first }
  }

  /// Finds the suffix of the file names.
  ///
  /// It is `wanted`, or none where all frames have a file of their own name, or else the only suffix
  /// that fits all frames; of several, that of `labels`.
  ///
  /// - Throws: `Failure` where several suffixes fit, or one that says the files are other labels.
  func findSuffix(for stems: [String], wanted: String?, labels: LabelSet?) throws(Failure) {
    suffix = if let wanted { wanted } else { try commonSuffix(for: stems, labels: labels) }
    if let labels,
      let other = LabelSet.all.first(where: { other in
        !other.ending.isEmpty && suffix.hasSuffix(other.ending) && other.classes != labels.classes
      })
    {
      throw Failure(
        "\(contents) in \(directory) is *\(suffix).png, a name of \(other.name), and the class map is "
          + "\(labels.name); '--class-map \(other.name)' or another '--truth-suffix' would fit")
    }
    if wanted == nil, !suffix.isEmpty {
      Terminal.note("\(contents) is read from the files *\(suffix).png in \(directory)")
    }
  }

  /// The only suffix that fits all frames; "" where none does, or where none is needed.
  private func commonSuffix(
    for stems: [String], labels: LabelSet?
  ) throws(Failure) -> String {
    guard let first = stems.first(where: { fileNames[$0] == nil }) else { return "" }
    let bases = Self.bases(of: first)
    var suffixes = Set(
      fileNames.keys.flatMap { name in
        bases.filter(name.hasPrefix).map { String(name.dropFirst($0.count)) }
      }
    ).filter { suffix in
      // A suffix without a letter is the number of another frame.
      suffix.contains(where: \.isLetter) && suffix.first.map { "_-.".contains($0) } ?? false
    }.filter { suffix in
      stems.allSatisfy { stem in Self.bases(of: stem).contains { fileNames[$0 + suffix] != nil } }
    }.sorted()
    if let labels, !labels.ending.isEmpty {
      let own = suffixes.filter { $0.hasSuffix(labels.ending) }
      if own.count == 1 { suffixes = own }
    }
    guard suffixes.count < 2 else {
      throw Failure(
        "\(contents) in \(directory) may be *\(suffixes.joined(separator: ".png, *")).png; "
          + "'--truth-suffix \(suffixes[0])' says which")
    }
    return suffixes.first ?? ""
  }

  /// Throws where a frame has no file.
  func check(for stem: String) throws(Failure) {
    guard fileName(for: stem) != nil else {
      let names = Self.bases(of: stem).map { "\($0)\(suffix).png" }.joined(separator: " or ")
      throw Failure(
        "frame \(stem) has no \(contents): expected \(names) in \(directory)")
    }
  }

  /// Reads the file of a frame into `values`; it must be of the frame's size.
  func read(for stem: String, size: PixelSize, as pixels: PixelKind = .number) throws(Failure) {
    try check(for: stem)
    path = Path.join(directory, fileName(for: stem) ?? "")
    let bitCount = try bitCount(of: path)
    let decoder = try PictureDecoder(path: path, reading: reading, threadCount: 1)
    let found = try decoder.withNextPicture { picture, turn throws(Failure) in
      switch picture.copyNumbers(into: &values, bitCount: bitCount, as: pixels) {
      case .unknown: throw Failure("\(contents) \(path) was not decoded as numbers")
      case .tooFewChannels(let count):
        throw Failure(
          "\(contents) \(path) has \(counted(count, "channel")); the class map wants \(pixels.name), "
            + "counted from 0")
      case .colours where pixels == .number:
        throw Failure(
          "\(contents) \(path) holds \(bitCount == 16 ? "numbers of 16 bits" : "colours") in red, "
            + "green and blue, and not one number per pixel; a class map can say under "
            + "\"colours\" which class each colour is (as cityscapes-colours does), or by "
            + "\"channel\": 0 that red has the class (as synthia-ids)")
      case .colours, .numbers: break
      }
      values = turn.turned(values, size: picture.size, elementsPerPixel: 1)
      return turn.shownSize(of: picture.size)
    }
    guard let found, found == size else {
      let name = found.map(\.description) ?? "nothing"
      let isTurned = found?.width == size.height && found?.height == size.width
      let hint = isTurned ? "; frames are turned upright, '--no-autorotate' leaves them" : ""
      throw Failure("\(contents) \(path) is \(name), expected \(size) as its frame\(hint)")
    }
  }

  private static func bases(of stem: String) -> [String] {
    [stem] + frameSuffixes.filter(stem.hasSuffix).map { String(stem.dropLast($0.count)) }
  }

  private func fileName(for stem: String) -> String? {
    Self.bases(of: stem).lazy.compactMap { self.fileNames[$0 + self.suffix] }.first
  }

  /// The bit depth in the PNG header; the decoder scales gray of fewer bits to 8 bits.
  private func bitCount(of path: String) throws(Failure) -> Int {
    let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    let headerByteCount = 26
    guard let file = FileBytes(path) else {
      throw Failure("cannot read \(path): \(SystemFile.reason)")
    }
    guard let header = file.wholeBytes(at: 0, count: headerByteCount),
      header.starts(with: signature)
    else { throw Failure("\(contents) \(path) is not a PNG") }
    return Int(header[24])
  }
}

extension GrayReader {
  /// Values of at most 8 bits.
  func bytes() throws(Failure) -> [UInt8] {
    guard values.allSatisfy({ $0 <= 255 }) else {
      throw Failure("\(path) holds numbers above 255")
    }
    return values.map { UInt8(truncatingIfNeeded: $0) }
  }
}
