import CDas3
import Das3Graph

/// What `das3_model` points to: the network, and the C strings that its descriptions point to.
final class ModelObject: Sendable {
  let model: SegmentationModel
  let strings: ModelStrings

  init(_ model: SegmentationModel) {
    self.model = model
    strings = ModelStrings(model)
  }

  /// Throws `.memory` unless there is memory for `count` copies of the weights.
  func checkCopies(_ count: Int) throws(Das3Error) {
    try AddressSpace.check(
      count * model.onnx.weights.count * MemoryLayout<Float>.stride + AddressSpace.margin)
  }

  /// The same network with other weights; the strings are shared.
  init(
    _ base: ModelObject, weights: [Float], scenes: SceneBank? = nil, provenance: Provenance
  ) throws(Das3Error) {
    model = try SegmentationModel(
      base.model, weights: weights, scenes: scenes, provenance: provenance)
    strings = base.strings
  }

  /// The same network with the weights of another model of the same graph; the strings are shared.
  init(_ base: ModelObject, _ onnx: OnnxModel) {
    model = SegmentationModel(base.model, onnx)
    strings = base.strings
  }
}

/// The C strings of a model, which all models made from it share.
@safe final class ModelStrings: Sendable {
  let classNames, parameterNames: [CString]
  let producer, inputName, outputName, outputKind, scoresPath: CString

  init(_ model: SegmentationModel) {
    classNames = model.classes.map(CString.init)
    parameterNames = model.onnx.parameters.map { CString($0.name) }
    producer = CString(model.onnx.producer)
    inputName = CString(model.image.name)
    outputName = CString(model.scores.name)
    outputKind = CString(model.scores.isProbability ? "probabilities" : "logits")
    scoresPath = CString(model.scores.path)
  }
}

/// A NUL-terminated copy of a string, whose address does not change.
@safe final class CString: @unchecked Sendable {
  let start: UnsafePointer<CChar>

  init(_ text: String) {
    let bytes = text.utf8CString
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
    for (index, byte) in bytes.enumerated() { unsafe copy[index] = byte }
    unsafe start = UnsafePointer(copy)
  }

  deinit { unsafe start.deallocate() }
}

@c @implementation
public func das3_model_options_init(_ options: UnsafeMutablePointer<das3_model_options>?) {
  unsafe VersionedStruct.fill(options, with: das3_model_options())
}

@c @implementation
public func das3_model_options_init_sized(
  _ options: UnsafeMutablePointer<das3_model_options>?, _ structSize: UInt32
) {
  unsafe VersionedStruct.fill(options, with: das3_model_options(), structSize)
}

@c @implementation
public func das3_model_load(
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ path: UnsafePointer<CChar>?,
  _ options: UnsafePointer<das3_model_options>?
) -> das3_status {
  unsafe status(creating: out) { () throws(Das3Error) in
    let file = try unsafe filePath(path)
    let request = try unsafe ModelRequest(options)
    let onnx = try OnnxImport.load(
      path: file, allowsExternalData: request.allowsExternalData, limits: request.limits)
    return try request.model(onnx, sidecar: OnnxImport.sidecar(ofModel: file))
  }
}

@c @implementation
public func das3_model_load_bytes(
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ bytes: UnsafeRawPointer?, _ size: Int,
  _ options: UnsafePointer<das3_model_options>?
) -> das3_status {
  unsafe status(creating: out) { () throws(Das3Error) in
    guard let bytes = unsafe bytes else { throw .argument("bytes is NULL") }
    let request = try unsafe ModelRequest(options)
    guard size >= 0, UInt64(size) <= request.limits.maximumBytes else {
      throw .limit("\(UInt(bitPattern: size)) bytes; the limit is \(request.limits.maximumBytes)")
    }
    let onnx = try unsafe OnnxImport.load(
      bytes: UnsafeRawBufferPointer(start: bytes, count: size),
      directory: request.allowsExternalData ? request.externalDirectory : nil,
      limits: request.limits)
    return try request.model(onnx, sidecar: .none)
  }
}

@c @implementation
public func das3_model_get_info(
  _ model: OpaquePointer?, _ info: UnsafeMutablePointer<das3_model_info>?
) -> das3_status {
  unsafe status(of: model, "model") { (object: ModelObject) throws(Das3Error) in
    let (model, strings) = (object.model, object.strings)
    let (mean, deviation) = (model.metadata.mean, model.metadata.deviation)
    let value = unsafe das3_model_info(
      struct_size: 0, class_count: Int32(model.classCount),
      channel_count: Int32(model.channelCount), height: Int32(model.fixedHeight ?? 0),
      width: Int32(model.fixedWidth ?? 0), stride_multiple: Int32(model.strideMultiple),
      opset: Int32(model.onnx.opset), ir_version: Int32(model.onnx.irVersion),
      ignore_label: Int32(model.metadata.ignoreLabel),
      swaps_colours: model.metadata.swapsColours ? 1 : 0,
      parameter_count: Int64(model.onnx.weights.count), node_count: Int64(model.onnx.nodeCount),
      scale: model.metadata.scale, mean: (mean[0], mean[1], mean[2]),
      std: (deviation[0], deviation[1], deviation[2]), producer: strings.producer.start,
      input_name: strings.inputName.start, output_name: strings.outputName.start,
      output_kind: strings.outputKind.start,
      parameter_tensor_count: Int32(model.onnx.parameters.count),
      is_input_assumed: model.metadata.isInputAssumed ? 1 : 0,
      scores_path: strings.scoresPath.start,
      training_height: Int32(model.metadata.trainingSize?.height ?? 0),
      training_width: Int32(model.metadata.trainingSize?.width ?? 0),
      quantized_count: Int32(model.onnx.quantizedCount),
      scene_count: Int32(model.scenes?.count ?? 0),
      scene_frames: sceneFrames(model.scenes?.frameCounts ?? []))
    try unsafe VersionedStruct.write(value, to: info, "info")
  }
}

