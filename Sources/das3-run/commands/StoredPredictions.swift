// Files of predictions in, the callback by which an adapter reads them out.
import CDas3

/// The predictions of a teacher: `NAME.npy`, or `labels/NAME.png` and `confidence/NAME.png` as
/// `das3-run segment --save labels,confidence` writes them.
@safe
final class StoredPredictions {
  /// Why the last prediction could not be read.
  private(set) var failure: Failure?

  private let directory: String
  /// The stems of the frames, by index.
  private let stems: [String]
  private let labels: GrayReader?
  private let confidence: GrayReader?
  private let lentProbabilities = LentBytes()
  private let lentLabels = LentBytes()
  private let lentConfidence = LentBytes()

  /// Throws where a frame has no prediction.
  init(directory: String, stems: [String], reading: ReadingOptions) throws(Failure) {
    self.directory = directory
    self.stems = stems
    let labelFolder = Path.join(directory, "labels")
    guard Folder.exists(labelFolder) else {
      (labels, confidence) = (nil, nil)
      for stem in stems where !SystemFile.exists(path(of: stem)) {
        throw Failure(
          "\(directory) has no prediction of frame \(stem): expected \(stem).npy, or "
            + "labels/\(stem).png and confidence/\(stem).png")
      }
      return
    }
    let labels = try GrayReader(
      directory: labelFolder, contents: "predicted labels", reading: reading)
    let confidence = try GrayReader(
      directory: Path.join(directory, "confidence"), contents: "confidence", reading: reading)
    for stem in stems {
      try labels.check(for: stem)
      try confidence.check(for: stem)
    }
    (self.labels, self.confidence) = (labels, confidence)
  }

  /// The callback for the library; it may be called only while this object lives.
  var teacher: das3_teacher {
    var teacher = unsafe das3_teacher()
    unsafe teacher.struct_size = UInt32(MemoryLayout<das3_teacher>.stride)
    unsafe teacher.payload = Unmanaged.passUnretained(self).toOpaque()
    unsafe teacher.predict = { index, _, prediction, payload in
      guard let prediction = unsafe prediction, let payload = unsafe payload else { return 1 }
      let stored = unsafe Unmanaged<StoredPredictions>.fromOpaque(payload).takeUnretainedValue()
      return unsafe stored.predict(Int(index), into: &prediction.pointee) ? 0 : 1
    }
    return unsafe teacher
  }

  private func predict(_ index: Int, into prediction: inout das3_prediction) -> Bool {
    do throws(Failure) {
      guard stems.indices.contains(index) else { throw Failure("\(directory): no frame \(index)") }
      if labels == nil {
        try unsafe readProbabilities(of: stems[index], into: &prediction)
      } else {
        try unsafe readLabels(of: stems[index], into: &prediction)
      }
      return true
    } catch {
      failure = error
      return false
    }
  }

  private func readProbabilities(
    of stem: String, into prediction: inout das3_prediction
  ) throws(Failure) {
    let array = try NumpyArray(path: path(of: stem))
    let classCount = Int(unsafe prediction.class_count)
    guard array.shape[0] == classCount else {
      throw Failure(
        "\(path(of: stem)) holds \(array.shape[0]) classes; the model has \(classCount)")
    }
    lentProbabilities.fill(array.bytes)
    unsafe prediction.height = Int32(array.shape[1])
    unsafe prediction.width = Int32(array.shape[2])
    switch array.element {
    case .float16:
      unsafe prediction.half_probabilities = lentProbabilities.pointer(to: UInt16.self)
    case .float32: unsafe prediction.probabilities = lentProbabilities.pointer(to: Float.self)
    }
  }

  private func readLabels(
    of stem: String, into prediction: inout das3_prediction
  ) throws(Failure) {
    let size = unsafe PixelSize(width: Int(prediction.width), height: Int(prediction.height))
    try labels?.read(for: stem, size: size)
    try confidence?.read(for: stem, size: size)
    lentLabels.fill(try labels?.bytes() ?? [])
    lentConfidence.fill(try confidence?.bytes() ?? [])
    unsafe prediction.labels = lentLabels.pointer(to: UInt8.self)
    unsafe prediction.confidence = lentConfidence.pointer(to: UInt8.self)
  }

  private func path(of stem: String) -> String {
    Path.join(directory, stem + ".npy")
  }
}
