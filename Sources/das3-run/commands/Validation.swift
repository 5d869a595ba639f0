// Frames and their truth in, how well models label them out.
import ArgumentParser

/// Images and their truth, which stay in memory as far as the limit allows.
final class Validation {
  private let reader: FrameReader
  private let truthReader: GrayReader
  private let truthPath: String
  private let reading: ReadingOptions
  private let keptByteLimit: Int
  private var coding: TruthCoding
  /// What LabelMe keeps there.
  private let drawnTruth: LabelMeFolder
  private var drawnLabels: [UInt8]?
  /// Pixels without truth, in all frames.
  private var ignored: IgnoredMasks
  private var kept: [Int: (frame: Frame, truth: [UInt8])] = [:]
  private var keptByteCount = 0
  /// Frames that could not be read, with their truth.
  private var leftOut: Set<Int> = []
  private var frame = Frame()

  /// Opens a directory of images, or one image, and the directory of their truth: PNGs, or files of
  /// LabelMe, which come first.
  ///
  /// `suffix` follows the image's name in the name of its truth; nil = whatever fits. At most
  /// `keptByteLimit` bytes of frames stay in memory; 0 where they are read once.
  init(
    input: String, truth: String, suffix: String?, coding: TruthCoding, ignored: IgnoredArea?,
    reading: ReadingOptions, keptByteLimit: Int
  ) throws(Failure) {
    reader = try FrameReader(path: input, reading: reading, threadCount: 1)
    guard reader.kind != .video else {
      throw Failure("\(input) is a video; expected images to compare with the truth of each")
    }
    truthReader = try GrayReader(directory: truth, contents: "truth", reading: reading)
    try truthReader.findSuffix(for: reader.stems, wanted: suffix, labels: coding.labels)
    truthPath = truth
    drawnTruth = try LabelMeFolder(directory: truth, classes: coding.classes)
    self.coding = coding
    self.ignored = IgnoredMasks(ignored)
    self.reading = reading
    self.keptByteLimit = keptByteLimit
  }

  var frameCount: Int { reader.frameCount ?? 1 }
  var leftOutCount: Int { leftOut.count }
  var evaluatedCount: Int { frameCount - leftOut.count }

  /// Whether `--keep-going` has skipped a frame that cannot be read.
  func isLeftOut(_ index: Int) -> Bool { leftOut.contains(index) }

  /// Reads frame `index` and its truth, height × width class numbers.
  func read(_ index: Int) throws(Failure) -> (frame: Frame, truth: [UInt8]) {
    if let pair = kept[index] { return pair }
    try load(index)
    return try keep(index)
  }

  private func load(_ index: Int) throws(Failure) {
    guard try reader.read(index, into: &frame) else {
      throw Failure("\(reader.path): frame \(index) is gone")
    }
    drawnLabels = try drawnTruth.labels(for: frame.stem, size: frame.size)
    guard drawnLabels == nil else { return }
    try truthReader.read(for: frame.stem, size: frame.size, as: coding.pixels)
  }

  /// Decodes the truth that was loaded last, and keeps the pair if there is room.
  private func keep(_ index: Int) throws(Failure) -> (frame: Frame, truth: [UInt8]) {
    var truth =
      if let drawnLabels { drawnLabels } else {
        try coding.classNumbers(truthReader.values, path: truthReader.path)
      }
    try ignored.apply(to: &truth, of: frame.size)
    let byteCount = frame.pixels.count + truth.count
    if keptByteCount + byteCount <= keptByteLimit {
      kept[index] = (frame, truth)
      keptByteCount += byteCount
    }
    return (frame, truth)
  }

  /// Compares the labels of all frames with their truth.
  func evaluate(_ labeller: Labeller) throws(Failure) -> EvaluatorHandle.Result {
    let evaluator = try EvaluatorHandle(
      classes: labeller.classes, ignoreLabel: labeller.ignoreLabel, subset: labeller.subset)
    var progress = ProgressBar(title: "evaluate", count: frameCount)
    for index in 0..<frameCount where !leftOut.contains(index) {
      guard let (frame, truth) = try readable(index) else { continue }
      try evaluator.add(labels: try labeller.label(frame), truth: truth)
      progress.update(finished: index + 1)
    }
    progress.clear()
    guard evaluatedCount > 0 else {
      throw Failure("\(reader.path): none of its \(frameCount) frames can be compared")
    }
    try coding.checkMeaning(of: truthPath)
    let result = try evaluator.result()
    guard result.pixelCount > 0 else {
      throw Failure(
        "no pixel counts: all truth in \(truthPath) is ignored"
          + (ignored.area == nil ? "" : ", or --ignore names it"))
    }
    return result
  }

  /// Reports how many frames were left out, and throws the exit code for it.
  func reportLeftOut() throws(ExitCode) {
    guard !leftOut.isEmpty else { return }
    Terminal.note("\(reader.path): \(counted(leftOut.count, "frame")) left out")
    throw ExitCode.partial
  }

  /// Reads a frame and its truth; nil where `--keep-going` skips a frame that cannot be read.
  ///
  /// Truth with values that have no meaning is an error all the same.
  private func readable(_ index: Int) throws(Failure) -> (frame: Frame, truth: [UInt8])? {
    if let pair = kept[index] { return pair }
    do throws(Failure) {
      try load(index)
    } catch {
      guard reading.keepGoing else { throw error }
      leftOut.insert(index)
      Terminal.note("left out: \(error.message)")
      return nil
    }
    return try keep(index)
  }
}

/// Measures the mIoU of several models on the same frames.
struct Measurement {
  let validation: Validation
  let labeller: Labeller

  /// How many bytes of decoded frames stay in memory.
  static let keptByteLimit = 1 << 30

  func measure(_ model: ModelHandle) throws(Failure) -> EvaluatorHandle.Result {
    try labeller.setModel(model)
    return try validation.evaluate(labeller)
  }
}
