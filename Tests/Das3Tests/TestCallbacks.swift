import CDas3
import Das3
import Testing

/// A source of pictures for an adapter, whose callback can be followed and made to fail.
final class TestSource {
  let images: [das3_image]
  let count: Int
  /// Frames that were asked for.
  private(set) var reads: [Int] = []
  /// Called before each reading; false makes it fail.
  var willRead: (Int) -> Bool = { _ in true }
  /// Changes what is answered.
  var change: (inout das3_image) -> Void = { _ in }
  private let bytes: [UnsafeMutableBufferPointer<UInt8>]

  /// `count` frames: the pictures again and again.
  init(_ pictures: [TestPicture] = TestRun.pictures, count: Int? = nil) {
    let bytes = pictures.map { picture in
      let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: picture.bytes.count)
      _ = buffer.initialize(from: picture.bytes)
      return buffer
    }
    self.bytes = bytes
    images = zip(pictures, bytes).map { picture, bytes in
      picture.withImage { image in
        var image = image
        image.data = UnsafeRawPointer(bytes.baseAddress)
        return image
      }
    }
    self.count = count ?? pictures.count
  }

  deinit { bytes.forEach { $0.deallocate() } }

  /// Only for as long as this object lives.
  var record: das3_frame_source {
    var record = das3_frame_source()
    record.struct_size = UInt32(MemoryLayout<das3_frame_source>.size)
    record.count = Int64(count)
    record.payload = Unmanaged.passUnretained(self).toOpaque()
    record.read = { index, image, payload in
      guard let image, let payload else { return 1 }
      let source = Unmanaged<TestSource>.fromOpaque(payload).takeUnretainedValue()
      source.reads.append(Int(index))
      guard source.willRead(Int(index)) else { return 7 }
      image.pointee = source.images[Int(index) % source.images.count]
      source.change(&image.pointee)
      return 0
    }
    return record
  }

  func set(in adapter: TestAdapter) -> das3_status {
    var record = record
    return das3_adapter_set_source(adapter.handle, &record)
  }
}

/// A teacher for an adapter: `answer` fills in the prediction, or returns false to fail.
final class TestTeacher {
  let answer: (Int, das3_image, inout das3_prediction) -> Bool
  private(set) var asked: [Int] = []

  init(_ answer: @escaping (Int, das3_image, inout das3_prediction) -> Bool) {
    self.answer = answer
  }

  /// Only for as long as this object lives.
  var record: das3_teacher {
    var record = das3_teacher()
    record.struct_size = UInt32(MemoryLayout<das3_teacher>.size)
    record.payload = Unmanaged.passUnretained(self).toOpaque()
    record.predict = { index, image, prediction, payload in
      guard let image, let prediction, let payload else { return 1 }
      let teacher = Unmanaged<TestTeacher>.fromOpaque(payload).takeUnretainedValue()
      teacher.asked.append(Int(index))
      return teacher.answer(Int(index), image.pointee, &prediction.pointee) ? 0 : -1
    }
    return record
  }

  func set(in adapter: TestAdapter) -> das3_status {
    var record = record
    return das3_adapter_set_teacher(adapter.handle, &record)
  }
}
