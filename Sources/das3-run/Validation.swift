// Frames with their truth in, how well a model labels them out, as often as one asks.

/// Images and the truth of each; they stay in memory as far as they fit.
final class Validation {
  private let reader: FrameReader
  private let truthReader: GrayReader
  private let truthPath: String
  private let keptByteLimit: Int
  private var kept: [(frame: Frame, truth: [UInt8])] = []
  private var keptByteCount = 0
  private var frame = Frame()

  /// - Parameters:
  ///   - input: a directory of images, or one image.
  ///   - truth: the directory of their truth PNGs.
  ///   - keptByteLimit: what frames may take in memory; 0 where they are read once.
  /// - Throws: `Failure` where there is nothing to read.
  init(input: String, truth: String, keptByteLimit: Int) throws(Failure) {
    reader = try FrameReader(path: input, threadCount: 1)
    guard reader.kind != .video else {
      throw Failure("\(input) is a video; expected images to compare with the truth of each")
    }
    truthReader = try GrayReader(directory: truth, contents: "truth")
    truthPath = truth
    self.keptByteLimit = keptByteLimit
  }

  var frameCount: Int { reader.frameCount ?? 1 }

  /// Frame `index` and its truth, height × width class numbers.
  func read(_ index: Int) throws(Failure) -> (frame: Frame, truth: [UInt8]) {
    if index < kept.count { return kept[index] }
    guard try reader.read(index, into: &frame) else {
      throw Failure("\(reader.path): frame \(index) is gone")
    }
    try truthReader.read(for: frame.stem, size: frame.size)
    let byteCount = frame.pixels.count + truthReader.values.count
    if index == kept.count, keptByteCount + byteCount <= keptByteLimit {
      kept.append((frame, truthReader.values))
      keptByteCount += byteCount
    }
    return (frame, truthReader.values)
  }

  /// Compares the labels of all frames with their truth.
  func evaluate(_ labeller: Labeller) throws(Failure) -> EvaluatorHandle.Result {
    let evaluator = try EvaluatorHandle(
      classes: labeller.classes, ignoreLabel: labeller.ignoreLabel)
    var progress = ProgressBar(title: "evaluate", count: frameCount)
    for index in 0..<frameCount {
      let (frame, truth) = try read(index)
      try evaluator.add(labels: try labeller.label(frame), truth: truth)
      progress.update(finished: index + 1)
    }
    progress.clear()
    let result = try evaluator.result()
    guard result.pixelCount > 0 else {
      throw Failure("no pixel counts: all truth in \(truthPath) is ignored or above the classes")
    }
    return result
  }
}
