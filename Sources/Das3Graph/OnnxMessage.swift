internal import COnnx
import Das3Files

/// The parsed message of a file, or of one tensor.
@safe final class OnnxMessage {
  let model: OpaquePointer
  /// The SHA-256 of the file, in hexadecimal.
  let hash: String

  init(_ bytes: UnsafeRawBufferPointer, _ limits: OnnxImport.Limits) throws(Das3Error) {
    unsafe model = try Self.parsed { model, message, capacity in
      var limits = d3o_limits(max_bytes: limits.maximumBytes, max_nodes: limits.maximumNodes)
      return unsafe d3o_parse(&model, bytes.baseAddress, bytes.count, &limits, message, capacity)
    }
    var digest = Digest()
    unsafe digest.add(bytes)
    hash = WholeFile.hexadecimal(digest.finished())
    try limits.deadline.check()
  }

  init(tensor bytes: UnsafeRawBufferPointer) throws(Das3Error) {
    unsafe model = try Self.parsed { model, message, capacity in
      unsafe d3o_parse_tensor(&model, bytes.baseAddress, bytes.count, nil, message, capacity)
    }
    hash = ""
  }

  deinit { unsafe d3o_free(model) }

  private static func parsed(
    _ parse: (inout OpaquePointer?, UnsafeMutablePointer<CChar>?, Int) -> d3o_status
  ) throws(Das3Error) -> OpaquePointer {
    var model: OpaquePointer?
    try unsafe OnnxImport.call { unsafe parse(&model, $0, $1) }
    guard let model = unsafe model else {
      throw Das3Error(.internal, "the ONNX reader gave no model")
    }
    return unsafe model
  }
}
