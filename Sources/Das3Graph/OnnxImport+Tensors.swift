internal import COnnx
import Das3Files

/// Tensors to values, from the file or from others.
extension OnnxImport {
  func tensor(_ index: Int) throws(Das3Error) -> ConstantTensor {
    let record = unsafe d3o_get_graph(model).pointee.tensors[index]
    let name = unsafe String(cString: record.name)
    let shape: Shape
    do {
      shape = try unsafe Shape((0..<Int(record.dim_count)).map { unsafe Int(record.dims[$0]) })
        .validated()
    } catch {
      throw error.at("tensor '\(name)'")
    }
    let count = shape.elementCount
    let isLarge = count > 1 << 14
    switch unsafe record.data_type {
    case 1, 10, 11, 16:
      if isLarge { try AddressSpace.check(4 * count + AddressSpace.margin) }
      var floats = [Float](repeating: 0, count: count)
      try unsafe withFile(of: index) { file, message, capacity in
        unsafe floats.withUnsafeMutableBufferPointer {
          unsafe d3o_read_floats(
            model, Int64(index), file, $0.baseAddress, Int64(count), message, capacity)
        }
      }
      return ConstantTensor(shape: shape, floats: floats)
    default:
      // Integers are indices and sizes; eight bytes each here, perhaps one in the file.
      guard count <= Shape.maximumComputedCount else {
        throw .limit(
          "tensor '\(name)' has \(count) integers; the limit is \(Shape.maximumComputedCount)")
      }
      if isLarge { try AddressSpace.check(8 * count + AddressSpace.margin) }
      var ints = [Int64](repeating: 0, count: count)
      try unsafe withFile(of: index) { file, message, capacity in
        unsafe ints.withUnsafeMutableBufferPointer {
          unsafe d3o_read_ints(
            model, Int64(index), file, $0.baseAddress, Int64(count), message, capacity)
        }
      }
      var result = unsafe ConstantTensor(
        shape: shape, type: record.data_type == 9 ? .bool : .int64, ints: ints)
      result.bounds = unsafe ConstantTensor.bounds(ofType: Int(record.data_type))
      return result
    }
  }

  /// Runs one reader function with the file that an external tensor lies in, -1 where it is none.
  private func withFile(
    of index: Int, _ body: (Int32, UnsafeMutablePointer<CChar>?, Int) -> d3o_status
  ) throws(Das3Error) {
    let file = try file(of: index)
    try unsafe Self.call { unsafe body(file?.descriptor ?? -1, $0, $1) }
    withExtendedLifetime(file) {}
  }

  private func file(of index: Int) throws(Das3Error) -> OpenFile? {
    let record = unsafe d3o_get_graph(model).pointee.tensors[index]
    guard unsafe record.is_external != 0, let location = unsafe record.location else { return nil }
    let owner = unsafe "tensor \(String(cString: record.name).shown)"
    let place = unsafe String(cString: location)
    guard let folder else {
      throw .io("\(owner) is stored in \(place.shown), but external data is not allowed")
    }
    return try unsafe folder.open(
      place, offset: Int(record.offset), byteCount: Int(record.length), of: owner)
  }

  /// Makes external data part of the message, so that it can be saved as one file.
  ///
  /// - Parameter weights: tensors whose values are saved anyway.
  /// - Throws: why it cannot be saved so.
  func readExternalData(but weights: Set<Int>) throws(Das3Error) {
    let graph = unsafe d3o_get_graph(model).pointee
    let external = unsafe (0..<Int(graph.tensor_count)).filter {
      unsafe graph.tensors[$0].is_external != 0
    }
    for index in external where unsafe index >= graph.own_tensor_count {
      throw unsafe .unsupported(
        "tensor \(String(cString: graph.tensors[index].name).shown) of a function or a branch holds external data"
      )
    }
    // One file cannot hold more; so no more is read.
    var total = 0
    for index in external {
      total += unsafe Int(graph.tensors[index].length)
      guard total <= Int32.max else {
        throw .limit("its external data has \(total) bytes, one file may have \(Int32.max)")
      }
    }
    // A double says more than the weight that is made of it.
    for index in external
    where unsafe !weights.contains(index) || graph.tensors[index].data_type == 11 {
      try unsafe withFile(of: index) { unsafe d3o_read_data(model, Int64(index), $0, $1, $2) }
    }
  }

  /// Runs one reader function and turns its status and message into an error.
  static func call(
    _ body: (UnsafeMutablePointer<CChar>?, Int) -> d3o_status
  ) throws(Das3Error) {
    var text = [CChar](repeating: 0, count: 512)
    let status = unsafe text.withUnsafeMutableBufferPointer {
      unsafe body($0.baseAddress, $0.count)
    }
    guard status != D3O_OK else { return }
    let message = String(
      decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    switch status {
    case D3O_E_LIMIT: throw .limit(message)
    case D3O_E_UNSUPPORTED: throw .unsupported(message)
    case D3O_E_IO: throw .io(message)
    case D3O_E_MEMORY: throw .memory(message)
    default: throw .format(message)
    }
  }
}
