// Segmented frames in, files below one directory out.

/// Writes PNGs with the names of their frames into `labels/`, `confidence/`, `entropy/` and
/// `overlay/`; the overlays of a video become one video, `<stem>_overlay.mp4`.
final class ResultWriter {
  let directory: String

  private let saved: [Segmentation.Output]
  private let overlay: Overlay?
  private let reader: FrameReader
  private let audio: AudioTrack?
  private let threadCount: Int
  private let grayWriter = ImageWriter(format: .gray)
  private let colourWriter = ImageWriter(format: .rgb)
  private var videoWriter: VideoWriter?
  private var canvas = Frame()
  private var grayLevels: [UInt8] = []

  private static let overlayName = "overlay"

  /// Creates the directories; throws where one of them is where frames are read from.
  init(
    directory: String, saved: [Segmentation.Output], overlay: Overlay?, reader: FrameReader,
    audio: AudioTrack?, threadCount: Int
  ) throws(Failure) {
    self.directory = directory
    self.saved = saved
    self.overlay = overlay
    self.reader = reader
    self.audio = audio
    self.threadCount = threadCount
    var folders = saved.map { Path.join(directory, $0.rawValue) }
    if overlay != nil, reader.kind != .video {
      folders.append(Path.join(directory, Self.overlayName))
    }
    let isDirectory = reader.kind == .directory
    let inputFolder = isDirectory ? reader.path : Path.parent(of: reader.path)
    let places = isDirectory ? folders + [directory] : folders
    for place in places where Folder.isSame(place, inputFolder.isEmpty ? "." : inputFolder) {
      throw Failure("\(place) is where the input is read from; choose another --output")
    }
    for folder in [directory] + folders {
      try Folder.create(folder)
      try Folder.checkIsWritable(folder, "cannot write results")
    }
    if overlay != nil, reader.kind == .video { try checkVideo() }
  }

  func write(_ frame: Frame, _ result: Segmentation, shares: [Double]) throws(Failure) {
    for output in saved {
      let path = try Folder.place(
        frame.stem + ".png", in: Path.join(directory, output.rawValue))
      switch output {
      case .labels: try grayWriter.write(result.labels, size: frame.size, to: path)
      case .confidence: try grayWriter.write(result.confidence, size: frame.size, to: path)
      case .entropy:
        scaleToBytes(result.entropy)
        try grayWriter.write(grayLevels, size: frame.size, to: path)
      case .probabilities: break
      }
    }
    guard let overlay else { return }
    overlay.draw(frame, labels: result.labels, shares: shares, into: &canvas)
    guard reader.kind == .video else {
      let folder = Path.join(directory, Self.overlayName)
      let path = try Folder.place(frame.stem + ".png", in: folder)
      return try colourWriter.write(canvas.pixels, size: canvas.size, to: path)
    }
    canvas.time = frame.time
    if videoWriter == nil {
      videoWriter = try VideoWriter(
        path: videoPath, size: canvas.size, timing: reader.timing, audio: audio,
        threadCount: threadCount)
    }
    try videoWriter?.write(canvas)
  }

  /// Completes the video, if there is one; `last` is its last frame.
  func finish(after last: Frame) throws(Failure) {
    try videoWriter?.finish(at: reader.endTime(of: last))
  }

  private var videoPath: String { Path.join(directory, reader.stem + "_overlay.mp4") }

  private func checkVideo() throws(Failure) {
    guard !Folder.isSame(videoPath, reader.path) else {
      throw Failure("\(videoPath) is the input; choose another --output")
    }
    try Folder.checkCanReplace(videoPath)
  }

  /// Scales 0 to 1 to 0 to 255.
  private func scaleToBytes(_ values: [Float]) {
    if grayLevels.count != values.count {
      grayLevels = [UInt8](repeating: 0, count: values.count)
    }
    for index in values.indices {
      let level = values[index] * 255
      grayLevels[index] = level > 0 ? UInt8(min(level, 255).rounded()) : 0
    }
  }
}
