// The frames of --input in, an adapter that has a copy of them, or can read them, out.
import Foundation

/// An adapter, its frames and its teacher.
final class AdaptationTarget {
  let adapter: AdapterHandle
  let reader: FrameReader
  /// Indices in the reader of the frames that are learned from; damaged frames are not.
  private let indices: [Int]
  /// Some of the frames of a stream, which cannot be read again.
  private let kept: [Frame]

  /// Reads the frames of `input`: an image, images, a video, or a stream to its end.
  ///
  /// `teacher` is a network or a directory of predictions; nil = the model itself.
  init(
    input: String, choice: FrameChoice, streaming: StreamOptions, reading: ReadingOptions,
    teacher: String?, model: ModelHandle, settings: AdapterSettings, ignored: IgnoredArea?,
    size: PixelSize?,
    shared: SharedOptions
  ) throws(Failure) {
    reader = try FrameReader(
      path: input, choice: choice, reading: reading, threadCount: shared.threadCount,
      stream: streaming)
    let stream = FrameStream(reader, limit: choice.limit, drop: streaming.drop)
    let isFolder = teacher.map(Folder.exists) ?? false
    if isFolder, reader.kind == .directory { try reader.checkStemsDiffer() }
    // This reports wrong options before any frame is read.
    var holder: AdapterHandle? = try AdapterHandle(
      model: model, settings: settings, size: size, shared: shared)
    var frame = Frame()
    var firstSize: PixelSize?
    func makeAdapter() throws(Failure) -> AdapterHandle {
      let size = NetworkSize(wanted: size, model: model, frame: firstSize).size
      return try AdapterHandle(model: model, settings: settings, size: size, shared: shared)
    }
    var stems: [String] = []
    var indices: [Int] = []
    var byteCount: UInt64 = 0
    var kept = KeptFrames()
    var progress = ProgressBar(title: "read", count: stream.frameCount)
    while try stream.read(into: &frame) {
      // The adapter would learn the damage, too.
      guard !frame.isDamaged else { continue }
      if firstSize == nil {
        firstSize = frame.size
        if let own = NetworkSize(wanted: size, model: model, frame: frame.size).size, own != size {
          NetworkSize.note(frame, works: own)
          holder = try makeAdapter()
        }
      }
      indices.append(reader.lastIndex)
      stems.append(frame.stem)
      byteCount += UInt64(frame.pixels.count)
      if let adapter = holder {
        let fits = byteCount <= Self.byteLimit(shared) ? try adapter.add(frame) : false
        if !fits { holder = nil }
      }
      if reader.live != nil {
        kept.add(frame)
        guard holder != nil else {
          throw Failure(
            "\(input): memory is full after \(counted(stems.count, "frame")), and a stream is there "
              + "only once; fewer of them (--limit, --every, --rate) would fit, or a file")
        }
      }
      progress.update(finished: stems.count)
    }
    progress.clear()
    guard !stems.isEmpty else { throw Failure("\(input): no frame is whole; nothing is learned") }
    self.indices = indices
    self.kept = kept.frames
    if let holder {
      adapter = holder
    } else {
      adapter = try makeAdapter()
      try adapter.setSource(FrameFeed(reader, indices: indices))
    }
    if let ignored, let firstSize { try adapter.ignore(ignored.mask(for: firstSize)) }
    guard let teacher else { return }
    if isFolder {
      try adapter.setTeacher(
        try StoredPredictions(directory: teacher, stems: stems, reading: reading))
    } else {
      try FileDiagnosis.checkNetwork(teacher)
      try adapter.setTeacher(try ModelHandle(path: teacher))
    }
  }

  var frameCount: Int { indices.count }

  /// Of how many frames `read` gives one.
  var readableCount: Int { reader.live == nil ? indices.count : kept.count }

  /// Reads a frame of those that are learned from; of a stream, one that was kept.
  func read(_ index: Int) throws(Failure) -> Frame {
    guard reader.live == nil else { return kept[index] }
    var frame = Frame()
    guard try reader.read(indices[index], into: &frame) else {
      throw Failure("\(reader.path): frame \(index) is gone")
    }
    return frame
  }

  /// How much memory frames may take; with a memory limit the library decides that.
  private static func byteLimit(_ shared: SharedOptions) -> UInt64 {
    shared.memoryLimit.bytes > 0 ? .max : ProcessInfo.processInfo.physicalMemory / 2
  }
}
