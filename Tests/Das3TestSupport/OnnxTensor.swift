/// One tensor of an ONNX file as `OnnxWriter` writes it; sizes and data need not agree.
package struct OnnxTensor: Sendable {
  package static let float32 = 1
  package static let uint8 = 2
  package static let int8 = 3
  package static let int32 = 6
  package static let int64 = 7
  package static let bool = 9
  package static let float16 = 10
  package static let double = 11
  package static let bfloat16 = 16

  package enum Payload: Sendable {
    case raw([UInt8])
    case floats([Float])
    case ints([Int])
    case external([(key: String, value: String)])
    /// Sizes without any data.
    case missing
    /// Any fields at all, behind the name.
    case fields(@Sendable (inout ProtobufWriter) -> Void)
  }

  package var name: String
  package var type: Int
  package var dims: [Int]
  package var payload: Payload

  package init(_ name: String, type: Int, _ dims: [Int], _ payload: Payload) {
    self.name = name
    self.type = type
    self.dims = dims
    self.payload = payload
  }

  package init(_ name: String, _ dims: [Int], floats: [Float]) {
    self.init(name, type: Self.float32, dims, .raw(Self.bytes(floats)))
  }

  package init(_ name: String, _ dims: [Int], ints: [Int]) {
    self.init(name, type: Self.int64, dims, .ints(ints))
  }

  /// float32 in a file beside the model.
  package init(_ name: String, _ dims: [Int], location: String, offset: String = "0") {
    self.init(
      name, type: Self.float32, dims,
      .external([("location", location), ("offset", offset)]))
  }

  /// Little endian, as raw_data and external files hold them.
  package static func bytes(_ floats: [Float]) -> [UInt8] {
    floats.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } }
  }

  /// The other types of ONNX, as raw_data holds them.
  package static func bytes(_ values: [some FixedWidthInteger]) -> [UInt8] {
    values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
  }

  func write(_ writer: inout ProtobufWriter) {
    for size in dims { writer.varint(1, size) }
    writer.varint(2, type)
    switch payload {
    case .floats(let values): writer.packed(4, floats: values)
    case .ints(let values): writer.packed(type == Self.int64 ? 7 : 5, varints: values)
    case .raw, .external, .missing, .fields: break
    }
    writer.string(8, name)
    if case .raw(let bytes) = payload { writer.data(9, bytes) }
    if case .fields(let body) = payload { body(&writer) }
    guard case .external(let entries) = payload else { return }
    for entry in entries {
      writer.message(13) {
        $0.string(1, entry.key)
        $0.string(2, entry.value)
      }
    }
    writer.varint(14, 1)
  }
}
