import CDas3
import Das3Adapt
import Das3Graph
import Das3Runtime

/// The checked content of `das3_adapter_options`.
struct AdapterRequest {
  let settings: AdaptationSettings
  /// Neither the options nor the model state the size of the input.
  let followsFrame: Bool

  static var defaults: das3_adapter_options {
    let settings = AdaptationSettings(execution: ExecutionOptions(threads: 1), height: 0, width: 0)
    var options = unsafe das3_adapter_options()
    for option in AdapterOption.all { unsafe option.fill(settings, &options) }
    return unsafe options
  }

  init(_ pointer: UnsafePointer<das3_adapter_options>?, _ model: SegmentationModel)
    throws(Das3Error)
  {
    let options = try unsafe VersionedStruct.read(pointer, defaults: Self.defaults, "options")
    let size = try unsafe networkSize(height: options.height, width: options.width)
    let height = size?.height ?? model.fixedHeight
    let width = size?.width ?? model.fixedWidth
    followsFrame = height == nil || width == nil
    var settings = AdaptationSettings(
      execution: try unsafe executionOptions(
        threads: options.threads, precision: options.precision),
      height: height ?? 0, width: width ?? 0)
    for option in AdapterOption.all { try unsafe option.read(options, &settings) }
    guard settings.method != .bn || settings.start == .source else {
      throw .argument("start is a blend; method bn makes all statistics anew: expected the source")
    }
    try settings.checkScenes()
    self.settings = settings
  }
}
