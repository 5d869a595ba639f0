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
  /// Whether frames come when they like, from a camera or from an address that sends no file.
  let hasOwnPace: Bool
  /// How often a stream has broken off and come back.
  private(set) var reconnectCount = 0

  private let converter = PixelConverter()
  private let choice: FrameChoice
  private let reading: ReadingOptions
  private let threadCount: Int
  /// Seconds that a stream has for coming back.
  private let patience: Double
  /// Where the images are.
  private let folder: String
  /// Names of the images; empty for a video.
  private let fileNames: [String]
  private var decoder: PictureDecoder?
  /// How many pictures the decoder of a video has given.
  private var decodedCount = 0
  private var nextIndex = 0
  /// With `--rate`: when the next frame is due, in seconds, and how many were taken.
  private var dueTime = 0.0
  private var takenCount = 0
  /// When the first picture of a stream came, and what later connections add to their times.
  private var streamStart: ContinuousClock.Instant?
  private var timeOffset: Int64 = 0
  /// Why a stream has broken off for good.
  private var breakReason: String?

  static let imageEndings: Set<String> = [
    "png", "jpg", "jpeg", "jfif", "bmp", "ppm", "pgm", "pnm", "tif", "tiff", "webp", "avif", "jp2",
    "tga", "gif",
  ]

  /// Opens the input; `threadCount` threads decode a video, 0 = one per core.
  ///
  /// With `stream`, frames are read once and in their order, so that a camera, an address or a pipe
  /// will do.
  init(
    path: String, choice: FrameChoice = .all, reading: ReadingOptions, threadCount: Int,
    stream: StreamOptions? = nil
  ) throws(Failure) {
    self.path = path
    var choice = choice
    // Who takes frames as they come counts those that it has taken.
    if stream != nil, LiveSource(path) != nil { choice.limit = nil }
    self.choice = choice
    self.reading = reading
    self.threadCount = threadCount
    patience = stream?.reconnect ?? 0
    if let (folder, names) = try Self.images(path) {
      live = nil
      hasOwnPace = false
      kind = .directory
      self.folder = folder
      fileNames = names
      frameCount = choice.count(of: fileNames.count)
      timing = VideoTiming()
    } else {
      live = stream == nil ? nil : LiveSource(path)
      let decoder = try PictureDecoder(
        path: path, live: live, reading: reading, threadCount: threadCount)
      self.decoder = decoder
      hasOwnPace = decoder.hasOwnPace
      kind = decoder.isStill ? .image : .video
      folder = Path.parent(of: path)
      fileNames = decoder.isStill ? [Path.name(of: path)] : []
      frameCount = decoder.isStill ? 1 : decoder.frameCount.flatMap(choice.count(of:))
      timing = decoder.timing
    }
    guard reading.raw == nil || kind == .video else {
      throw Failure("'--raw' is for raw video and cameras; \(path) has images")
    }
    guard choice.rate == nil || kind == .video else {
      throw Failure("'--rate' is for what has a time; \(path) has images: '--every' chooses them")
    }
  }

  /// The images of a directory, or those that a pattern names; nil where a path is neither.
  private static func images(_ path: String) throws(Failure) -> (folder: String, names: [String])? {
    let pattern = NamePattern(path)
    guard Folder.exists(path) || pattern != nil else { return nil }
    let folder = pattern?.folder ?? path
    var names = try Folder.files(
      in: folder, endings: imageEndings, depth: pattern == nil ? 1 : 0)
    if let pattern { names = names.filter(pattern.matches) }
    guard !names.isEmpty else {
      let endings = imageEndings.sorted().map { "." + $0 }.joined(separator: " ")
      let place = pattern == nil ? "in this directory, nor in those in it" : "called so"
      throw Failure("\(path): no images \(place) (\(endings))")
    }
    return (folder, names)
  }

  /// The file's name without directory and ending, or what stands for it.
  var stem: String { live?.stem(of: path) ?? Path.stem(of: Path.name(of: path)) }

  /// Names of the frames without their endings, where they are known before they are read.
  var stems: [String] { fileNames.map(Path.stem(of:)) }

  /// The image file of the chosen frame `index`; nil in a video.
  func file(of index: Int) -> String? {
    guard kind != .video, let place = choice.place(of: index), place < fileNames.count else {
      return nil
    }
    return kind == .directory ? Path.join(folder, fileNames[place]) : path
  }

  /// Whether all of the input could be used so far.
  var isWhole: Bool { leftOutCount == 0 && damage == nil }

  /// What is wrong with the part of a video that was read so far; nil where nothing is.
  var damage: String? {
    guard let decoder, kind == .video else { return nil }
    if let breakReason { return "\(path): \(breakReason)" }
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
        guard takenCount < choice.limit ?? .max, try read(index, into: &frame) else { break }
        guard isDue(frame) else { continue }
        takenCount += 1
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
      file = self.file(of: index) ?? path
      decoder = try PictureDecoder(path: file, reading: reading, threadCount: threadCount)
    }
    frame.stem = kind == .video ? frame.name : Path.stem(of: frame.name)
    let converted: Void? = try nextPicture { picture, turn throws(Failure) in
      do throws(Failure) {
        try converter.convert(picture, into: &frame)
      } catch {
        throw Failure("cannot read \(file): \(error.message)")
      }
      frame.turn(turn)
    }
    decodedCount += 1
    frame.time = kind == .video ? timeOffset + (decoder?.time ?? 0) : 0
    frame.isDamaged = kind == .video && decoder?.isDamaged ?? false
    return converted != nil
  }

  /// Whether a frame is taken where no more than `--rate` of them a second are.
  private func isDue(_ frame: Frame) -> Bool {
    guard let rate = choice.rate else { return true }
    let seconds = Double(frame.time) * timing.base.value
    guard seconds > dueTime - 0.5e-3 else { return false }
    dueTime = max(dueTime, seconds - 0.5 / rate) + 1 / rate
    return true
  }

  /// Decodes a video up to the picture before `place`; false where it ends earlier.
  private func skip(to place: Int) throws(Failure) -> Bool {
    if place < decodedCount {
      decoder = try PictureDecoder(path: path, reading: reading, threadCount: threadCount)
      decodedCount = 0
    }
    while decodedCount < place {
      guard try nextPicture({ _, _ in true }) == true else { return false }
      decodedCount += 1
    }
    return true
  }
}

