import CDas3
import Das3Adapt
import Das3Graph
import Das3Runtime
import Glibc

/// `das3_adapter_options`, checked.
struct AdapterRequest {
  let settings: AdaptationSettings
  /// Neither options nor model say the size.
  let followsFrame: Bool

  static var defaults: das3_adapter_options {
    let settings = AdaptationSettings(execution: ExecutionOptions(threads: 1), height: 0, width: 0)
    var options = unsafe das3_adapter_options()
    unsafe options.struct_size = UInt32(MemoryLayout<das3_adapter_options>.size)
    unsafe options.method = settings.method.rawValue
    unsafe options.label_rounds = Int32(settings.labelRounds)
    unsafe options.batch_size = Int32(settings.batchSize)
    unsafe options.augment = settings.augments ? 1 : 0
    unsafe options.flip = settings.mirrors ? 1 : 0
    unsafe options.drift_a = settings.a.drift
    unsafe options.drift_b = settings.b.drift
    unsafe options.drift_c = settings.c.drift
    unsafe options.filter_mixed = settings.filtersMixed ? 1 : 0
    unsafe options.balance_classes = settings.balancesClasses ? 1 : 0
    unsafe options.classifier_rate = decimal(settings.classifierRate)
    unsafe options.power = settings.power
    unsafe options.momentum = decimal(settings.momentum)
    unsafe options.weight_decay = decimal(settings.weightDecay)
    unsafe options.clip_norm = settings.clipNorm
    unsafe options.statistics_momentum = decimal(settings.statisticsMomentum)
    unsafe options.teacher_momentum = decimal(settings.teacherMomentum)
    unsafe options.alpha = decimal(settings.alpha)
    unsafe options.beta = decimal(settings.beta)
    unsafe options.gamma = decimal(settings.gamma)
    unsafe options.lambda = decimal(settings.lambda)
    unsafe options.positive_weight = decimal(settings.positiveWeight)
    unsafe options.negative_weight = decimal(settings.negativeWeight)
    unsafe options.easy_weight = decimal(settings.easyWeight)
    unsafe options.mixed_weight = decimal(settings.mixedWeight)
    unsafe options.positive_share = settings.positiveShare
    unsafe options.negative_threshold = decimal(settings.negativeThreshold)
    unsafe options.easy_share = settings.easyShare
    unsafe options.start = settings.start.rawValue
    unsafe options.blend_limit = settings.blendLimit
    return unsafe options
  }

