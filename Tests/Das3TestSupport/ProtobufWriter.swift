/// Field numbers and values to the bytes of a protobuf message.
package struct ProtobufWriter {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  package mutating func varint(_ field: Int, _ value: Int) {
    tag(field, wireType: 0)
    append(varint: UInt64(bitPattern: Int64(value)))
  }

  package mutating func float(_ field: Int, _ value: Float) {
    tag(field, wireType: 5)
    append(value.bitPattern)
  }

  /// Any bytes, well-formed or not.
  package mutating func raw(_ value: some Sequence<UInt8>) { bytes += value }

  package mutating func data(_ field: Int, _ value: some Collection<UInt8>) {
    tag(field, wireType: 2)
    append(varint: UInt64(value.count))
    bytes += value
  }

  package mutating func string(_ field: Int, _ value: String) { data(field, Array(value.utf8)) }

  package mutating func message(_ field: Int, _ body: (inout ProtobufWriter) -> Void) {
    var inner = ProtobufWriter()
    body(&inner)
    data(field, inner.bytes)
  }

  package mutating func packed(_ field: Int, varints values: some Sequence<Int>) {
    var inner = ProtobufWriter()
    for value in values { inner.append(varint: UInt64(bitPattern: Int64(value))) }
    data(field, inner.bytes)
  }

  package mutating func packed(_ field: Int, floats values: some Sequence<Float>) {
    var inner = ProtobufWriter()
    for value in values { inner.append(value.bitPattern) }
    data(field, inner.bytes)
  }

  private mutating func tag(_ field: Int, wireType: Int) {
    append(varint: UInt64(field) << 3 | UInt64(wireType))
  }

  private mutating func append(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func append(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }
}
