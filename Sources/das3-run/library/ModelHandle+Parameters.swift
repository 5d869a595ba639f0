// A model's parameters out, and other values for them in.
import CDas3

extension ModelHandle {
  /// One tensor of weights, or of BatchNormalization statistics.
  struct Parameter {
    let name: String
    let isStatistic: Bool
    /// Whether it belongs to the last layers, which stage (a) does not train.
    let isClassifier: Bool
    let sizes: [Int]

    var count: Int { sizes.reduce(1, *) }
  }

  /// Describes all parameters, in the order of `values()`.
  func parameters() throws(Failure) -> [Parameter] {
    var parameters: [Parameter] = []
    for index in unsafe 0..<storedInfo.parameter_tensor_count {
      var entry = unsafe das3_parameter()
      unsafe entry.struct_size = UInt32(MemoryLayout<das3_parameter>.stride)
      try Failure.check(unsafe das3_model_get_parameter(pointer, index, &entry), path)
      let sizes = unsafe [
        entry.dims.0, entry.dims.1, entry.dims.2, entry.dims.3, entry.dims.4, entry.dims.5,
        entry.dims.6, entry.dims.7,
      ].prefix(Int(entry.rank))
      parameters.append(
        Parameter(
          name: unsafe Self.text(entry.name) ?? "parameter \(index)",
          isStatistic: unsafe entry.is_statistic != 0,
          isClassifier: unsafe entry.is_classifier != 0, sizes: sizes.map { Int($0) }))
    }
    return parameters
  }

  /// The same model with other values of all parameters, one tensor after the other.
  func with(_ values: [Float]) throws(Failure) -> ModelHandle {
    var created: OpaquePointer?
    let status = unsafe values.withUnsafeBufferPointer { values in
      unsafe das3_model_with_parameters(
        &created, pointer, values.baseAddress, Int64(values.count))
    }
    try Failure.check(status, path)
    guard let model = unsafe created else { throw Failure("\(path): no model was made") }
    return try unsafe ModelHandle(owning: model, path: path)
  }

  /// The values of all parameters, one tensor after the other.
  func values() throws(Failure) -> [Float] {
    var values = [Float](repeating: 0, count: parameterCount)
    let status = unsafe values.withUnsafeMutableBufferPointer { values in
      unsafe das3_model_get_parameters(pointer, values.baseAddress, Int64(values.count))
    }
    try Failure.check(status, path)
    return values
  }

  /// The same model with the BatchNormalization statistics of another one of its graph.
  func with(statisticsOf other: ModelHandle) throws(Failure) -> ModelHandle {
    var (values, others, start) = (try values(), try other.values(), 0)
    for parameter in try parameters() {
      let range = start..<start + parameter.count
      if parameter.isStatistic { values[range] = others[range] }
      start = range.upperBound
    }
    return try with(values)
  }
}
