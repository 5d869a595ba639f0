import CDas3
import Das3Adapt
import Das3Graph
import Das3Runtime

/// What `das3_adapter` points to: a trainer and the frames it goes round.
final class AdapterObject {
  let base: ModelObject
  let trainer: Trainer
  let request: AdapterRequest
  let backendName: CString
  private(set) var frames: [StoredFrame] = []
  private var next = 0

  init(_ base: ModelObject, _ request: AdapterRequest) throws(Das3Error) {
    self.base = base
    self.request = request
    trainer = try Trainer(
      base.model, height: request.height, width: request.width, losses: request.losses,
      options: request.trainer)
    backendName = CString(request.trainer.execution.backend == .oneDNN ? "onednn" : "openblas")
  }

  func add(_ frame: Frame) {
    frames.append(StoredFrame(frame, channelCount: base.model.channelCount))
  }

  func step() throws(Das3Error) -> (report: SGD.Report, values: Losses.Values) {
    guard !frames.isEmpty else { throw .argument("the adapter has no frames to learn from") }
    var mean = Losses.Values()
    let share = 1 / Double(request.batchSize)
    for _ in 0..<request.batchSize {
      try frames[next].withFrame { trainer.load($0) }
      next = (next + 1) % frames.count
      let values = try trainer.addGradient(scale: Float(share))
      mean.total += share * values.total
      mean.focalEntropy += share * values.focalEntropy
      mean.diversity += share * values.diversity
      mean.meanEntropy += share * values.meanEntropy
    }
    return (trainer.step(), mean)
  }
}

@c @implementation
public func das3_adapter_options_init(_ options: UnsafeMutablePointer<das3_adapter_options>?) {
  unsafe options?.pointee = defaultAdapterOptions()
}

@c @implementation
public func das3_adapter_create(
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ model: OpaquePointer?,
  _ options: UnsafePointer<das3_adapter_options>?
) -> das3_status {
  status { () throws(Das3Error) in
    try unsafe create(out) { () throws(Das3Error) in
      let object = try unsafe Handle.lend(model, as: ModelObject.self, "model")
      return try unsafe AdapterObject(object, AdapterRequest(options, object.model))
    }
  }
}

@c @implementation
public func das3_adapter_add_frame(_ adapter: OpaquePointer?, _ image: UnsafePointer<das3_image>?)
  -> das3_status
{
  status { () throws(Das3Error) in
    let object = try unsafe Handle.lend(adapter, as: AdapterObject.self, "adapter")
    object.add(try unsafe Frame(image))
  }
}

@c @implementation
public func das3_adapter_step(
  _ adapter: OpaquePointer?, _ report: UnsafeMutablePointer<das3_adapter_report>?
) -> das3_status {
  status { () throws(Das3Error) in
    let object = try unsafe Handle.lend(adapter, as: AdapterObject.self, "adapter")
    let clock = ContinuousClock()
    let start = clock.now
    let (step, values) = try object.step()
    let duration = (clock.now - start).components
    guard let report = unsafe report else { return }
    let value = das3_adapter_report(
      struct_size: 0, skipped: step.isSkipped ? 1 : 0, step: Int64(object.trainer.stepCount),
      loss: values.total, focal_entropy: values.focalEntropy, diversity: values.diversity,
      entropy: values.meanEntropy, gradient_norm: step.gradientNorm,
      learning_rate: Double(step.rates.first ?? 0),
      seconds: Double(duration.seconds) + Double(duration.attoseconds) * 1e-18)
    try unsafe VersionedStruct.write(value, to: report, "report")
  }
}

@c @implementation
public func das3_adapter_snapshot(
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ adapter: OpaquePointer?
) -> das3_status {
  status { () throws(Das3Error) in
    try unsafe create(out) { () throws(Das3Error) in
      let object = try unsafe Handle.lend(adapter, as: AdapterObject.self, "adapter")
      var provenance = Provenance(method: "das3")
      provenance.stages = "a"
      provenance.steps = object.trainer.stepCount
      provenance.frames = object.frames.count
      return try ModelObject(
        object.base, weights: object.trainer.weights, provenance: provenance)
    }
  }
}

@c @implementation
public func das3_adapter_get_info(
  _ adapter: OpaquePointer?, _ info: UnsafeMutablePointer<das3_adapter_info>?
) -> das3_status {
  status { () throws(Das3Error) in
    let object = try unsafe Handle.lend(adapter, as: AdapterObject.self, "adapter")
    let execution = object.request.trainer.execution
    let value = unsafe das3_adapter_info(
      struct_size: 0, height: Int32(object.request.height), width: Int32(object.request.width),
      threads: Int32(execution.threads), precision: execution.usesBFloat16 ? 1 : 0,
      frame_count: Int32(object.frames.count), peak_bytes: UInt64(object.trainer.byteCount),
      multiply_adds: object.trainer.multiplyAdds, backend: object.backendName.start)
    try unsafe VersionedStruct.write(value, to: info, "info")
  }
}

