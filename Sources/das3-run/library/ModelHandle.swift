// A path to an ONNX file in, a loaded model and its description out.
import CDas3
import Foundation

/// One class that a model tells apart.
struct ModelClass {
  let name: String
  let colour: Colour
}

/// Owns a `das3_model`.
@safe
final class ModelHandle {
  let pointer: OpaquePointer
  let path: String
  let classes: [ModelClass]
  let storedInfo: das3_model_info

  /// Loads an ONNX file; keys of `metadata`, which is JSON, replace those of the file.
  convenience init(
    path: String, metadata: String? = nil, classPreset: String? = nil
  ) throws(Failure) {
    var created: OpaquePointer?
    let json = unsafe metadata.flatMap { unsafe strdup($0) }
    let preset = unsafe classPreset.flatMap { unsafe strdup($0) }
    defer {
      unsafe free(json)
      unsafe free(preset)
    }
    var options = unsafe das3_model_options()
    unsafe das3_model_options_init(&options)
    unsafe options.metadata_json = UnsafePointer(json)
    unsafe options.class_preset = UnsafePointer(preset)
    try LibraryPath.reading(path, beside: ["json"]) { plain throws(Failure) in
      try Failure.check(unsafe das3_model_load(&created, plain, &options), path, calledHere: plain)
    }
    guard let model = unsafe created else { throw Failure("\(path): no model was loaded") }
    try unsafe self.init(owning: model, path: path)
  }

  /// Takes over a model, which messages call `path`.
  init(owning model: OpaquePointer, path: String) throws(Failure) {
    var info = unsafe das3_model_info()
    unsafe info.struct_size = UInt32(MemoryLayout<das3_model_info>.stride)
    do throws(Failure) {
      try Failure.check(unsafe das3_model_get_info(model, &info), path)
      classes = try unsafe Self.classes(of: model, count: info.class_count, path: path)
    } catch {
      unsafe das3_model_free(model)
      throw error
    }
    unsafe pointer = model
    unsafe storedInfo = info
    self.path = path
  }

  deinit {
    unsafe das3_model_free(pointer)
  }

  /// Writes an ONNX file; an old file stays until the new one is complete.
  func save(to file: String) throws(Failure) {
    try LibraryPath.writing(file) { plain throws(Failure) in
      try Failure.check(unsafe das3_model_save(pointer, plain), file, calledHere: plain)
    }
  }

  var classNames: [String] { classes.map(\.name) }
  var ignoreLabel: Int { Int(unsafe storedInfo.ignore_label) }
  var channelCount: Int { Int(unsafe storedInfo.channel_count) }
  var strideMultiple: Int { Int(unsafe storedInfo.stride_multiple) }
  var opset: Int { Int(unsafe storedInfo.opset) }
  var irVersion: Int { Int(unsafe storedInfo.ir_version) }
  var parameterCount: Int { Int(unsafe storedInfo.parameter_count) }
  var nodeCount: Int { Int(unsafe storedInfo.node_count) }
  var wantsBGR: Bool { unsafe storedInfo.swaps_colours != 0 }
  var colourOrder: String { channelCount == 1 ? "gray" : wantsBGR ? "bgr" : "rgb" }
  var scale: Float { unsafe storedInfo.scale }
  /// The input size that the file fixes; 0 where it does not.
  var fixedWidth: Int { Int(unsafe storedInfo.width) }
  var fixedHeight: Int { Int(unsafe storedInfo.height) }
  var producer: String? { unsafe Self.text(storedInfo.producer) }
  var inputName: String? { unsafe Self.text(storedInfo.input_name) }
  var outputName: String? { unsafe Self.text(storedInfo.output_name) }
  /// How the class scores were found in the graph, in one sentence.
  var scoresPath: String? { unsafe Self.text(storedInfo.scores_path) }
  /// The size of training, where metadata says it.
  var trainingSize: PixelSize? {
    let (width, height) = unsafe (storedInfo.training_width, storedInfo.training_height)
    return width > 0 ? PixelSize(width: Int(width), height: Int(height)) : nil
  }
  /// How many weights the file stores as integers.
  var quantizedCount: Int { Int(unsafe storedInfo.quantized_count) }
  /// Frames that the statistics of each scene are of; none where all frames share one set.
  var sceneFrames: [Int] {
    let frames = unsafe storedInfo.scene_frames
    return sceneCounts(frames, unsafe storedInfo.scene_count)
  }
  /// Whether some of the preprocessing is an assumption, because neither file nor metadata says it.
  var isInputAssumed: Bool { unsafe storedInfo.is_input_assumed != 0 }
  var outputKind: String? { unsafe Self.text(storedInfo.output_kind) }

  /// One value per input channel.
  var mean: [Float] { perChannel(unsafe storedInfo.mean) }
  /// One value per input channel.
  var standardDeviation: [Float] { perChannel(unsafe storedInfo.std) }

  private func perChannel(_ values: (Float, Float, Float)) -> [Float] {
    Array([values.0, values.1, values.2].prefix(channelCount))
  }

  static func text(_ lent: UnsafePointer<CChar>?) -> String? {
    guard let lent = unsafe lent else { return nil }
    let text = unsafe String(cString: lent)
    return text.isEmpty ? nil : text
  }

  private static func classes(
    of model: OpaquePointer, count: Int32, path: String
  ) throws(Failure) -> [ModelClass] {
    var classes: [ModelClass] = []
    for index in 0..<max(0, count) {
      var entry = unsafe das3_class()
      unsafe entry.struct_size = UInt32(MemoryLayout<das3_class>.stride)
      try Failure.check(unsafe das3_model_get_class(model, index, &entry), path)
      let colour = unsafe Colour(red: entry.red, green: entry.green, blue: entry.blue)
      let name = unsafe text(entry.name) ?? "class \(index)"
      classes.append(ModelClass(name: name, colour: colour))
    }
    return classes
  }
}

/// The counts of scenes as the library gives them.
func sceneCounts(
  _ frames: (Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64), _ count: Int32
) -> [Int] {
  [
    frames.0, frames.1, frames.2, frames.3, frames.4, frames.5, frames.6, frames.7,
  ].prefix(Int(count)).map { Int($0) }
}
