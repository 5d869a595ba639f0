// A frame and its labels in, a video with those of the source beside them out.

/// Writes a video: on the left labels by the network as it came, on the right by what it has become.
final class BeforeAndNow {
  private let path: String
  private let overlay: Overlay
  private let segmenter: SegmenterHandle
  private let reader: FrameReader
  private let threadCount: Int
  private var result: Segmentation
  private var halves = (Frame(), Frame())
  /// The room for a picture, which the first one decides.
  private var half = PixelSize(width: 0, height: 0)
  private var canvas = Frame()
  private var writer: VideoWriter?
  private var count: Int64 = 0

  /// Columns between the two pictures.
  private static let gap = 8

  init(
    path: String, model: ModelHandle, size: PixelSize?, reader: FrameReader, shared: SharedOptions
  ) throws(Failure) {
    self.path = path
    self.reader = reader
    threadCount = shared.threadCount
    overlay = Overlay(classes: model.classes)
    segmenter = try SegmenterHandle(model: model, size: size, shared: shared)
    result = Segmentation([.labels], classCount: model.classes.count)
  }

  func write(_ frame: Frame, now: [UInt8]) throws(Failure) {
    try segmenter.segment(frame, into: &result)
    draw(frame, result.labels, into: &halves.0)
    draw(frame, now, into: &halves.1)
    if writer == nil {
      half = halves.0.size
      canvas.resize(to: PixelSize(width: 2 * half.width + Self.gap, height: half.height))
    }
    canvas.fill(x: 0, y: 0, width: canvas.size.width, height: half.height, with: .background)
    place(halves.0, left: 0)
    place(halves.1, left: half.width + Self.gap)
    canvas.name = frame.name
    // Images have no time: each is shown as long as a frame.
    canvas.time = reader.kind == .video ? frame.time : count
    count += 1
    if writer == nil {
      writer = try VideoWriter(
        path: path, size: canvas.size, timing: reader.timing, audio: nil, threadCount: threadCount)
    }
    try writer?.write(canvas)
  }

  /// Copies as much of a picture as the video has room for: later frames may have other sizes.
  private func place(_ picture: Frame, left: Int) {
    let length = 3 * min(half.width, picture.size.width)
    for row in 0..<min(half.height, picture.size.height) {
      let from = row * picture.strideBytes
      let to = row * canvas.strideBytes + 3 * left
      canvas.pixels.replaceSubrange(to..<to + length, with: picture.pixels[from..<from + length])
    }
  }

  private func draw(_ frame: Frame, _ labels: [UInt8], into half: inout Frame) {
    var shares = ClassShares(names: overlay.classes.map(\.name))
    shares.add(labels)
    overlay.draw(frame, labels: labels, shares: shares.shares, into: &half)
  }

  /// Completes the video.
  func finish(after last: Frame) throws(Failure) {
    try writer?.finish(at: reader.kind == .video ? reader.endTime(of: last) : count)
  }
}