@c @implementation
public func das3_adapter_free(_ adapter: OpaquePointer?) {
  unsafe Handle.end(adapter, as: AdapterObject.self)
}

private func defaultAdapterOptions() -> das3_adapter_options {
  unsafe das3_adapter_options(
    struct_size: UInt32(MemoryLayout<das3_adapter_options>.size), threads: 0, height: 0, width: 0,
    precision: 0, batch_norm: Int32(DAS3_BATCH_NORM_FROZEN.rawValue), batch_size: 1, max_steps: 0,
    memory_limit: 0, learning_rate: 2.5e-4, momentum: 0.9, weight_decay: 5e-4, clip_norm: 1,
    statistics_momentum: 0.1, alpha: 0.002, beta: 0.0002, gamma: 3, lambda: 3, trained: nil,
    frozen: nil)
}

/// `das3_adapter_options`, checked.
struct AdapterRequest {
  let height, width: Int
  let batchSize: Int
  let losses: Losses
  let trainer: Trainer.Options

  init(_ pointer: UnsafePointer<das3_adapter_options>?, _ model: SegmentationModel)
    throws(Das3Error)
  {
    let options = try unsafe VersionedStruct.read(
      pointer, defaults: defaultAdapterOptions(), "options")
    let size = try unsafe networkSize(height: options.height, width: options.width)
    guard let height = size?.height ?? model.fixedHeight,
      let width = size?.width ?? model.fixedWidth
    else { throw .argument("height and width are 0; the network takes any size, so say which") }
    (self.height, self.width) = (height, width)
    batchSize = Int(unsafe options.batch_size)
    guard (1...1024).contains(batchSize) else {
      throw .argument("batch_size is \(batchSize); expected 1 to 1024")
    }
    let numbers = unsafe [
      ("learning_rate", options.learning_rate), ("momentum", options.momentum),
      ("weight_decay", options.weight_decay), ("clip_norm", options.clip_norm),
      ("alpha", options.alpha), ("beta", options.beta), ("gamma", options.gamma),
      ("lambda", options.lambda), ("max_steps", Double(options.max_steps)),
    ]
    for (name, value) in numbers
    where !(value >= 0 && value <= Double(Float.greatestFiniteMagnitude)) {
      throw .argument("\(name) is \(value); expected a number from 0")
    }
    let statisticsMomentum = unsafe options.statistics_momentum
    guard (0...1).contains(statisticsMomentum) else {
      throw .argument("statistics_momentum is \(statisticsMomentum); expected 0 to 1")
    }
    var losses = Losses()
    losses.focalEntropy = Float(unsafe options.alpha)
    losses.diversity = Float(unsafe options.beta)
    losses.gamma = Float(unsafe options.gamma)
    losses.lambda = Float(unsafe options.lambda)
    self.losses = losses
    var selection: ParameterSelection? = ParameterSelection(
      rate: Float(unsafe options.learning_rate))
    if let text = unsafe options.trained { selection?.trained = unsafe Self.patterns(text) }
    if let text = unsafe options.frozen { selection?.frozen = unsafe Self.patterns(text) }
    var batchNorm = Planner.Training.BatchNormMode.frozen
    switch unsafe das3_batch_norm(rawValue: UInt32(bitPattern: options.batch_norm)) {
    case DAS3_BATCH_NORM_FROZEN: break
    case DAS3_BATCH_NORM_BATCH: batchNorm = .batch
    case DAS3_BATCH_NORM_STATISTICS: (batchNorm, selection) = (.batch, nil)
    case let other: throw .argument("batch_norm is \(other.rawValue); expected a das3_batch_norm")
    }
    var trainer = Trainer.Options(
      execution: try unsafe executionOptions(
        threads: options.threads, precision: options.precision),
      selection: selection)
    trainer.batchNorm = batchNorm
    trainer.statisticsMomentum = Float(statisticsMomentum)
    trainer.memoryLimit = unsafe options.memory_limit
    trainer.sgd.momentum = Float(unsafe options.momentum)
    trainer.sgd.weightDecay = Float(unsafe options.weight_decay)
    let clipNorm = unsafe options.clip_norm
    trainer.sgd.clipNorm = clipNorm > 0 ? clipNorm : nil
    let maxSteps = Int(unsafe options.max_steps)
    if maxSteps > 0 { trainer.sgd.schedule = .poly(maxSteps: maxSteps) }
    self.trainer = trainer
  }

  private static func patterns(_ text: UnsafePointer<CChar>) -> [String] {
    unsafe String(cString: text).split(separator: " ").map(String.init)
  }
}
