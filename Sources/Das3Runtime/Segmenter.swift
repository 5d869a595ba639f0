internal import CKernels
import Das3Graph
import Synchronization

/// A model prepared for one input size: frames in, labels out.
///
/// One thread at a time.
@safe package final class Segmenter {
  /// The buffers for results, height × width of the frame each; nil = not wanted.
  @safe package struct Results {
    let labels: UnsafeMutablePointer<UInt8>?
    let confidence: UnsafeMutablePointer<UInt8>?
    let entropy: UnsafeMutablePointer<Float>?
    /// classes × height × width.
    let probabilities: UnsafeMutablePointer<Float>?

    package init(
      labels: UnsafeMutablePointer<UInt8>?, confidence: UnsafeMutablePointer<UInt8>?,
      entropy: UnsafeMutablePointer<Float>?, probabilities: UnsafeMutablePointer<Float>?
    ) {
      unsafe self.labels = labels
      unsafe self.confidence = confidence
      unsafe self.entropy = entropy
      unsafe self.probabilities = probabilities
    }
  }

  /// All that depends on the input size of the network.
  private struct Prepared {
    let height: Int
    let width: Int
    let executor: Executor
    /// The weights of the model, one set for each of its scenes; the executor has one of them.
    var sets: [WeightSet]

    var byteCount: Int {
      executor.byteCount + sets.dropFirst().reduce(0) { $0 + $1.byteCount }
    }
  }

  /// All that depends on the size of the frames.
  private struct Resampling {
    let input: FrameInput
    /// nil where the scores have the size of the frame.
    let output: (rows: AxisTable, columns: AxisTable, scratch: Arena)?
  }

  package private(set) var model: SegmentationModel
  package let options: ExecutionOptions
  private let memoryLimit: UInt64
  private let followsFrames: Bool
  private let usesScenes: Bool
  private let moments: FrameMoments
  /// Of the last frame; nil = the model has none, or they are not used.
  package private(set) var scene: Int?
  private var prepared: Prepared?
  private var resampling: Resampling?
  private let original: SegmentationModel
  /// Whether each step is measured; setting it forgets what was.
  package var isProfiled = false {
    didSet { prepared?.executor.measureSteps(isProfiled) }
  }
  private let standby = Mutex(Standby())

  /// The state that `prepare` on another thread shares with the thread that segments.
  private struct Standby {
    /// Of the plan in use; nil before there is one.
    var schedule: Schedule?
    /// Prepared for `setModel`, one set a scene.
    var ready: (model: SegmentationModel, sets: [WeightSet])?
    /// Sets that are not in use; their memory is for the next ones.
    var spares: [WeightSet] = []

    var byteCount: Int {
      ((ready?.sets ?? []) + spares).reduce(0) { $0 + $1.byteCount }
    }

    /// Memory for the next sets: where too few are spare, also that of sets that nobody has taken
    /// yet.
    mutating func takeSpares(_ count: Int) -> [WeightSet] {
      if spares.count < count, let ready {
        spares += ready.sets
        self.ready = nil
      }
      defer { spares.removeLast(min(count, spares.count)) }
      return spares.suffix(count)
    }

    /// Has sets prepared in the place of those that nobody has taken.
    mutating func put(_ model: SegmentationModel, _ sets: [WeightSet]) {
      if let ready { spares += ready.sets }
      ready = (model, sets)
    }
  }

  /// Prepares a model; where the size is known, makes plan and memory at once.
  ///
  /// - Parameters:
  ///   - model: shared, not copied.
  ///   - size: height and width the network works on; nil = the model's fixed size, or the
  ///     frame's own (rounded to the model's stride multiple where the network refuses it).
  ///   - options: threads, backend, precision.
  ///   - memoryLimit: bytes, 0 = none.
  ///   - usesScenes: a model with statistics of scenes labels each frame with those of its scene.
  /// - Throws: `.shape` where the network does not fit the size, `.memory` where the limit or the
  ///   machine does not suffice.
  package init(
    _ model: SegmentationModel, size: (height: Int, width: Int)?, options: ExecutionOptions,
    memoryLimit: UInt64, usesScenes: Bool = true
  ) throws(Das3Error) {
    self.model = model
    original = model
    self.options = options
    self.memoryLimit = memoryLimit
    self.usesScenes = usesScenes
    moments = FrameMoments(channelCount: model.channelCount)
    var known = size
    if known == nil, let height = model.fixedHeight, let width = model.fixedWidth {
      known = (height, width)
    }
    followsFrames = known == nil
    if let known { prepared = try prepare(height: known.height, width: known.width) }
  }

  /// The input size of the network; nil until the first frame decides it.
  package var size: (height: Int, width: Int)? { prepared.map { ($0.height, $0.width) } }
  package var byteCount: Int {
    (prepared?.byteCount ?? 0) + 4 * (resampling?.output?.scratch.elementCount ?? 0)
      + standby.withLock { $0.byteCount }
  }
  package var multiplyAdds: Double { prepared?.executor.plan.multiplyAdds ?? 0 }

  /// Labels one frame.
  package func segment(_ frame: Frame, into results: Results) throws(Das3Error) {
    try frame.checkFinite(channelCount: model.channelCount)
    let prepared = try prepared(for: frame)
    let resampling = try resampling(for: frame, prepared)
    let threads = Int32(options.threads)
    KernelFailure.clear()
    let profile = prepared.executor.profile
    scene = scenes(of: model).map { $0.map.nearest(to: moments.read(frame)) }
    prepared.executor.weights = prepared.sets[scene ?? 0]
    func measure(_ name: String, _ body: () -> Void) {
      if let profile { profile.measure(name, body) } else { body() }
    }
    measure("frame") { resampling.input.read(frame, model, into: prepared.executor) }
    prepared.executor.run()
    try KernelFailure.check()
    let scores = prepared.executor.plan.outputs[0]
    func label(
      _ rows: UnsafePointer<d3k_axis>?, _ columns: UnsafePointer<d3k_axis>?,
      _ scratch: UnsafeMutablePointer<Float>?
    ) {
      var image = unsafe d3k_scores(
        data: prepared.executor.output(0), stride: Int64(scores.pixelStride ?? scores.shape[1]),
        height: Int64(scores.shape[2]), width: Int64(scores.shape[3]),
        classes: Int64(scores.shape[1]), is_probability: model.scores.isProbability ? 1 : 0)
      var labelling = unsafe d3k_labelling(
        rows: rows, columns: columns, labels: results.labels, confidence: results.confidence,
        entropy: results.entropy, probabilities: results.probabilities, scratch: scratch)
      unsafe d3k_label(threads, &image, &labelling)
    }
    measure("labels") {
      if let output = resampling.output {
        unsafe output.rows.withAxis { rows in
          unsafe output.columns.withAxis { columns in
            unsafe label(rows, columns, output.scratch.pointer(at: 0))
          }
        }
      } else {
        label(nil, nil, nil)
      }
    }
  }

  /// What was measured for the present size of frames; nil where nothing is.
  package var profileText: String? { prepared?.executor.profileText }

  /// Prepares the weights of another model of the same graph for `setModel`.
  ///
  /// Any thread may call it, also while another thread segments, but only one at a time. It does
  /// nothing before the first frame has set the size.
  ///
  /// - Throws: `.shape` where the graphs differ, `.memory` where the limit or the machine does not
  ///   suffice for a second set of weights.
  package func prepare(_ other: SegmentationModel) throws(Das3Error) {
    try checkGraph(of: other)
    let count = setCount(of: other)
    let (schedule, spares) = standby.withLock { ($0.schedule, $0.takeSpares(count)) }
    guard let schedule else { return }
    var sets = spares.filter { $0.isOf(schedule) }
    let inUse = setCount(of: original)
    try checkMemory(for: count, of: schedule, beside: inUse * schedule.weightSetByteCount)
    for index in 0..<count {
      let weights = weights(of: other, index)
      if index < sets.count {
        try sets[index].take(weights)
      } else {
        sets.append(try WeightSet(schedule, weights))
      }
    }
    standby.withLock { $0.put(other, sets) }
  }

  // MARK: Scenes

  private func scenes(of model: SegmentationModel) -> SceneBank? {
    usesScenes ? model.scenes : nil
  }

  /// Scenes in use; 0 = all frames have the same statistics.
  package var sceneCount: Int { scenes(of: model)?.count ?? 0 }

  /// Sets of weights that a model needs.
  private func setCount(of model: SegmentationModel) -> Int { scenes(of: model)?.count ?? 1 }

  private func weights(of model: SegmentationModel, _ index: Int) -> [Float] {
    scenes(of: model) == nil ? model.onnx.weights : model.weights(ofScene: index)
  }

  /// Refuses sets of weights for which the limit has no room.
  private func checkMemory(for setCount: Int, of schedule: Schedule, beside held: Int = 0)
    throws(Das3Error)
  {
    let network = schedule.byteCount - schedule.weightSetByteCount + held
    let needed = network + setCount * schedule.weightSetByteCount
    do throws(Das3Error) {
      try Arena.check(needed, against: memoryLimit)
    } catch {
      guard setCount > 1 else { throw error }
      throw .memory(
        "the network with its \(setCount) scenes needs \(needed) bytes; the memory limit is "
          + "\(memoryLimit). Without scenes \(network + schedule.weightSetByteCount) suffice")
    }
  }

  /// Takes all memory that `prepare` will ever need now: one set can be prepared while another one
  /// waits for `setModel`.
  ///
  /// Any thread may call it. It does nothing before the first frame has set the size.
  ///
  /// - Throws: `.memory` where the limit or the machine does not suffice.
  package func reserveSets() throws(Das3Error) {
    guard let schedule = standby.withLock({ $0.schedule }) else { return }
    try Arena.check(schedule.byteCount + 2 * schedule.weightSetByteCount, against: memoryLimit)
    for _ in 0..<2 {
      let spare = try WeightSet(schedule, original.onnx.weights)
      standby.withLock { $0.spares.append(spare) }
    }
  }

  /// Uses the weights of another model of the same graph from now on; plan and memory stay.
  ///
  /// Cost: constant where `prepare` has prepared the weights, else one pass over them.
  package func setModel(_ other: SegmentationModel) throws(Das3Error) {
    guard var prepared else {
      try checkGraph(of: other)
      model = other
      return
    }
    let executor = prepared.executor
    let ready: [WeightSet]? = standby.withLock { standby in
      guard let ready = standby.ready, ready.model === other, ready.sets[0].isOf(executor.schedule)
      else { return nil }
      standby.ready = nil
      standby.spares += prepared.sets
      return ready.sets
    }
    if let ready {
      prepared.sets = ready
    } else {
      try checkGraph(of: other)
      let count = setCount(of: other)
      try checkMemory(for: count, of: executor.schedule)
      while prepared.sets.count < count {
        prepared.sets.append(try executor.makeWeights(weights(of: other, 0)))
      }
      prepared.sets.removeLast(prepared.sets.count - count)
      for (index, set) in prepared.sets.enumerated() {
        executor.weights = set
        executor.setWeights(weights(of: other, index))
      }
    }
    executor.weights = prepared.sets[0]
    self.prepared = prepared
    model = other
  }

  private func checkGraph(of other: SegmentationModel) throws(Das3Error) {
    guard other.image.name == original.image.name, other.scores.name == original.scores.name
    else {
      throw .shape(
        "the other model goes from '\(other.image.name)' to '\(other.scores.name)'; expected "
          + "'\(original.image.name)' to '\(original.scores.name)'")
    }
    if let difference = original.onnx.difference(from: other.onnx) {
      throw .shape("the other model differs: \(difference)")
    }
  }

  private func prepared(for frame: Frame) throws(Das3Error) -> Prepared {
    guard followsFrames else {
      guard let prepared else { throw Das3Error(.internal, "a segmenter without a plan") }
      return prepared
    }
    if let prepared, let resampling, resampling.input.fits(frame) { return prepared }
    // The memory limit is for one size at a time.
    (prepared, resampling) = (nil, nil)
    let new: Prepared
    do throws(Das3Error) {
      new = try prepare(
        height: model.fixedHeight ?? frame.height, width: model.fixedWidth ?? frame.width)
    } catch {
      guard error.code == .shape else { throw error }
      let multiple = model.strideMultiple
      func rounded(_ size: Int) -> Int {
        max(multiple, (size + multiple / 2) / multiple * multiple)
      }
      new = try prepare(
        height: model.fixedHeight ?? rounded(frame.height),
        width: model.fixedWidth ?? rounded(frame.width))
    }
    prepared = new
    return new
  }

  private func prepare(height: Int, width: Int) throws(Das3Error) -> Prepared {
    let graph = try model.graph(height: height, width: width)
    let plan = Planner.plan(
      graph, of: model.onnx, traits: .kernels(options), putsChannelsLast: true)
    let schedule = try Schedule(plan, options, parameterCount: model.onnx.weights.count)
    let count = setCount(of: model)
    try checkMemory(for: count, of: schedule)
    let executor = try Executor(schedule, weights(of: model, 0), memoryLimit: memoryLimit)
    var prepared = Prepared(
      height: height, width: width, executor: executor, sets: [executor.weights])
    for index in 1..<count {
      prepared.sets.append(try executor.makeWeights(weights(of: model, index)))
    }
    executor.measureSteps(isProfiled)
    standby.withLock { $0 = Standby(schedule: schedule) }
    return prepared
  }

  private func resampling(for frame: Frame, _ prepared: Prepared) throws(Das3Error) -> Resampling {
    if let resampling, resampling.input.fits(frame) { return resampling }
    resampling = nil
    let scores = prepared.executor.plan.outputs[0].shape
    let isSameSize = scores[2] == frame.height && scores[3] == frame.width
    let new = Resampling(
      input: FrameInput(
        frameHeight: frame.height, frameWidth: frame.width, height: prepared.height,
        width: prepared.width),
      output: try isSameSize
        ? nil
        : (
          AxisTable(.halfPixel(from: scores[2], to: frame.height)),
          AxisTable(.halfPixel(from: scores[3], to: frame.width)),
          scratch(options.threads * 3 * frame.width * scores[1], beside: prepared)
        ))
    resampling = new
    return new
  }

  private func scratch(_ elementCount: Int, beside prepared: Prepared) throws(Das3Error) -> Arena {
    try Arena.check(prepared.byteCount + 4 * elementCount, against: memoryLimit)
    return try Arena(elementCount: elementCount)
  }
}
