// A model, frames and the shared options in, training steps out.
import CDas3

/// Owns a `das3_adapter`.
@safe
final class AdapterHandle {
  private let pointer: OpaquePointer
  private let modelPath: String

  init(model: ModelHandle, size: PixelSize, shared: SharedOptions) throws(Failure) {
    var options = unsafe das3_adapter_options()
    unsafe das3_adapter_options_init(&options)
    unsafe options.threads = UInt32(shared.threads)
    unsafe options.height = Int32(size.height)
    unsafe options.width = Int32(size.width)
    unsafe options.precision = shared.precision.code
    unsafe options.memory_limit = shared.memoryLimit.bytes
    // A plain step: the frame as it is, nothing looked at between steps.
    unsafe options.method = Int32(DAS3_METHOD_ENTROPY.rawValue)
    unsafe options.optimizer = Int32(DAS3_OPTIMIZER_SGD.rawValue)
    unsafe options.steps_a = .max
    unsafe options.flip = 0
    var created: OpaquePointer?
    try Failure.check(unsafe das3_adapter_create(&created, model.pointer, &options), model.path)
    guard let adapter = unsafe created else {
      throw Failure("\(model.path): no adapter was created")
    }
    unsafe pointer = adapter
    modelPath = model.path
  }

  deinit {
    unsafe das3_adapter_free(pointer)
  }

  /// Copies a frame to learn from.
  func add(_ frame: Frame) throws(Failure) {
    let status = unsafe frame.pixels.withUnsafeBufferPointer { pixels in
      var image = unsafe das3_image(frame, pixels: pixels.baseAddress)
      return unsafe das3_adapter_add_frame(pointer, &image)
    }
    try Failure.check(status, frame.name)
  }

  /// One optimiser step.
  func step() throws(Failure) {
    try Failure.check(unsafe das3_adapter_step(pointer, nil), modelPath)
  }

  /// What was prepared.
  func describe() throws(Failure) -> Workload {
    var info = unsafe das3_adapter_info()
    unsafe info.struct_size = UInt32(MemoryLayout<das3_adapter_info>.stride)
    try Failure.check(unsafe das3_adapter_get_info(pointer, &info), modelPath)
    return unsafe Workload(
      size: PixelSize(width: Int(info.width), height: Int(info.height)),
      threadCount: Int(info.threads), precision: Precision(code: info.precision) ?? .f32,
      peakBytes: info.peak_bytes, multiplyAdds: info.multiply_adds)
  }
}
