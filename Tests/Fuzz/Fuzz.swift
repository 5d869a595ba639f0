import CDas3
import Das3
import Das3TestSupport
import Glibc

/// What libFuzzer calls: a recipe's network is loaded, labels a frame and is adapted by one step.
///
/// A trap, a sanitizer's finding, a hang, too much memory and an answer that breaks the header's
/// word end the program; libFuzzer then keeps the recipe. DAS3_FUZZ_SAVE names a file for the network.
@c(LLVMFuzzerTestOneInput)
public func fuzzTestOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
  let given = recipe(data, size)
  let bytes = given.serialized()
  if let path = getenv("DAS3_FUZZ_SAVE"), let file = fopen(path, "wb") {
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
  }
  exercise(bytes, method: given.choice)
  return 0
}

/// Structure-aware: another recipe, not other bytes.
@c(LLVMFuzzerCustomMutator)
public func fuzzMutate(
  _ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ capacity: Int, _ seed: UInt32
) -> Int {
  var next = recipe(data, size)
  next.mutate(seed: UInt64(seed))
  return write(next, data, capacity)
}

/// The changes of one behind those of another.
@c(LLVMFuzzerCustomCrossOver)
public func fuzzCrossOver(
  _ first: UnsafePointer<UInt8>, _ firstSize: Int, _ second: UnsafePointer<UInt8>,
  _ secondSize: Int, _ out: UnsafeMutablePointer<UInt8>, _ capacity: Int, _ seed: UInt32
) -> Int {
  var both = recipe(first, firstSize)
  both.seeds = both.seeds.prefix(1 + both.seeds.count / 2) + recipe(second, secondSize).seeds
  return write(both, out, capacity)
}

private func recipe(_ data: UnsafePointer<UInt8>, _ size: Int) -> MutationRecipe {
  MutationRecipe(bytes: Array(UnsafeBufferPointer(start: data, count: size)))
}

private func write(
  _ recipe: MutationRecipe, _ out: UnsafeMutablePointer<UInt8>, _ capacity: Int
) -> Int {
  let bytes = recipe.bytes.prefix(min(capacity, MutationRecipe.byteLimit))
  for (index, byte) in bytes.enumerated() { out[index] = byte }
  return bytes.count
}

private let methods: [das3_method] = [DAS3_METHOD_DAS3, DAS3_METHOD_BN, DAS3_METHOD_TENT]
/// Bounds the size of what a network computes, and so its time, which sanitizers multiply.
private let memoryLimit: UInt64 = 4 << 20
private let (width, height) = (24, 16)
private let frame = {
  var random = SplitMix64(seed: 7)
  return random.bytes(3 * width * height)
}()

private func exercise(_ bytes: [UInt8], method: UInt8) {
  var options = das3_model_options()
  das3_model_options_init_sized(&options, UInt32(MemoryLayout<das3_model_options>.size))
  options.max_bytes = 16 << 20
  options.max_milliseconds = 2000
  var model = OpaquePointer(bitPattern: 8)
  guard answers(das3_model_load_bytes(&model, bytes, bytes.count, &options), model) else { return }
  defer { das3_model_free(model) }
  segment(model)
  adapt(model, methods[Int(method) / MutationRecipe.samples.count % methods.count])
}

private func segment(_ model: OpaquePointer?) {
  var options = das3_segmenter_options()
  das3_segmenter_options_init_sized(&options, UInt32(MemoryLayout<das3_segmenter_options>.size))
  options.threads = 1
  options.memory_limit = memoryLimit
  var segmenter = OpaquePointer(bitPattern: 8)
  let status = das3_segmenter_create(&segmenter, model, &options)
  guard answers(status, segmenter) else { return }
  defer { das3_segmenter_free(segmenter) }
  var labels = [UInt8](repeating: 254, count: width * height)
  labels.withUnsafeMutableBufferPointer { labels in
    withImage { image in
      var result = das3_segmentation()
      result.struct_size = UInt32(MemoryLayout<das3_segmentation>.size)
      result.labels = labels.baseAddress
      answers(das3_segmenter_run(segmenter, &image, &result))
    }
  }
}

private func adapt(_ model: OpaquePointer?, _ method: das3_method) {
  var options = das3_adapter_options()
  das3_adapter_options_init_sized(&options, UInt32(MemoryLayout<das3_adapter_options>.size))
  options.method = Int32(method.rawValue)
  options.start = Int32(DAS3_START_SOURCE.rawValue)
  options.threads = 1
  options.steps_a = 2
  options.memory_limit = memoryLimit
  var adapter = OpaquePointer(bitPattern: 8)
  guard answers(das3_adapter_create(&adapter, model, &options), adapter) else { return }
  defer { das3_adapter_free(adapter) }
  guard withImage({ answers(das3_adapter_add_frame(adapter, &$0)) }) else { return }
  var report = das3_adapter_report()
  report.struct_size = UInt32(MemoryLayout<das3_adapter_report>.size)
  answers(das3_adapter_step(adapter, &report))
}

@discardableResult
private func withImage<T>(_ body: (inout das3_image) -> T) -> T {
  frame.withUnsafeBytes { bytes in
    var image = das3_image(
      data: bytes.baseAddress, width: Int32(width), height: Int32(height), stride_bytes: 0,
      format: Int32(DAS3_FORMAT_RGB8.rawValue))
    return body(&image)
  }
}

/// Whether a call succeeded; ends the program where it does not keep the header's word.
@discardableResult
private func answers(_ status: das3_status, _ handle: OpaquePointer? = nil) -> Bool {
  let message = das3_last_error().map { String(cString: $0) } ?? ""
  precondition(status <= 0 && status > DAS3_E_INTERNAL, "status \(status): \(message)")
  precondition(status == DAS3_OK || handle == nil, "a handle in spite of \(status)")
  let lines = message.split(separator: "\n", omittingEmptySubsequences: false).count
  precondition(lines == 1 && message.isEmpty == (status == DAS3_OK), "'\(message)' of \(status)")
  return status == DAS3_OK
}
