import Das3Graph

/// Where the labels of a set of frames lie while they are made and afterwards: one set of labels at a
/// time, made again in the same memory.
package final class LabelStore {
  /// Frames whose labels it has room for.
  private let capacity: Int
  /// Frames that there are.
  package private(set) var frameCount: Int
  /// Of the scores: 1×C×h×w.
  package let shape: Shape
  /// Labels, then marks, of each frame.
  let records: RecordStore
  /// Probabilities of the labels of each frame, needed until the thresholds are known.
  let confidences: RecordStore

  /// - Parameters:
  ///   - frameCount: how many frames there are.
  ///   - shape: of the scores of one.
  ///   - memoryLimit: bytes beyond which labels go to disk.
  ///   - directory: on that disk; nil = $TMPDIR or /var/tmp.
  /// - Throws: `.io` where that cannot be written.
  package init(
    frameCount: Int, shape: Shape, memoryLimit: Int = .max, directory: String? = nil
  ) throws(Das3Error) {
    self.frameCount = frameCount
    capacity = frameCount
    self.shape = shape
    let pixelCount = shape[2] * shape[3]
    records = try RecordStore(
      recordCount: frameCount, byteCount: pixelCount * (1 + Prediction.markByteCount(shape)),
      memoryLimit: memoryLimit, directory: directory)
    confidences = try RecordStore(
      recordCount: frameCount, byteCount: pixelCount * MemoryLayout<Float>.stride,
      memoryLimit: memoryLimit - records.memoryByteCount, directory: directory)
  }

  /// Whether there is room for so many frames, which there are from now on.
  func holds(_ count: Int) -> Bool {
    guard count <= capacity else { return false }
    frameCount = count
    return true
  }

  /// Takes the physical memory now.
  func populate() {
    records.populate()
    confidences.populate()
  }

  /// Bytes held in memory.
  package var memoryByteCount: Int { records.memoryByteCount + confidences.memoryByteCount }
}
