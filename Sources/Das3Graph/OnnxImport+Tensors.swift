internal import COnnx
import Das3Files

/// Reads the values of tensors, from the model or from files with external data.
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
      // Integers are indices and sizes. Each has eight bytes here, perhaps one byte in the file.
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

  /// Calls a function of the reader with the descriptor of the file that holds the data of the
  /// tensor, or -1 where the data is not external.
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

  /// Reads external data into the model, so that the model can be saved as one file.
  ///
  /// - Parameter weights: tensors that are not read, because the weights are saved in their place.
  /// - Throws: an error that says why the model cannot be saved as one file.
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
    // One file cannot hold more, so no more is read.
    var total = 0
    for index in external {
      total += unsafe Int(graph.tensors[index].length)
      guard total <= Int32.max else {
        throw .limit("its external data has \(total) bytes, one file may have \(Int32.max)")
      }
    }
    // A double has bits that the float32 weight does not have, so it is read as well.
    for index in external
    where unsafe !weights.contains(index) || graph.tensors[index].data_type == 11 {
      try unsafe withFile(of: index) { unsafe d3o_read_data(model, Int64(index), $0, $1, $2) }
    }
  }

  /// Calls a function of the reader and throws its status and message as an error.
  static func call(
    _ body: (UnsafeMutablePointer<CChar>?, Int) -> d3o_status
  ) throws(Das3Error) {
    var text = [CChar](repeating: 0, count: 512)
    let status = unsafe text.withUnsafeMutableBufferPointer {
      unsafe body($0.baseAddress, $0.count)
    }
    guard status != D3O_OK else { return }
    let message = String(
      decoding: text.prefix { $0 != 0 }.map { UInt8(truncatingIfNeeded: $0) }, as: UTF8.self)
    switch status {
    case D3O_E_LIMIT: throw .limit(message)
    case D3O_E_UNSUPPORTED: throw .unsupported(message)
    case D3O_E_IO: throw .io(message)
    case D3O_E_MEMORY: throw .memory(message)
    default: throw .format(message)
    }
  }
}
