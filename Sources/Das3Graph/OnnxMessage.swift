internal import COnnx
import Das3Files

/// The parsed message of an ONNX file; it ends with the value.
@safe final class OnnxMessage {
  let model: OpaquePointer
  /// The SHA-256 of the file, in hexadecimal.
  let hash: String

  init(_ bytes: UnsafeRawBufferPointer, _ limits: OnnxImport.Limits) throws(Das3Error) {
    var model: OpaquePointer?
    var bounds = d3o_limits(max_bytes: limits.maximumBytes, max_nodes: limits.maximumNodes)
    try unsafe OnnxImport.call {
      unsafe d3o_parse(&model, bytes.baseAddress, bytes.count, &bounds, $0, $1)
    }
    guard let model = unsafe model else {
      throw Das3Error(.internal, "the ONNX reader gave no model")
    }
    unsafe self.model = unsafe model
    var digest = Digest()
    unsafe digest.add(bytes)
    hash = WholeFile.hexadecimal(digest.finished())
    try limits.deadline.check()
  }

  deinit { unsafe d3o_free(model) }
}
