import CDas3
import Das3
import Testing

/// What the last call on this thread had to say.
func lastError() -> String { das3_last_error().map { String(cString: $0) } ?? "NULL" }

/// A model from bytes in memory or a file, ended with the value; models never change.
final class TestModel: @unchecked Sendable {
  let handle: OpaquePointer?
  let status: das3_status
  let message: String

  init(_ bytes: [UInt8], options: das3_model_options? = nil) {
    // Not NULL before, so that a failure has something to clear.
    var handle = OpaquePointer(bitPattern: 8)
    if var options {
      status = das3_model_load_bytes(&handle, bytes, bytes.count, &options)
    } else {
      status = das3_model_load_bytes(&handle, bytes, bytes.count, nil)
    }
    message = lastError()
    self.handle = handle
  }

  init(path: String, options: das3_model_options? = nil) {
    var handle = OpaquePointer(bitPattern: 8)
    if var options {
      status = das3_model_load(&handle, path, &options)
    } else {
      status = das3_model_load(&handle, path, nil)
    }
    message = lastError()
    self.handle = handle
  }

  /// What a function that makes models leaves in its out parameter.
  init(_ make: (UnsafeMutablePointer<OpaquePointer?>) -> das3_status) {
    var handle = OpaquePointer(bitPattern: 8)
    status = make(&handle)
    message = lastError()
    self.handle = handle
  }

  deinit { das3_model_free(handle) }

  /// All parameters, one after the other.
  var parameters: [Float] {
    var values = [Float](repeating: .nan, count: Int(info.parameter_count))
    das3_model_get_parameters(handle, &values, Int64(values.count))
    return values
  }

  /// The same, to be compared exactly.
  var bits: [UInt32] { parameters.map(\.bitPattern) }

  /// One of its parameters.
  struct Tensor {
    let name: String
    /// Where its values are.
    let range: Range<Int>
    let isStatistic: Bool
  }

  var tensors: [Tensor] {
    (0..<info.parameter_tensor_count).map { index in
      var entry = das3_parameter()
      entry.struct_size = UInt32(MemoryLayout<das3_parameter>.size)
      #expect(das3_model_get_parameter(handle, index, &entry) == DAS3_OK)
      return Tensor(
        name: String(cString: entry.name),
        range: Int(entry.offset)..<Int(entry.offset + entry.count),
        isStatistic: entry.is_statistic != 0)
    }
  }

  func with(_ values: [Float]) -> TestModel {
    TestModel { das3_model_with_parameters($0, handle, values, Int64(values.count)) }
  }

  static func merge(_ models: [TestModel], _ weights: [Double]? = nil) -> TestModel {
    let handles = models.map(\.handle)
    return TestModel { das3_model_merge($0, handles, weights, Int32(handles.count)) }
  }

  var info: das3_model_info {
    var info = das3_model_info()
    info.struct_size = UInt32(MemoryLayout<das3_model_info>.size)
    das3_model_get_info(handle, &info)
    return info
  }

  static func options() -> das3_model_options {
    var options = das3_model_options()
    das3_model_options_init(&options)
    return options
  }
}

/// A segmenter of one thread unless told otherwise, ended with the value.
final class TestSegmenter {
  let handle: OpaquePointer?
  let status: das3_status
  let message: String

  init(_ model: TestModel, options: das3_segmenter_options = options()) {
    var handle = OpaquePointer(bitPattern: 8)
    var options = options
    status = das3_segmenter_create(&handle, model.handle, &options)
    message = lastError()
    self.handle = handle
  }

  deinit { das3_segmenter_free(handle) }

  static func options(height: Int32 = 0, width: Int32 = 0) -> das3_segmenter_options {
    var options = das3_segmenter_options()
    das3_segmenter_options_init(&options)
    options.threads = 1
    options.height = height
    options.width = width
    return options
  }

  /// Zeros where the call failed.
  var info: das3_segmenter_info {
    var info = das3_segmenter_info()
    info.struct_size = UInt32(MemoryLayout<das3_segmenter_info>.size)
    _ = das3_segmenter_get_info(handle, &info)
    return info
  }

  /// Labels of one picture; nil where the call failed.
  func labels(_ picture: TestPicture) -> [UInt8]? {
    var labels = [UInt8](repeating: 254, count: picture.height * picture.width)
    let status = labels.withUnsafeMutableBufferPointer { buffer in
      run(picture) { $0.labels = buffer.baseAddress }
    }
    return status == DAS3_OK ? labels : nil
  }

  /// classes × height × width; nil where the call failed.
  func probabilities(_ picture: TestPicture, classCount: Int) -> [Float]? {
    var values = [Float](repeating: -1, count: classCount * picture.height * picture.width)
    let status = values.withUnsafeMutableBufferPointer { buffer in
      run(picture) { $0.probabilities = buffer.baseAddress }
    }
    return status == DAS3_OK ? values : nil
  }

  func run(_ picture: TestPicture, _ want: (inout das3_segmentation) -> Void) -> das3_status {
    var result = das3_segmentation()
    result.struct_size = UInt32(MemoryLayout<das3_segmentation>.size)
    want(&result)
    return picture.withImage { image in
      var image = image
      return das3_segmenter_run(handle, &image, &result)
    }
  }
}
