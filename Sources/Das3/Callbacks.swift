import CDas3
import Das3Adapt
import Das3Graph
import Das3Runtime

/// Makes frames and teachers of the callbacks of the C header.
extension FrameSet {
  /// Reads frames through the caller's callback, one at a time.
  init(_ source: UnsafePointer<das3_frame_source>?, channelCount: Int) throws(Das3Error) {
    guard unsafe source != nil else { throw .argument("source is NULL") }
    let source = try unsafe VersionedStruct.read(
      source, defaults: das3_frame_source(), "source")
    guard let read = unsafe source.read else { throw .argument("source.read is NULL") }
    let (count, payload) = unsafe (Int(source.count), source.payload)
    guard (1...FrameSet.maximumCount).contains(count) else {
      throw .argument("source.count is \(count); expected 1 to \(FrameSet.maximumCount)")
    }
    self.init(count: count) { index, body throws(Das3Error) in
      var image = unsafe das3_image()
      guard unsafe read(Int64(index), &image, payload) == 0 else {
        throw .io("the source could not read frame \(index)")
      }
      do throws(Das3Error) {
        let frame = try unsafe Frame(&image)
        try frame.checkFinite(channelCount: channelCount)
        try body(frame)
      } catch {
        throw error.at("frame \(index)")
      }
    }
  }
}

/// A teacher whose predictions come from a callback of the caller.
@safe final class CallbackTeacher: Teacher {
  private let classCount: Int
  private let request: das3_teacher

  init(_ request: das3_teacher, classCount: Int) throws(Das3Error) {
    guard unsafe request.predict != nil else {
      throw .argument("teacher.model and teacher.predict are both NULL; expected one of them")
    }
    self.classCount = classCount
    unsafe self.request = request
  }

  func answer(_ index: Int, _ frame: Frame) throws(Das3Error) -> TeacherAnswer {
    var image = unsafe das3_image(frame)
    var prediction = unsafe das3_prediction()
    unsafe prediction.struct_size = UInt32(MemoryLayout<das3_prediction>.size)
    unsafe prediction.class_count = Int32(classCount)
    unsafe (prediction.height, prediction.width) = (Int32(frame.height), Int32(frame.width))
    guard let predict = unsafe request.predict,
      unsafe predict(Int64(index), &image, &prediction, request.payload) == 0
    else {
      throw .io("the teacher could not predict frame \(index)")
    }
    let (height, width) = unsafe (Int(prediction.height), Int(prediction.width))
    guard (1...Frame.maximumSize).contains(height), (1...Frame.maximumSize).contains(width) else {
      throw .shape("the teacher's prediction of frame \(index) is \(width)x\(height) pixels")
    }
    let count = height * width
    if let values = unsafe prediction.probabilities {
      return .probabilities(
        unsafe Array(UnsafeBufferPointer(start: values, count: classCount * count)),
        height: height, width: width)
    }
    if let values = unsafe prediction.half_probabilities {
      let halves = unsafe UnsafeBufferPointer(start: values, count: classCount * count)
      return .probabilities(
        unsafe halves.map { Float(Float16(bitPattern: $0)) }, height: height, width: width)
    }
    guard let labels = unsafe prediction.labels, let confidence = unsafe prediction.confidence
    else {
      throw .argument(
        "the teacher gave frame \(index) neither probabilities nor labels with confidence")
    }
    return .labels(
      unsafe Array(UnsafeBufferPointer(start: labels, count: count)),
      confidence: unsafe Array(UnsafeBufferPointer(start: confidence, count: count)),
      height: height, width: width)
  }
}

extension das3_image {
  fileprivate init(_ frame: Frame) {
    unsafe self.init(
      data: frame.data, width: Int32(frame.width), height: Int32(frame.height),
      stride_bytes: Int64(frame.strideBytes), format: frame.format.rawValue)
  }
}