  /// The double that a person would write for it: 0.05, not 0.0500000007.
  private static func decimal(_ value: Float) -> Double { Double("\(value)") ?? Double(value) }

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
    try unsafe Self.readMethod(options, into: &settings)
    try unsafe Self.readSchedule(options, into: &settings)
    try unsafe Self.readStep(options, into: &settings)
    try unsafe Self.readLosses(options, into: &settings)
    self.settings = settings
  }

  private static func readMethod(
    _ options: das3_adapter_options, into settings: inout AdaptationSettings
  ) throws(Das3Error) {
    guard let method = unsafe AdaptationSettings.Method(rawValue: options.method) else {
      throw .argument("method is \(unsafe options.method); expected a das3_method from 0 to 7")
    }
    settings.method = method
    guard let start = unsafe AdaptationSettings.Start(rawValue: options.start) else {
      throw .argument("start is \(unsafe options.start); expected a das3_start, 0 or 1")
    }
    guard method != .bn || start == .source else {
      throw .argument("start is a blend; method bn makes all statistics anew: expected the source")
    }
    settings.start = start
    settings.blendLimit = try part("blend_limit", unsafe options.blend_limit)
    if let text = unsafe options.stages.map({ unsafe String(cString: $0) }) {
      let stages = text.utf8.map(AdaptationSettings.Letter.init)
      let letters = stages.compactMap { $0 }
      guard !letters.isEmpty, letters.count == stages.count,
        zip(letters, letters.dropFirst()).allSatisfy({ $0.rawValue < $1.rawValue })
      else {
        throw .argument("stages is '\(text)'; expected some of \"abc\" in this order")
      }
      settings.stages = letters
    }
    settings.seed = unsafe options.seed
    settings.memoryLimit = unsafe options.memory_limit
    if let directory = unsafe options.scratch_directory.map({ unsafe String(cString: $0) }) {
      // The dot is found in folders alone.
      guard !directory.isEmpty, unsafe access("\(directory)/.", W_OK | X_OK) == 0 else {
        throw .argument(
          "scratch_directory '\(directory)' is no folder that can be written; expected one, or NULL"
        )
      }
      settings.scratchDirectory = directory
    }
    settings.trained = unsafe options.trained.map { unsafe patterns($0) }
    settings.frozen = unsafe options.frozen.map { unsafe patterns($0) } ?? []
    settings.classifier = unsafe options.classifier.map { unsafe patterns($0) }
    switch unsafe das3_batch_norm(rawValue: UInt32(bitPattern: options.batch_norm)) {
    case DAS3_BATCH_NORM_DEFAULT: settings.batchNorm = nil
    case DAS3_BATCH_NORM_FROZEN: settings.batchNorm = .frozen
    case DAS3_BATCH_NORM_BATCH: settings.batchNorm = .batch
    case DAS3_BATCH_NORM_STATISTICS: settings.batchNorm = .statistics
    default:
      throw .argument("batch_norm is \(unsafe options.batch_norm); expected a das3_batch_norm")
    }
    switch unsafe das3_optimizer(rawValue: UInt32(bitPattern: options.optimizer)) {
    case DAS3_OPTIMIZER_DEFAULT: settings.rule = nil
    case DAS3_OPTIMIZER_RELATIVE: settings.rule = .relative
    case DAS3_OPTIMIZER_SGD: settings.rule = .sgd
    case DAS3_OPTIMIZER_ADAMW: settings.rule = .adamW
    case DAS3_OPTIMIZER_LARS: settings.rule = .lars
    default:
      throw .argument("optimizer is \(unsafe options.optimizer); expected a das3_optimizer")
    }
  }

  private static func readSchedule(
    _ options: das3_adapter_options, into settings: inout AdaptationSettings
  ) throws(Das3Error) {
    func extent(
      _ name: String, _ steps: Int32, _ epochs: Int32, _ rate: Double, _ drift: Double
    ) throws(Das3Error) -> AdaptationSettings.Extent {
      guard steps >= 0, epochs >= 0 else {
        throw .argument("steps_\(name) is \(steps), epochs_\(name) \(epochs); expected 0 or more")
      }
      return AdaptationSettings.Extent(
        steps: steps > 0 ? Int(steps) : nil, epochs: Int(epochs),
        rate: rate == 0 ? nil : try number("rate_\(name)", rate),
        drift: try part("drift_\(name)", drift))
    }
    settings.a = try unsafe extent(
      "a", options.steps_a, options.epochs_a, options.rate_a, options.drift_a)
    settings.b = try unsafe extent(
      "b", options.steps_b, options.epochs_b, options.rate_b, options.drift_b)
    settings.c = try unsafe extent(
      "c", options.steps_c, options.epochs_c, options.rate_c, options.drift_c)
    settings.labelRounds = Int(unsafe options.label_rounds)
    settings.batchSize = Int(unsafe options.batch_size)
    guard (1...1024).contains(settings.batchSize), settings.labelRounds >= 1 else {
      throw .argument(
        "batch_size is \(settings.batchSize), label_rounds \(settings.labelRounds); expected 1 to 1024 and at least 1"
      )
    }
    settings.augments = try flag("augment", unsafe options.augment)
    settings.mirrors = try flag("flip", unsafe options.flip)
    settings.filtersMixed = try flag("filter_mixed", unsafe options.filter_mixed)
    settings.balancesClasses = try flag("balance_classes", unsafe options.balance_classes)
  }

  private static func readStep(
    _ options: das3_adapter_options, into settings: inout AdaptationSettings
  ) throws(Das3Error) {
    settings.classifierRate = try number("classifier_rate", unsafe options.classifier_rate)
    settings.power = Double(try number("power", unsafe options.power))
    settings.momentum = try number("momentum", unsafe options.momentum)
    guard settings.momentum < 1 else {
      throw .argument("momentum is \(settings.momentum); expected 0 to below 1")
    }
    settings.weightDecay = try number("weight_decay", unsafe options.weight_decay)
    settings.clipNorm = Double(try number("clip_norm", unsafe options.clip_norm))
    settings.statisticsMomentum = Float(
      try unsafe part("statistics_momentum", options.statistics_momentum))
    settings.teacherMomentum = Float(
      try part("teacher_momentum", unsafe options.teacher_momentum))
  }

  private static func readLosses(
    _ options: das3_adapter_options, into settings: inout AdaptationSettings
  ) throws(Das3Error) {
    settings.alpha = try number("alpha", unsafe options.alpha)
    settings.beta = try number("beta", unsafe options.beta)
    settings.gamma = try number("gamma", unsafe options.gamma)
    settings.lambda = try number("lambda", unsafe options.lambda)
    settings.positiveWeight = try number("positive_weight", unsafe options.positive_weight)
    settings.negativeWeight = try number("negative_weight", unsafe options.negative_weight)
    settings.easyWeight = try number("easy_weight", unsafe options.easy_weight)
    settings.mixedWeight = try number("mixed_weight", unsafe options.mixed_weight)
    settings.positiveShare = try part("positive_share", unsafe options.positive_share)
    settings.negativeThreshold = Float(
      try part("negative_threshold", unsafe options.negative_threshold))
    settings.easyShare = try part("easy_share", unsafe options.easy_share)
  }

  private static func flag(_ name: String, _ value: Int32) throws(Das3Error) -> Bool {
    guard (0...1).contains(value) else {
      throw .argument("\(name) is \(value); expected 0 or 1")
    }
    return value == 1
  }

  private static func number(_ name: String, _ value: Double) throws(Das3Error) -> Float {
    guard value >= 0, value <= Double(Float.greatestFiniteMagnitude) else {
      throw .argument("\(name) is \(value); expected a number from 0")
    }
    return Float(value)
  }

  private static func part(_ name: String, _ value: Double) throws(Das3Error) -> Double {
    guard (0...1).contains(value) else {
      throw .argument("\(name) is \(value); expected 0 to 1")
    }
    return value
  }

  private static func patterns(_ text: UnsafePointer<CChar>) -> [String] {
    unsafe String(cString: text).split(separator: " ").map(String.init)
  }
}