/// Streams that break off and come back.
extension FrameReader {
  /// The decoder's next picture; nil at the end, or where a stream does not come back.
  private func nextPicture<Result>(
    _ use: (DecodedPicture, Orientation) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    while let decoder {
      if let result = try decoder.withNextPicture(use) {
        if live != nil, streamStart == nil { streamStart = .now }
        return result
      }
      guard decoder.hasOwnPace, patience > 0, !Interrupt.isRequested else {
        breakReason = decoder.breakReason.map { "the stream broke off (\($0))" }
        return nil
      }
      guard try reconnect(decoder.breakReason) else { return nil }
    }
    return nil
  }

  /// Opens the stream again, with growing pauses; returns whether it gives pictures.
  private func reconnect(_ reason: String?) throws(Failure) -> Bool {
    let how = reason.map { "broke off (\($0))" } ?? "ended"
    Terminal.note("\(path): the stream \(how); trying again for \(fixed(patience, 0)) s")
    let end = ContinuousClock.now + .seconds(patience)
    var pause = Self.firstPause
    while ContinuousClock.now < end {
      let next = min(end, .now + .seconds(pause))
      while ContinuousClock.now < next, !Interrupt.isRequested {
        Thread.sleep(forTimeInterval: min(0.1, pause))
      }
      guard !Interrupt.isRequested else { return false }
      pause = min(2 * pause, Self.longestPause)
      guard
        let again = try? PictureDecoder(
          path: path, live: live, reading: reading, threadCount: threadCount)
      else { continue }
      decoder = again
      reconnectCount += 1
      // Times go on as those of the clock: the stream itself begins anew.
      let seconds = streamStart.map { (ContinuousClock.now - $0).seconds } ?? 0
      timeOffset = Int64(seconds / timing.base.value)
      Terminal.note("\(path): the stream is back")
      return true
    }
    breakReason = reason.map { "the stream broke off (\($0)) and did not come back" }
    return false
  }

  /// Seconds between two attempts.
  private static var firstPause: Double { 0.25 }
  private static var longestPause: Double { 8 }
}

extension FrameReader {
  /// Reports what was left out or damaged, and throws the exit code for it.
  func reportDamage() throws(ExitCode) {
    if leftOutCount > 0 { Terminal.note("\(path): \(counted(leftOutCount, "image")) left out") }
    if let damage {
      let missing = "; \(counted(damagedFrameCount, "frame")) with something missing"
      Terminal.note(damage + (damagedFrameCount > 0 ? missing : ""))
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
