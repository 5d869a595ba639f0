internal import COnnx
import Das3Files

/// The content of a file except its weights, so that the file can be written with other weights.
///
/// It is immutable, and shared by all models that differ from the file only in their weights.
@safe final class OnnxSource: @unchecked Sendable {
  private let source: OpaquePointer?
  /// The error that says why the file cannot be written again.
  private let problem: Das3Error

  /// Takes over the content of `model`, whose records are invalid afterwards.
  init(_ model: OpaquePointer, parameters: [OnnxImport.Place], weightCount: Int)
    throws(Das3Error)
  {
    let records = parameters.map {
      d3o_parameter(
        tensor: Int64($0.tensor), offset: Int64($0.offset), node: Int64($0.node ?? -1))
    }
    var source: OpaquePointer?
    try unsafe OnnxImport.call { message, capacity in
      unsafe records.withUnsafeBufferPointer {
        unsafe d3o_source_create(
          &source, model, $0.baseAddress, Int64($0.count), Int64(weightCount), message, capacity)
      }
    }
    unsafe self.source = source
    problem = Das3Error(.internal, "the ONNX reader gave no source")
  }

  /// The source of a file that cannot be written again; `save` throws `problem`.
  init(problem: Das3Error) {
    unsafe source = nil
    self.problem = problem
  }

  deinit { unsafe d3o_source_free(source) }

  /// Writes the file with these weights.
  ///
  /// `metadata` replaces entries with the same keys.
  func save(weights: [Float], metadata: [(key: String, value: String)], to path: String)
    throws(Das3Error)
  {
    guard let source = unsafe source else { throw problem.at("cannot write \(path.shown)") }
    // All texts in one block, each with a NUL at its end, and the offsets at which they start.
    var texts: [CChar] = []
    var starts: [(key: Int, value: Int)] = []
    for entry in metadata {
      let key = texts.count
      texts += entry.key.utf8CString
      starts.append((key, texts.count))
      texts += entry.value.utf8CString
    }
    func call(
      _ body: (UnsafePointer<d3o_content>, UnsafeMutablePointer<CChar>?, Int) -> d3o_status
    ) throws(Das3Error) {
      do throws(Das3Error) {
        try unsafe OnnxImport.call { message, capacity in
          unsafe texts.withUnsafeBufferPointer { texts in
            let pairs = unsafe starts.map { start in
              unsafe d3o_pair(
                key: texts.baseAddress.map { unsafe $0 + start.key },
                value: texts.baseAddress.map { unsafe $0 + start.value })
            }
            return unsafe pairs.withUnsafeBufferPointer { pairs in
              unsafe weights.withUnsafeBufferPointer { weights in
                var content = unsafe d3o_content(
                  weights: weights.baseAddress, weight_count: Int64(weights.count),
                  metadata: pairs.baseAddress, metadata_count: Int64(pairs.count))
                return unsafe body(&content, message, capacity)
              }
            }
          }
        }
      } catch {
        throw error.at("cannot write \(path.shown)")
      }
    }
    var size: UInt64 = 0
    try unsafe call { unsafe d3o_source_measure(source, $0, &size, $1, $2) }
    let file = try AtomicFile(path, byteCount: size)
    try unsafe call { unsafe d3o_source_write(source, $0, file.descriptor, $1, $2) }
    try file.commit()
  }
}
