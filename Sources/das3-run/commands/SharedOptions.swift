// The options that several commands take.
import ArgumentParser
import CDas3
import Foundation

/// The options that every command takes.
struct SharedOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Worker threads, at most one per core; 0 = one per core.", valueName: "N")
  )
  var threads = 0

  @Option(help: "Arithmetic of convolutions and matrix products.")
  var precision = Precision.f32

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Most memory for activations and prepared weights, such as 800M or 1.5G; 0 = no limit.",
      valueName: "bytes"),
    transform: ByteCount.init(argument:))
  var memoryLimit = ByteCount(bytes: 0)

  @Option(help: "Whether a network that has statistics of scenes labels frames with them.")
  var scenes = SceneUse.on

  @Flag(help: "Print JSON on stdout, and nothing else there.")
  var json = false

  func validate() throws {
    guard threads >= 0 else {
      throw ValidationError("'--threads \(threads)': expected 0 or more")
    }
  }

  /// The threads that were asked for, as the library takes them: it says when those are too many.
  var wantedThreads: UInt32 { UInt32(min(threads, 1024)) }

  /// The threads that were asked for, but no more than there are processors.
  var threadCount: Int { min(threads, ProcessInfo.processInfo.activeProcessorCount) }
}

/// Whether each frame is labelled with the statistics of its scene.
enum SceneUse: String, ExpressibleByArgument, CaseIterable {
  case on, off
}

/// The library's precisions by their names on the command line.
enum Precision: String, ExpressibleByArgument, CaseIterable {
  case f32, bf16
  case f32Direct = "f32_direct"

  /// The precision's number in the C header.
  var code: Int32 {
    switch self {
    case .f32: Int32(DAS3_PRECISION_F32.rawValue)
    case .bf16: Int32(DAS3_PRECISION_BF16.rawValue)
    case .f32Direct: Int32(DAS3_PRECISION_F32_DIRECT.rawValue)
    }
  }

  init?(code: Int32) {
    guard let match = Self.allCases.first(where: { $0.code == code }) else { return nil }
    self = match
  }
}

/// How frames are read.
struct ReadingOptions: ParsableArguments {
  @Flag(
    inversion: .prefixedNo,
    help: "Turn frames upright as their EXIF orientation or display matrix says.")
  var autorotate = true

  @Flag(help: "Leave out images of a directory that cannot be read; else the first is the end.")
  var keepGoing = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      How the pixels of raw video lie, or what a camera is asked for: FORMAT:WxH or \
      FORMAT:WxH@RATE, such as yuyv:640x480@30.
      """, valueName: "layout"),
    transform: RawLayout.init(argument:))
  var raw: RawLayout?
}

/// How frames are taken that come once, from a camera, an address or a pipe.
struct StreamOptions: ParsableArguments {
  @Option(help: "Leave out frames that nobody waited for: cameras and addresses, all, or never.")
  var drop = DropPolicy.live

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How long to try again when a camera or an address breaks off; 0 = not.",
      valueName: "seconds"))
  var reconnect = 30.0

  func validate() throws {
    guard (0...1e6).contains(reconnect) else {
      throw ValidationError("'--reconnect \(reconnect)': expected 0 to 1000000 seconds")
    }
  }
}

/// Which pixels count for nothing.
struct IgnoreOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What counts for nothing: an image, ignored where it is not black, or rows, 0 = top.",
      valueName: "file|rows"))
  var ignore: String?

  /// Reads the image; nil where every pixel counts.
  func area(_ reading: ReadingOptions) throws(Failure) -> IgnoredArea? {
    guard let ignore else { return nil }
    return try IgnoredArea(ignore, reading: reading)
  }
}

/// Which frames of the input are taken.
struct FrameChoice: ParsableArguments {
  @Option(parsing: .unconditional, help: ArgumentHelp("Take each Nth frame only.", valueName: "N"))
  var every = 1

  @Option(parsing: .unconditional, help: ArgumentHelp("Stop after so many frames.", valueName: "N"))
  var limit: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Take so many frames per second of a video or stream at most.", valueName: "FPS"))
  var rate: Double?

  static let all = (try? parse([])) ?? FrameChoice()

  func validate() throws {
    guard (1...1_000_000).contains(every) else {
      throw ValidationError("'--every \(every)': expected 1 to 1000000")
    }
    if let limit, limit < 1 {
      throw ValidationError("'--limit \(limit)': expected 1 or more")
    }
    if let rate, !(1e-6...1e6).contains(rate) {
      throw ValidationError("'--rate \(rate)': expected frames per second, more than 0")
    }
  }

  /// The place of candidate `index` among all frames; nil behind the last one.
  func place(of index: Int) -> Int? {
    let last = rate == nil ? limit ?? .max : .max
    return index < min(last, Int(Int32.max)) ? index * every : nil
  }

  /// How many of `frameCount` frames are chosen; nil where their times decide.
  func count(of frameCount: Int) -> Int? {
    rate == nil ? min(limit ?? .max, (frameCount + every - 1) / every) : nil
  }
}

/// The size that a network works on.
struct SizeOption: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      Size the network works on, WIDTHxHEIGHT. Default: the model's own, or else the first \
      frame's, but at most about a megapixel, rounded to what the model takes. Labels always \
      have the frame's size.
      """, valueName: "WxH"),
    transform: PixelSize.init(argument:))
  var size: PixelSize?
}