@c @implementation
public func das3_model_get_class(
  _ model: OpaquePointer?, _ index: Int32, _ entry: UnsafeMutablePointer<das3_class>?
) -> das3_status {
  unsafe status(of: model, "model") { (object: ModelObject) throws(Das3Error) in
    let names = object.strings.classNames
    guard names.indices.contains(Int(index)) else {
      throw .argument("class \(index); expected 0 to \(names.count - 1)")
    }
    let colour = object.model.colour(Int(index))
    let value = unsafe das3_class(
      struct_size: 0, red: colour.red, green: colour.green, blue: colour.blue, reserved: 0,
      name: names[Int(index)].start)
    try unsafe VersionedStruct.write(value, to: entry, "entry")
  }
}

@c @implementation
public func das3_model_free(_ model: OpaquePointer?) {
  unsafe Handle.end(model, as: ModelObject.self)
}

/// Frames of each scene as C has them, with zeros behind the last.
func sceneFrames(_ counts: [Int]) -> (
  Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64
) {
  func count(_ scene: Int) -> Int64 { scene < counts.count ? Int64(counts[scene]) : 0 }
  return (count(0), count(1), count(2), count(3), count(4), count(5), count(6), count(7))
}

/// The checked content of `das3_model_options`.
private struct ModelRequest {
  let limits: OnnxImport.Limits
  let allowsExternalData: Bool
  let externalDirectory: String?
  /// The caller's own metadata, then the preset.
  private let overrides: [[String: Json]]

  init(_ pointer: UnsafePointer<das3_model_options>?) throws(Das3Error) {
    let options = try unsafe VersionedStruct.read(
      pointer, defaults: das3_model_options(), "options")
    var limits = OnnxImport.Limits()
    if unsafe options.max_bytes > 0 { limits.maximumBytes = unsafe options.max_bytes }
    if unsafe options.max_nodes > 0 { limits.maximumNodes = unsafe options.max_nodes }
    limits.deadline = Deadline(milliseconds: unsafe options.max_milliseconds)
    self.limits = limits
    switch unsafe das3_external_data(rawValue: options.external_data) {
    case DAS3_EXTERNAL_DATA_ALLOW: allowsExternalData = true
    case DAS3_EXTERNAL_DATA_REFUSE: allowsExternalData = false
    case let other:
      throw .argument("external_data is \(other.rawValue); expected a das3_external_data")
    }
    externalDirectory = unsafe options.external_directory.map { unsafe String(cString: $0) }
    var overrides: [[String: Json]] = []
    if let text = unsafe options.metadata_json {
      do throws(Das3Error) {
        guard let object = try Json(parsing: unsafe String(cString: text)).object else {
          throw .argument("expected a JSON object")
        }
        try Metadata.refuseUnknownKeys(in: object)
        overrides.append(object)
      } catch {
        throw Das3Error(.argument, "metadata_json: \(error.message)")
      }
    }
    if let preset = unsafe options.class_preset.map({ unsafe String(cString: $0) }) {
      guard let classes = ClassPresets.json(named: preset) else {
        throw .argument(
          "class_preset '\(preset)'; expected cityscapes19, synthia16, synthia13, crosscity13 or camvid11"
        )
      }
      overrides.append(classes)
    }
    self.overrides = overrides
  }

  func model(_ onnx: OnnxModel, sidecar: OnnxImport.Sidecar) throws(Das3Error) -> ModelObject {
    var sources = overrides + [Metadata.json(ofFile: onnx.metadata)]
    switch sidecar {
    case .none: break
    case .metadata(let object): sources.append(object)
    case .foreign(let reason): Log.write(DAS3_LOG_INFO, reason)
    }
    let model = try SegmentationModel(
      onnx, metadata: Metadata(sources), deadline: limits.deadline)
    if !sources.contains(where: { $0["input"] != nil }) {
      Log.write(
        DAS3_LOG_WARNING, "the model says nothing of its preprocessing; pixels are scaled to 0…1")
    }
    if onnx.quantizedCount > 0 {
      Log.write(
        DAS3_LOG_INFO,
        "\(onnx.quantizedCount) weights are stored as integers; they are used, adapted and saved as float32"
      )
    }
    for doubt in model.scores.doubts { Log.write(DAS3_LOG_WARNING, doubt) }
    if let doubt = model.sceneDoubt { Log.write(DAS3_LOG_WARNING, doubt) }
    return ModelObject(model)
  }
}
