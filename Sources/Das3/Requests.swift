import CDas3
import Das3Adapt
import Das3Graph
import Das3Runtime
import Glibc

/// Reads what several objects take: images, sizes, threads, precision and paths of the C header.
extension Frame {
  /// Checks the caller's image, whose pixels stay valid during the call.
  init(_ image: UnsafePointer<das3_image>?) throws(Das3Error) {
    guard let image = unsafe image?.pointee else { throw .argument("image is NULL") }
    guard let data = unsafe image.data else { throw .argument("image.data is NULL") }
    try unsafe self.init(
      data: data, height: Int(image.height), width: Int(image.width),
      strideBytes: image.stride_bytes, format: image.format)
  }
}

/// Copies a mask, in which any byte but 0 ignores its pixel; nil for NULL of 0 × 0 pixels.
func ignoredPixels(_ mask: UnsafePointer<UInt8>?, height: Int32, width: Int32) throws(Das3Error)
  -> IgnoredPixels?
{
  let (height, width) = (Int(height), Int(width))
  guard let mask = unsafe mask else {
    guard height == 0, width == 0 else {
      throw .argument("mask is NULL, of \(width)x\(height); expected 0x0 to ignore nothing")
    }
    return nil
  }
  guard (1...Frame.maximumSize).contains(width), (1...Frame.maximumSize).contains(height) else {
    throw .argument(
      "mask is \(width)x\(height); expected sizes from 1 to \(Frame.maximumSize)")
  }
  try AddressSpace.check(3 * height * width + AddressSpace.margin)
  let marks = unsafe Array(UnsafeBufferPointer(start: mask, count: height * width))
  let pixels = IgnoredPixels(height: height, width: width, marks: marks)
  return pixels.count > 0 ? pixels : nil
}

/// Returns the size of the network's input; nil if the options leave it open.
func networkSize(height: Int32, width: Int32) throws(Das3Error) -> (height: Int, width: Int)? {
  let (height, width) = (Int(height), Int(width))
  if height == 0, width == 0 { return nil }
  guard (1...Frame.maximumSize).contains(height), (1...Frame.maximumSize).contains(width) else {
    throw .argument(
      "size is \(width)x\(height); expected both 0 or both from 1 to \(Frame.maximumSize)")
  }
  return (height, width)
}

/// As many threads as are wanted, but no more than this process may use processors; 0 = as many.
func threadCount(_ wanted: UInt32, _ name: String, from least: UInt32 = 0) throws(Das3Error) -> Int
{
  guard (least...1024).contains(wanted) else {
    throw .argument("\(name) is \(wanted); expected \(least) to 1024")
  }
  let most = ExecutionOptions.processorCount
  if wanted > most {
    Log.write(
      DAS3_LOG_WARNING,
      "\(name) is \(wanted); \(most) are used, one for each processor of this process")
  }
  return wanted == 0 ? most : min(Int(wanted), most)
}

func executionOptions(threads: UInt32, precision: Int32) throws(Das3Error) -> ExecutionOptions {
  var result = ExecutionOptions(threads: try threadCount(threads, "threads"))
  let instructionSet = environmentVariable("DAS3_ISA")
  guard instructionSet.map(ExecutionOptions.isInstructionSet) ?? true else {
    throw .argument(
      "DAS3_ISA is '\(instructionSet ?? "")'; expected \(ExecutionOptions.instructionSets)")
  }
  if let name = environmentVariable("DAS3_BACKEND") {
    guard let backend = ExecutionOptions.Backend(rawValue: name) else {
      throw .argument("DAS3_BACKEND is '\(name)'; expected onednn or openblas")
    }
    guard backend == .openBLAS || result.backend == .oneDNN else {
      throw .unsupported("DAS3_BACKEND is onednn, which this build lacks")
    }
    result.backend = backend
  }
  guard let known = ExecutionOptions.Precision(code: precision) else {
    throw .argument("precision is \(precision); expected a das3_precision")
  }
  guard known != .bf16 || (ExecutionOptions.supportsBFloat16 && result.backend == .oneDNN) else {
    throw .unsupported(
      "bf16 needs oneDNN and a CPU that multiplies bfloat16"
        + (instructionSet.map { "; DAS3_ISA is \($0)" } ?? ""))
  }
  result.precision = known
  return result
}

extension ExecutionOptions.Precision {
  /// Its place is its number in the C header.
  private static let numbered: [Self] = [.f32, .bf16, .f32Direct]

  init?(code: Int32) {
    guard Self.numbered.indices.contains(Int(code)) else { return nil }
    self = Self.numbered[Int(code)]
  }

  /// The number in the C header.
  var code: Int32 {
    switch self {
    case .f32: 0
    case .bf16: 1
    case .f32Direct: 2
    }
  }
}

/// Returns the value of an environment variable; nil if it is not set, or empty.
private func environmentVariable(_ name: String) -> String? {
  guard let value = unsafe getenv(name).map({ unsafe String(cString: $0) }), !value.isEmpty else {
    return nil
  }
  return value
}

/// Returns the path of a file to read or write.
func filePath(_ path: UnsafePointer<CChar>?) throws(Das3Error) -> String {
  guard let path = unsafe path else { throw .argument("path is NULL") }
  guard let file = unsafe String(validatingCString: path) else {
    throw .argument("path is not UTF-8")
  }
  guard !file.isEmpty else { throw .argument("path is empty") }
  return file
}
