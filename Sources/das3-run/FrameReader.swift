// A path in, frames out: one image, a directory of images in the order of their names, or a video.
import Foundation

/// The frames behind `--input`.
final class FrameReader {
  enum Kind {
    case image
    case directory
    case video
  }

  let kind: Kind
  let path: String
  /// nil where a video does not say.
  let frameCount: Int?
  let frameRate: FrameRate

  private let converter = PixelConverter()
  private let choice: FrameChoice
  private let threadCount: Int
  /// File names inside the directory.
  private let fileNames: [String]
  private var decoder: PictureDecoder?
  /// Pictures that the decoder of a video has given.
  private var decodedCount = 0
  private var nextIndex = 0

  static let imageEndings: Set<String> = [
    "png", "jpg", "jpeg", "bmp", "ppm", "pgm", "pnm", "tif", "tiff", "webp",
  ]

  /// - Parameters:
  ///   - path: what `--input` says.
  ///   - choice: which of the frames.
  ///   - threadCount: for decoding a video; 0 = one per core.
  /// - Throws: `Failure` where there is nothing to read.
  init(path: String, choice: FrameChoice = .all, threadCount: Int) throws(Failure) {
    self.path = path
    self.choice = choice
    self.threadCount = threadCount
    if Folder.exists(path) {
      kind = .directory
      fileNames = try Folder.files(in: path, endings: Self.imageEndings)
      frameCount = choice.count(of: fileNames.count)
      frameRate = .standard
      guard !fileNames.isEmpty else {
        let endings = Self.imageEndings.sorted().map { "." + $0 }.joined(separator: " ")
        throw Failure("\(path): no images in this directory (\(endings))")
      }
    } else {
      let decoder = try PictureDecoder(path: path, threadCount: threadCount)
      self.decoder = decoder
      kind = decoder.isStill ? .image : .video
      fileNames = []
      frameCount = decoder.isStill ? 1 : decoder.frameCount.map(choice.count(of:))
      frameRate = decoder.frameRate
    }
  }

  /// The file's name without directory and ending.
  var stem: String { Path.stem(of: Path.name(of: path)) }

  /// Parts of a video that could not be decoded so far.
  var damagedPartCount: Int { decoder?.damagedPartCount ?? 0 }

  /// Reads the next frame.
  ///
  /// Returns false behind the last one.
  func read(into frame: inout Frame) throws(Failure) -> Bool {
    defer { nextIndex += 1 }
    return try read(nextIndex, into: &frame)
  }

  /// Reads frame `index` of the chosen ones.
  ///
  /// A video is decoded from where it stands, or from its beginning to go back. Returns false
  /// behind the last frame.
  func read(_ index: Int, into frame: inout Frame) throws(Failure) -> Bool {
    guard let place = choice.place(of: index) else { return false }
    switch kind {
    case .image:
      guard place == 0 else { return false }
      frame.name = Path.name(of: path)
      decoder = try PictureDecoder(path: path, threadCount: threadCount)
    case .directory:
      guard place < fileNames.count else { return false }
      frame.name = fileNames[place]
      let file = Path.join(path, frame.name)
      decoder = try PictureDecoder(path: file, threadCount: threadCount)
    case .video:
      guard try skip(to: place) else { return false }
      let digits = String(place)
      frame.name = String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    }
    frame.stem = kind == .video ? frame.name : Path.stem(of: frame.name)
    let converted: Void? = try decoder?.withNextPicture { picture throws(Failure) in
      do throws(Failure) {
        try converter.convert(picture, into: &frame)
      } catch {
        throw Failure("cannot read \(path): \(error.message)")
      }
    }
    decodedCount += 1
    return converted != nil
  }

  /// Decodes a video up to the picture before `place`; false where it ends earlier.
  private func skip(to place: Int) throws(Failure) -> Bool {
    if place < decodedCount {
      decoder = try PictureDecoder(path: path, threadCount: threadCount)
      decodedCount = 0
    }
    while decodedCount < place {
      guard try decoder?.withNextPicture({ _ in true }) == true else { return false }
      decodedCount += 1
    }
    return true
  }
}

extension FrameReader {
  /// Throws where two files of a directory would give results of the same name.
  func checkStemsDiffer() throws(Failure) {
    let groups = Dictionary(grouping: fileNames, by: Path.stem(of:))
    guard let clash = groups.values.filter({ $0.count > 1 }).min(by: { $0[0] < $1[0] }) else {
      return
    }
    throw Failure("\(path): results of \(clash[0]) and \(clash[1]) would have the same name")
  }
}
