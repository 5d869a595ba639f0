internal import COnnx

/// What a file says besides its weights, so that it can be written again with others.
///
/// Immutable and shared by every model that differs from the file only in its weights.
@safe final class OnnxSource: @unchecked Sendable {
  private let source: OpaquePointer

  /// Takes the message of `model`, which has nothing to say any more.
  ///
  /// A file that cannot be written again makes a source too; `save` says why it refuses.
  init(
    _ model: OpaquePointer, directory: Int32, parameters: [OnnxImport.Place], weightCount: Int
  ) throws(Das3Error) {
    let records = parameters.map {
      d3o_parameter(
        tensor: Int64($0.tensor), offset: Int64($0.offset), node: Int64($0.node ?? -1))
    }
    var source: OpaquePointer?
    try unsafe OnnxImport.call { message, capacity in
      unsafe records.withUnsafeBufferPointer {
        unsafe d3o_source_create(
          &source, model, directory, $0.baseAddress, Int64($0.count), Int64(weightCount), message,
          capacity)
      }
    }
    guard let source = unsafe source else {
      throw Das3Error(.internal, "the ONNX reader gave no source")
    }
    unsafe self.source = source
  }

  deinit { unsafe d3o_source_free(source) }

  /// Writes the file with these weights; `metadata` replaces entries of the same keys.
  func save(weights: [Float], metadata: [(key: String, value: String)], to path: String)
    throws(Das3Error)
  {
    // One block of NUL-terminated texts, and where each begins.
    var texts: [CChar] = []
    var starts: [(key: Int, value: Int)] = []
    for entry in metadata {
      let key = texts.count
      texts += entry.key.utf8CString
      starts.append((key, texts.count))
      texts += entry.value.utf8CString
    }
    try unsafe OnnxImport.call { message, capacity in
      unsafe texts.withUnsafeBufferPointer { texts in
        let pairs = unsafe starts.map { start in
          unsafe d3o_pair(
            key: texts.baseAddress.map { unsafe $0 + start.key },
            value: texts.baseAddress.map { unsafe $0 + start.value })
        }
        return unsafe pairs.withUnsafeBufferPointer { pairs in
          unsafe weights.withUnsafeBufferPointer {
            unsafe d3o_source_save(
              source, $0.baseAddress, Int64($0.count), pairs.baseAddress, Int64(pairs.count), path,
              message, capacity)
          }
        }
      }
    }
  }
}
