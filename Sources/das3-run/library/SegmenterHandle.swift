// A model and the shared options in, a segmenter for frames out.
import CDas3

/// What the library has prepared; `multiplyAdds` are those of one frame.
struct Workload {
  let size: PixelSize
  let threadCount: Int
  let precision: Precision
  let peakBytes: UInt64
  let multiplyAdds: Double
}

/// Owns a `das3_segmenter`, and makes a new one when frames need another size.
@safe
final class SegmenterHandle {
  private var pointer: OpaquePointer
  private var model: ModelHandle
  private let wantedSize: PixelSize?
  private let shared: SharedOptions
  /// The size that the library was given; nil = each frame's own size.
  private var size: PixelSize?
  private var notedSizes: Set<PixelSize> = []

  init(model: ModelHandle, size: PixelSize?, shared: SharedOptions) throws(Failure) {
    unsafe pointer = try Self.create(model, size, shared)
    self.model = model
    wantedSize = size
    self.size = size
    self.shared = shared
  }

  private static func create(
    _ model: ModelHandle, _ size: PixelSize?, _ shared: SharedOptions
  ) throws(Failure) -> OpaquePointer {
    var options = das3_segmenter_options(size, shared)
    var created: OpaquePointer?
    let status = unsafe das3_segmenter_create(&created, model.pointer, &options)
    try NetworkSize.check(status, size, model)
    guard let segmenter = unsafe created else {
      throw Failure("\(model.path): no segmenter was created")
    }
    return unsafe segmenter
  }

  /// Makes another segmenter where a frame is so large that it is scaled down.
  private func prepare(for frame: Frame) throws(Failure) {
    let wanted = NetworkSize(wanted: wantedSize, model: model, frame: frame.size).size
    if let wanted, wanted != wantedSize, notedSizes.insert(frame.size).inserted {
      NetworkSize.note(frame, works: wanted)
    }
    guard wanted != size else { return }
    let other = try unsafe Self.create(model, wanted, shared)
    unsafe das3_segmenter_free(pointer)
    unsafe pointer = other
    size = wanted
  }

  deinit {
    unsafe das3_segmenter_free(pointer)
  }

  /// Segments a frame into the buffers of `result`, which get room for it.
  func segment(_ frame: Frame, into result: inout Segmentation) throws(Failure) {
    try prepare(for: frame)
    try unsafe result.fill(of: frame) { image, buffers in
      unsafe das3_segmenter_run(pointer, &image, &buffers)
    }
  }

  /// Uses the weights of another model of the same graph from the next frame on.
  func setModel(_ model: ModelHandle) throws(Failure) {
    try Failure.check(unsafe das3_segmenter_set_model(pointer, model.pointer), model.path)
    self.model = model
  }

  /// Measures each step from now on.
  func measureSteps() throws(Failure) {
    try Failure.check(unsafe das3_segmenter_set_profile(pointer, 1), model.path)
  }

  /// What was measured.
  func profile() throws(Failure) -> StepProfile {
    try unsafe StepProfile { text in unsafe das3_segmenter_get_profile(pointer, &text) }
  }

  /// Describes what was prepared; the size is known after the first frame.
  func describe() throws(Failure) -> Workload {
    var info = unsafe das3_segmenter_info()
    unsafe info.struct_size = UInt32(MemoryLayout<das3_segmenter_info>.stride)
    try Failure.check(unsafe das3_segmenter_get_info(pointer, &info), model.path)
    return unsafe Workload(
      size: PixelSize(width: Int(info.width), height: Int(info.height)),
      threadCount: Int(info.threads), precision: Precision(code: info.precision) ?? .f32,
      peakBytes: info.peak_bytes, multiplyAdds: info.multiply_adds)
  }
}

extension das3_segmenter_options {
  /// Options for frames of a reader; the network works on `size`, nil = the frame's own.
  init(_ size: PixelSize?, _ shared: SharedOptions) {
    self.init()
    unsafe das3_segmenter_options_init(&self)
    threads = shared.wantedThreads
    height = Int32(size?.height ?? 0)
    width = Int32(size?.width ?? 0)
    format = Int32(DAS3_FORMAT_RGB8.rawValue)
    precision = shared.precision.code
    memory_limit = shared.memoryLimit.bytes
    ignore_scenes = shared.scenes == .off ? 1 : 0
  }
}

extension das3_image {
  /// A frame for the library, which gets `pixels`, those of the frame, for one call.
  init(_ frame: Frame, pixels: UnsafePointer<UInt8>?) {
    unsafe self.init()
    unsafe data = UnsafeRawPointer(pixels)
    unsafe width = Int32(frame.size.width)
    unsafe height = Int32(frame.size.height)
    unsafe stride_bytes = Int64(frame.strideBytes)
    unsafe format = Int32(DAS3_FORMAT_RGB8.rawValue)
  }
}

extension Segmentation {
  /// Lets the library fill the buffers, which get room for the frame.
  mutating func fill(
    of frame: Frame, _ run: (inout das3_image, inout das3_segmentation) -> das3_status
  ) throws(Failure) {
    resize(to: frame.size)
    let status = unsafe frame.pixels.withUnsafeBufferPointer { pixels in
      unsafe labels.withUnsafeMutableBufferPointer { labels in
        unsafe confidence.withUnsafeMutableBufferPointer { confidence in
          unsafe entropy.withUnsafeMutableBufferPointer { entropy in
            unsafe probabilities.withUnsafeMutableBufferPointer { probabilities in
              var image = unsafe das3_image(frame, pixels: pixels.baseAddress)
              var buffers = unsafe das3_segmentation()
              unsafe buffers.struct_size = UInt32(MemoryLayout<das3_segmentation>.stride)
              unsafe buffers.labels = labels.isEmpty ? nil : labels.baseAddress
              unsafe buffers.confidence = confidence.isEmpty ? nil : confidence.baseAddress
              unsafe buffers.entropy = entropy.isEmpty ? nil : entropy.baseAddress
              unsafe buffers.probabilities =
                probabilities.isEmpty ? nil : probabilities.baseAddress
              return unsafe run(&image, &buffers)
            }
          }
        }
      }
    }
    try Failure.check(status, frame.name)
  }
}
