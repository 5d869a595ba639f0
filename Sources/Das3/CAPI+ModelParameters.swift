import CDas3
import Das3Graph

/// Parameters as flat float32, models made of them, and models as files.

@c @implementation
public func das3_model_get_parameter(
  _ model: OpaquePointer?, _ index: Int32, _ entry: UnsafeMutablePointer<das3_parameter>?
) -> das3_status {
  unsafe status(of: model, "model") { (object: ModelObject) throws(Das3Error) in
    let parameters = object.model.onnx.parameters
    guard parameters.indices.contains(Int(index)) else {
      throw .argument("parameter \(index); the model has \(parameters.count), counted from 0")
    }
    let parameter = parameters[Int(index)]
    var value = unsafe das3_parameter()
    unsafe value.is_statistic = parameter.isStatistic ? 1 : 0
    unsafe value.offset = Int64(parameter.offset)
    unsafe value.count = Int64(parameter.shape.elementCount)
    unsafe value.rank = Int32(parameter.shape.rank)
    unsafe value.is_classifier = object.model.classifierParameters.contains(Int(index)) ? 1 : 0
    unsafe value.name = object.strings.parameterNames[Int(index)].start
    unsafe withUnsafeMutableBytes(of: &value.dims) { bytes in
      for (axis, size) in parameter.shape.dims.enumerated() {
        unsafe bytes.storeBytes(
          of: Int64(size), toByteOffset: axis * MemoryLayout<Int64>.stride, as: Int64.self)
      }
    }
    try unsafe VersionedStruct.write(value, to: entry, "entry")
  }
}

@c @implementation
public func das3_model_get_parameters(
  _ model: OpaquePointer?, _ values: UnsafeMutablePointer<Float>?, _ count: Int64
) -> das3_status {
  unsafe status(of: model, "model") { (object: ModelObject) throws(Das3Error) in
    let weights = object.model.onnx.weights
    try check(count, of: object)
    guard let values = unsafe values else { throw .argument("values is NULL") }
    unsafe weights.withUnsafeBufferPointer { weights in
      guard let first = weights.baseAddress else { return }
      unsafe values.update(from: first, count: weights.count)
    }
  }
}

@c @implementation
public func das3_model_with_parameters(
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ model: OpaquePointer?,
  _ values: UnsafePointer<Float>?, _ count: Int64
) -> das3_status {
  unsafe status(creating: out) { () throws(Das3Error) in
    let object = try unsafe Handle.lend(model, as: ModelObject.self, "model")
    try check(count, of: object)
    guard let values = unsafe values else { throw .argument("values is NULL") }
    let weights = unsafe Array(UnsafeBufferPointer(start: values, count: Int(count)))
    return try ModelObject(
      object, weights: weights, provenance: Provenance(method: "parameters"))
  }
}

@c @implementation
public func das3_model_merge(
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ models: UnsafePointer<OpaquePointer?>?,
  _ weights: UnsafePointer<Double>?, _ count: Int32
) -> das3_status {
  unsafe status(creating: out) { () throws(Das3Error) in
    guard let models = unsafe models else { throw .argument("models is NULL") }
    guard count >= 1 else { throw .argument("\(count) models; expected at least one") }
    var objects: [ModelObject] = []
    for index in 0..<Int(count) {
      objects.append(
        try unsafe Handle.lend(models[index], as: ModelObject.self, "models[\(index)]"))
    }
    let shares =
      unsafe weights.map { unsafe Array(UnsafeBufferPointer(start: $0, count: Int(count))) }
      ?? [Double](repeating: 1, count: Int(count))
    return ModelObject(objects[0], try OnnxModel.merge(objects.map(\.model.onnx), shares: shares))
  }
}

@c @implementation
public func das3_model_save(_ model: OpaquePointer?, _ path: UnsafePointer<CChar>?) -> das3_status {
  unsafe status(of: model, "model") { (object: ModelObject) throws(Das3Error) in
    try object.model.save(
      to: try unsafe filePath(path),
      version: "\(DAS3_VERSION_MAJOR).\(DAS3_VERSION_MINOR).\(DAS3_VERSION_PATCH)")
    let lost = object.model.onnx.shareLostInSaving
    // A small lost share is harmless: rounding errors in both directions cancel out.
    guard lost > 0.05 else { return }
    Log.write(
      DAS3_LOG_WARNING,
      "\(Int((100 * lost).rounded())) % of the changed weights are saved as they were before: the file keeps them in 16 bits, which do not hold so small a change; adapt a float32 network to keep all of it"
    )
  }
}

private func check(_ count: Int64, of object: ModelObject) throws(Das3Error) {
  let expected = object.model.onnx.weights.count
  guard count == expected else {
    throw .argument("count is \(count); the model has \(expected) parameter values")
  }
}
