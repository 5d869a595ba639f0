// The frames behind --input in, an adapter that has them, or can read them, out.
import Foundation

/// An adapter, its frames and its teacher.
final class AdaptationTarget {
  let adapter: AdapterHandle
  let frameCount: Int
  private let reader: FrameReader

  /// - Parameters:
  ///   - input: an image, a directory of images, or a video.
  ///   - choice: which of its frames.
  ///   - teacher: a network, or a directory of predictions; nil = the model itself.
  ///   - model: what is adapted.
  ///   - settings: how.
  ///   - size: that the network works on.
  ///   - shared: threads, precision, memory limit.
  /// - Throws: `Failure` where a frame or a prediction cannot be read.
  init(
    input: String, choice: FrameChoice, teacher: String?, model: ModelHandle,
    settings: AdapterSettings, size: PixelSize?, shared: SharedOptions
  ) throws(Failure) {
    reader = try FrameReader(path: input, choice: choice, threadCount: shared.threads)
    let isFolder = teacher.map(Folder.exists) ?? false
    if isFolder, reader.kind == .directory { try reader.checkStemsDiffer() }
    func makeAdapter() throws(Failure) -> AdapterHandle {
      try AdapterHandle(model: model, settings: settings, size: size, shared: shared)
    }
    var holder: AdapterHandle? = try makeAdapter()
    var frame = Frame()
    var stems: [String] = []
    var byteCount: UInt64 = 0
    var progress = ProgressBar(title: "read", count: reader.frameCount)
    while try reader.read(into: &frame) {
      stems.append(frame.stem)
      byteCount += UInt64(frame.pixels.count)
      if let adapter = holder {
        let fits = byteCount <= Self.byteLimit(shared) ? try adapter.add(frame) : false
        if !fits { holder = nil }
      }
      progress.update(finished: stems.count)
    }
    progress.clear()
    frameCount = stems.count
    if let holder {
      adapter = holder
    } else {
      adapter = try makeAdapter()
      try adapter.setSource(FrameFeed(reader, frameCount: stems.count))
    }
    guard let teacher else { return }
    if isFolder {
      try adapter.setTeacher(try StoredPredictions(directory: teacher, stems: stems))
    } else {
      try adapter.setTeacher(try ModelHandle(path: teacher))
    }
  }

  /// Frame `index` of those that were read.
  func read(_ index: Int) throws(Failure) -> Frame {
    var frame = Frame()
    guard try reader.read(index, into: &frame) else {
      throw Failure("\(reader.path): frame \(index) is gone")
    }
    return frame
  }

  /// What frames may take; under a memory limit the library decides.
  private static func byteLimit(_ shared: SharedOptions) -> UInt64 {
    shared.memoryLimit.bytes > 0 ? .max : ProcessInfo.processInfo.physicalMemory / 2
  }
}
