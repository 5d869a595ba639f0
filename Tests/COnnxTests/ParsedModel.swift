import COnnx
import Glibc

/// What a function of the reader answered: its status and its line of text.
struct Answer {
  let status: d3o_status
  let message: String

  /// Calls a function of the reader with a buffer for its message.
  static func of(_ body: (UnsafeMutablePointer<CChar>, Int) -> d3o_status) -> Answer {
    var text = [CChar](repeating: 1, count: 512)
    let status = text.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.map { body($0, buffer.count) } ?? D3O_E_MEMORY
    }
    let bytes = text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
    return Answer(status: status, message: String(decoding: bytes, as: UTF8.self))
  }
}

/// The records of an ONNX file, as the C interface gives them; freed with the value.
final class ParsedModel {
  let answer: Answer
  /// nil where the file was refused.
  let model: OpaquePointer?

  init(_ bytes: [UInt8], limits: d3o_limits? = nil) {
    var made: OpaquePointer?
    answer = Answer.of { message, capacity in
      guard var limits else {
        return d3o_parse(&made, bytes, bytes.count, nil, message, capacity)
      }
      return d3o_parse(&made, bytes, bytes.count, &limits, message, capacity)
    }
    model = made
  }

  deinit { d3o_free(model) }

  /// The records; empty where the file was refused.
  var graph: d3o_graph { d3o_get_graph(model)?.pointee ?? d3o_graph() }

  func tensorIndex(_ name: String) -> Int64? {
    (0..<graph.tensor_count).first { String(cString: graph.tensors[Int($0)].name) == name }
  }

  func floats(_ index: Int64) -> [Float] {
    var values = [Float](repeating: .nan, count: Int(graph.tensors[Int(index)].element_count))
    let answer = Answer.of {
      d3o_read_floats(model, index, -1, &values, Int64(values.count), $0, $1)
    }
    return answer.status == D3O_OK ? values : []
  }
}

/// What a model is saved from, with its weights one after the other; freed with the value.
final class SavableModel {
  let answer: Answer
  private let source: OpaquePointer?
  private let weightCount: Int

  /// Takes the message of `parsed`; the values of these tensors become weights.
  init(_ parsed: ParsedModel, weights tensors: [Int64]) {
    var offset: Int64 = 0
    let parameters = tensors.map { tensor in
      defer { offset += parsed.graph.tensors[Int(tensor)].element_count }
      return d3o_parameter(tensor: tensor, offset: offset, node: -1)
    }
    weightCount = Int(offset)
    var made: OpaquePointer?
    answer = Answer.of {
      d3o_source_create(
        &made, parsed.model, parameters, Int64(parameters.count), offset, $0, $1)
    }
    source = made
  }

  deinit { d3o_source_free(source) }

  /// The bytes of the file with these weights, and the size that was announced for it.
  func saved(_ weights: [Float]) -> (answer: Answer, bytes: [UInt8], announced: UInt64) {
    var announced: UInt64 = 0
    guard let stream = tmpfile() else { return (self.answer, [], 0) }
    defer { fclose(stream) }
    let file = fileno(stream)
    let answer = weights.withUnsafeBufferPointer { weights in
      var content = d3o_content(
        weights: weights.baseAddress, weight_count: Int64(weights.count), metadata: nil,
        metadata_count: 0)
      let measured = Answer.of { d3o_source_measure(source, &content, &announced, $0, $1) }
      guard measured.status == D3O_OK else { return measured }
      return Answer.of { d3o_source_write(source, &content, file, $0, $1) }
    }
    var bytes = [UInt8](repeating: 0, count: Int(lseek(file, 0, SEEK_END)))
    return (answer, pread(file, &bytes, bytes.count, 0) == bytes.count ? bytes : [], announced)
  }
}
