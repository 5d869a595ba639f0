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

  init(_ segmenter: Segmenter, format: Int32) {
    self.segmenter = segmenter
    self.format = format
    backendName = CString(segmenter.options.backend.rawValue)
  }
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
    let request = try unsafe VersionedStruct.read(
      options, defaults: das3_segmenter_options(), "options")
    guard (0...8).contains(request.format) else {
      throw .argument("format is \(request.format); expected a das3_format or 0")
    }
    let segmenter = try Segmenter(
      object.model, size: networkSize(height: request.height, width: request.width),
      options: executionOptions(threads: request.threads, precision: request.precision),
      memoryLimit: request.memory_limit)
    return SegmenterObject(segmenter, format: request.format)
  }
}

@c @implementation
public func das3_segmenter_run(
  _ segmenter: OpaquePointer?, _ image: UnsafePointer<das3_image>?,
  _ result: UnsafeMutablePointer<das3_segmentation>?
) -> das3_status {
  unsafe status(of: segmenter, "segmenter") { (object: SegmenterObject) throws(Das3Error) in
    let frame = try unsafe Frame(image)
    guard let result = unsafe result else { throw .argument("result is NULL") }
    let wanted = try unsafe VersionedStruct.read(
      UnsafePointer(result), defaults: das3_segmentation(), "result")
    guard object.format == 0 || object.format == frame.format.rawValue else {
      throw .argument(
        "image format is \(frame.format.rawValue); the segmenter takes only \(object.format)")
    }
    try object.segmenter.segment(
      frame,
      into: unsafe Segmenter.Results(
        labels: wanted.labels, confidence: wanted.confidence, entropy: wanted.entropy,
        probabilities: wanted.probabilities))
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
      precision: segmenter.options.usesBFloat16 ? 1 : 0, reserved: 0,
      peak_bytes: UInt64(segmenter.byteCount), multiply_adds: segmenter.multiplyAdds,
      backend: object.backendName.start)
    try unsafe VersionedStruct.write(value, to: info, "info")
  }
}

@c @implementation
public func das3_segmenter_free(_ segmenter: OpaquePointer?) {
  unsafe Handle.end(segmenter, as: SegmenterObject.self)
}
