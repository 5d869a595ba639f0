// A path in, frames out: one image, a directory of images in the order of their names, or a video.
import ArgumentParser
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
  /// nil where a video does not declare it.
  let frameCount: Int?
  /// The timing of a video; of images, the default.
  let timing: VideoTiming
  /// Index among the chosen frames of the one that was read last.
  private(set) var lastIndex = -1
  /// Images of a directory that could not be read and were left out.
  private(set) var leftOutCount = 0
  /// Frames that were read although parts of them were missing.
  private(set) var damagedFrameCount = 0

  /// Nil where the input is a file or a directory.
  let live: LiveSource?

  private let converter = PixelConverter()
  private let choice: FrameChoice
  private let reading: ReadingOptions
  private let threadCount: Int
  /// Names of the images; empty for a video.
  private let fileNames: [String]
  private var decoder: PictureDecoder?
  /// How many pictures the decoder of a video has given.
  private var decodedCount = 0
  private var nextIndex = 0

  static let imageEndings: Set<String> = [
    "png", "jpg", "jpeg", "jfif", "bmp", "ppm", "pgm", "pnm", "tif", "tiff", "webp", "avif", "jp2",
    "tga", "gif",
  ]

  /// Opens the input; `threadCount` threads decode a video, 0 = one per core.
  ///
  /// With `isOnce` frames are read once and in their order, so that a camera or an address will do.
  init(
    path: String, choice: FrameChoice = .all, reading: ReadingOptions, threadCount: Int,
    isOnce: Bool = false
  ) throws(Failure) {
    self.path = path
    self.choice = choice
    self.reading = reading
    self.threadCount = threadCount
    if Folder.exists(path) {
      live = nil
      kind = .directory
      fileNames = try Folder.files(in: path, endings: Self.imageEndings)
      frameCount = choice.count(of: fileNames.count)
      timing = VideoTiming()
      guard !fileNames.isEmpty else {
        let endings = Self.imageEndings.sorted().map { "." + $0 }.joined(separator: " ")
        throw Failure("\(path): no images in this directory (\(endings))")
      }
    } else {
      live = isOnce ? LiveSource(path) : nil
      let decoder = try PictureDecoder(
        path: path, live: live, reading: reading, threadCount: threadCount)
      self.decoder = decoder
      kind = decoder.isStill ? .image : .video
      fileNames = decoder.isStill ? [Path.name(of: path)] : []
      frameCount = decoder.isStill ? 1 : decoder.frameCount.map(choice.count(of:))
      timing = decoder.timing
    }
  }

  /// The file's name without directory and ending.
  var stem: String { Path.stem(of: Path.name(of: path)) }

  /// Names of the frames without their endings, where they are known before they are read.
  var stems: [String] { fileNames.map(Path.stem(of:)) }

  /// Whether all of the input could be used so far.
  var isWhole: Bool { leftOutCount == 0 && damage == nil }

  /// What is wrong with the part of a video that was read so far; nil where nothing is.
  var damage: String? {
    guard let decoder, kind == .video else { return nil }
    var parts: [String] = []
    if decoder.damagedPartCount > 0 {
      parts.append("\(counted(decoder.damagedPartCount, "part")) of it could not be decoded")
    }
    if decoder.missingSeconds > 0 {
      parts.append("its last \(fixed(decoder.missingSeconds, 1)) s are missing")
    }
    guard !parts.isEmpty else { return nil }
    return "\(path) is damaged: " + parts.joined(separator: ", and ")
  }

  /// When `frame`, the last one read from a video, is no longer shown, in units of its time base.
  func endTime(of frame: Frame) -> Int64 {
    guard let decoder else { return 0 }
    if decoder.isAtEnd { return decoder.endTime }
    let (length, isTooLong) = decoder.duration.multipliedReportingOverflow(
      by: Int64(choice.every))
    return isTooLong ? frame.time + decoder.duration : frame.time &+ length
  }

  /// Reads the next frame; with `--keep-going`, skips images that cannot be read.
  ///
  /// Returns false after the last frame.
  func read(into frame: inout Frame) throws(Failure) -> Bool {
    while true {
      let index = nextIndex
      nextIndex += 1
      do throws(Failure) {
        guard try read(index, into: &frame) else { break }
        lastIndex = index
        if frame.isDamaged { damagedFrameCount += 1 }
        return true
      } catch {
        guard reading.keepGoing, kind == .directory else { throw error }
        leftOutCount += 1
        Terminal.note("left out: \(error.message)")
      }
    }
    if lastIndex < 0, leftOutCount > 0 {
      throw Failure("\(path): none of its \(leftOutCount) images can be read")
    }
    return false
  }

  /// Reads the chosen frame `index`.
  ///
  /// To reach an earlier frame, a video is decoded again from its beginning. Returns false after the
  /// last frame.
  func read(_ index: Int, into frame: inout Frame) throws(Failure) -> Bool {
    guard let place = choice.place(of: index) else { return false }
    var file = path
    if kind == .video {
      guard try skip(to: place) else { return false }
      frame.name = String(format: "%06d", place)
    } else {
      guard place < fileNames.count else { return false }
      frame.name = fileNames[place]
      if kind == .directory { file = Path.join(path, frame.name) }
      decoder = try PictureDecoder(path: file, reading: reading, threadCount: threadCount)
    }
    frame.stem = kind == .video ? frame.name : Path.stem(of: frame.name)
    let converted: Void? = try decoder?.withNextPicture { picture, turn throws(Failure) in
      do throws(Failure) {
        try converter.convert(picture, into: &frame)
      } catch {
        throw Failure("cannot read \(file): \(error.message)")
      }
      frame.turn(turn)
    }
    decodedCount += 1
    frame.time = kind == .video ? decoder?.time ?? 0 : 0
    frame.isDamaged = kind == .video && decoder?.isDamaged ?? false
    return converted != nil
  }

  /// Decodes a video up to the picture before `place`; false where it ends earlier.
  private func skip(to place: Int) throws(Failure) -> Bool {
    if place < decodedCount {
      decoder = try PictureDecoder(path: path, reading: reading, threadCount: threadCount)
      decodedCount = 0
    }
    while decodedCount < place {
      guard try decoder?.withNextPicture({ _, _ in true }) == true else { return false }
      decodedCount += 1
    }
    return true
  }
}

extension FrameReader {
  /// Reports what was left out or damaged, and throws the exit code for it.
  func reportDamage() throws(ExitCode) {
    if leftOutCount > 0 { Terminal.note("\(path): \(counted(leftOutCount, "image")) left out") }
    if let damage {
      Terminal.note("\(damage); \(counted(damagedFrameCount, "frame")) with something missing")
    }
    if !isWhole { throw ExitCode.partial }
  }

  /// Throws where the results of two files of a directory would have the same name.
  func checkStemsDiffer() throws(Failure) {
    let groups = Dictionary(grouping: fileNames, by: Path.stem(of:))
    guard let clash = groups.values.filter({ $0.count > 1 }).min(by: { $0[0] < $1[0] }) else {
      return
    }
    throw Failure("\(path): results of \(clash[0]) and \(clash[1]) would have the same name")
  }
}
