import CDas3
import Das3Graph
import Das3Runtime
import Glibc

/// What `das3_segmenter` points to.
final class SegmenterObject {
  let segmenter: Segmenter
  /// The only format that is accepted; 0 = any.
  let format: Int32
  let backendName: CString
  /// Lent to the caller; nil = nothing is.
  var profile: CString?

  init(_ segmenter: Segmenter, format: Int32) {
    self.segmenter = segmenter
    self.format = format
    backendName = CString(segmenter.options.backend.rawValue)
  }
}

/// The checked content of `das3_segmenter_options`.
struct SegmenterRequest {
  let size: (height: Int, width: Int)?
  let format: Int32
  private let execution: ExecutionOptions
  private let memoryLimit: UInt64
  private let usesScenes: Bool

  init(_ pointer: UnsafePointer<das3_segmenter_options>?) throws(Das3Error) {
    let options = try unsafe VersionedStruct.read(
      pointer, defaults: das3_segmenter_options(), "options")
    guard (0...8).contains(options.format) else {
      throw .argument("format is \(options.format); expected a das3_format or 0")
    }
    size = try networkSize(height: options.height, width: options.width)
    format = options.format
    execution = try executionOptions(threads: options.threads, precision: options.precision)
    memoryLimit = options.memory_limit
    guard options.ignore_scenes <= 1 else {
      throw .argument("ignore_scenes is \(options.ignore_scenes); expected 0 or 1")
    }
    usesScenes = options.ignore_scenes == 0
  }

  /// A segmenter of one set of statistics where the model learns from a stream, which it follows.
  func segmenter(of model: SegmentationModel, isOnline: Bool = false) throws(Das3Error)
    -> Segmenter
  {
    try Segmenter(
      model, size: size, options: execution, memoryLimit: memoryLimit,
      usesScenes: usesScenes && !isOnline)
  }
}

/// Reads what a function takes that labels a frame.
///
/// - Parameters:
///   - image: of the caller, whose pixels stay valid during the call.
///   - format: the only one that is accepted; 0 = any.
///   - result: of the caller.
/// - Returns: the frame, and the buffers for what is wanted of it.
/// - Throws: `.argument`.
func segmentation(
  of image: UnsafePointer<das3_image>?, format: Int32,
  _ result: UnsafeMutablePointer<das3_segmentation>?
) throws(Das3Error) -> (Frame, Segmenter.Results) {
  let frame = try unsafe Frame(image)
  guard let result = unsafe result else { throw .argument("result is NULL") }
  let wanted = try unsafe VersionedStruct.read(
    UnsafePointer(result), defaults: das3_segmentation(), "result")
  guard format == 0 || format == frame.format.rawValue else {
    throw .argument("image format is \(frame.format.rawValue); the segmenter takes only \(format)")
  }
  return (
    frame,
    unsafe Segmenter.Results(
      labels: wanted.labels, confidence: wanted.confidence, entropy: wanted.entropy,
      probabilities: wanted.probabilities)
  )
}

@c @implementation
public func das3_segmenter_options_init(_ options: UnsafeMutablePointer<das3_segmenter_options>?) {
  unsafe VersionedStruct.fill(options, with: das3_segmenter_options())
}

@c @implementation
public func das3_segmenter_options_init_sized(
  _ options: UnsafeMutablePointer<das3_segmenter_options>?, _ structSize: UInt32
) {
  unsafe VersionedStruct.fill(options, with: das3_segmenter_options(), structSize)
}

@c @implementation
public func das3_segmenter_create(
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ model: OpaquePointer?,
  _ options: UnsafePointer<das3_segmenter_options>?
) -> das3_status {
  unsafe status(creating: out) { () throws(Das3Error) in
    let object = try unsafe Handle.lend(model, as: ModelObject.self, "model")
    let request = try unsafe SegmenterRequest(options)
    return SegmenterObject(try request.segmenter(of: object.model), format: request.format)
  }
}

@c @implementation
public func das3_segmenter_run(
  _ segmenter: OpaquePointer?, _ image: UnsafePointer<das3_image>?,
  _ result: UnsafeMutablePointer<das3_segmentation>?
) -> das3_status {
  unsafe status(of: segmenter, "segmenter") { (object: SegmenterObject) throws(Das3Error) in
    let (frame, results) = try unsafe segmentation(of: image, format: object.format, result)
    try object.segmenter.segment(frame, into: results)
  }
}

@c @implementation
public func das3_segmenter_prepare_model(_ segmenter: OpaquePointer?, _ model: OpaquePointer?)
  -> das3_status
{
  unsafe status(of: segmenter, "segmenter") { (object: SegmenterObject) throws(Das3Error) in
    let other = try unsafe Handle.lend(model, as: ModelObject.self, "model")
    try object.segmenter.prepare(other.model)
  }
}

@c @implementation
public func das3_segmenter_set_model(_ segmenter: OpaquePointer?, _ model: OpaquePointer?)
  -> das3_status
{
  unsafe status(of: segmenter, "segmenter") { (object: SegmenterObject) throws(Das3Error) in
    let other = try unsafe Handle.lend(model, as: ModelObject.self, "model")
    try object.segmenter.setModel(other.model)
  }
}

@c @implementation
public func das3_segmenter_get_info(
  _ segmenter: OpaquePointer?, _ info: UnsafeMutablePointer<das3_segmenter_info>?
) -> das3_status {
  unsafe status(of: segmenter, "segmenter") { (object: SegmenterObject) throws(Das3Error) in
    let segmenter = object.segmenter
    let value = unsafe das3_segmenter_info(
      struct_size: 0, height: Int32(segmenter.size?.height ?? 0),
      width: Int32(segmenter.size?.width ?? 0), threads: Int32(segmenter.options.threads),
      precision: segmenter.options.precision.code, reserved: 0,
      peak_bytes: UInt64(segmenter.byteCount), multiply_adds: segmenter.multiplyAdds,
      backend: object.backendName.start, scene_count: Int32(segmenter.sceneCount),
      scene: Int32(segmenter.scene ?? -1))
    try unsafe VersionedStruct.write(value, to: info, "info")
  }
}

@c @implementation
public func das3_segmenter_free(_ segmenter: OpaquePointer?) {
  unsafe Handle.end(segmenter, as: SegmenterObject.self)
}
