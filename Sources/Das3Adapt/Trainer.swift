internal import CKernels
import Das3Graph
import Das3Runtime

/// A network in training at one input size: frame → scores → losses → gradient → new weights.
///
/// One thread at a time. All memory that grows with the network or its input is taken at the start.
package final class Trainer {
  package struct Options: Sendable {
    package var execution: ExecutionOptions
    package var batchNorm = Planner.Training.BatchNormMode.frozen
    /// How far running statistics move per frame in `batch` mode.
    package var statisticsMomentum: Float = 0.1
    /// What is trained, and how fast; nil = nothing: only statistics move.
    package var selection: ParameterSelection?
    package var optimizer = Optimizer()
    /// Trained beside the network; nil = there are none.
    package var auxiliary: AuxiliaryClassifiers?
    /// Bytes of everything; 0 = no limit.
    package var memoryLimit: UInt64 = 0
    /// How many of them are for something else, by the shape of the scores and the bytes of a set of
    /// weights.
    package var reserved: @Sendable (_ scores: Shape, _ weightSet: Int) -> Int = { _, _ in 0 }

    package init(execution: ExecutionOptions, selection: ParameterSelection?) {
      self.execution = execution
      self.execution.packsPerRun = true
      self.selection = selection
    }
  }

  package let model: SegmentationModel
  package var losses: Losses
  package var optimizer: Optimizer
  /// Whose weights follow those of the network in every set of this trainer.
  package let auxiliary: AuxiliaryClassifiers?
  let executor: Executor
  /// The weights in training.
  package private(set) var student: WeightSet
  package private(set) var groups: [ParameterGroup]
  /// For weights other than the student's; nil = their memory is taken when they are made.
  private var spare: WeightSet?
  private let velocity: Arena
  private let squares: Arena?
  /// Of the losses; after it lies what the original of auxiliary classifiers says.
  let scratch: Arena
  private var loader: FrameLoader
  /// Statistics that each frame is shown with by every set of weights; nil = the sets' own.
  ///
  /// Statistics that follow the frames would be lost with those of a scene, so that there must be
  /// none. Weights that are read or saved always have their own.
  package var scenes: SceneBank? {
    didSet {
      precondition(scenes == nil || statisticRanges.isEmpty)
      student.show(scene: nil, [], at: [])
      scene = nil
    }
  }
  private let moments: FrameMoments
  private let scenePlaces: [Range<Int>]
  /// Of the loaded frame; nil = nobody told them apart.
  private var scene: Int?
  /// Weights that follow the frames instead of the gradient.
  private let statisticRanges: [Range<Int>]
  package let height, width: Int
  /// Pixels of the scores that count for nothing as frames are loaded; nil = all count.
  package var ignored: IgnoredPixels? { didSet { mirroredIgnored = ignored?.mirrored } }
  private var mirroredIgnored: IgnoredPixels?
  private var isMirrored = false
  private var isWhole = true
  /// Optimiser steps since the last `restart`.
  package private(set) var stepCount = 0
  /// Spent in passes of the network so far.
  package private(set) var networkTime = Duration.zero
  private let clock = ContinuousClock()

  /// Plans both passes.
  ///
  /// - Parameters:
  ///   - model: where the weights start.
  ///   - height: of the network's input.
  ///   - width: of the network's input.
  ///   - losses: what is minimised.
  ///   - options: precision, threads, what is trained and how.
  /// - Throws: `.memory` where the limit cannot be kept, naming the smallest possible one.
  package init(
    _ model: SegmentationModel, height: Int, width: Int, losses: Losses, options: Options
  ) throws(Das3Error) {
    self.model = model
    self.losses = losses
    (self.height, self.width) = (height, width)
    loader = FrameLoader(model, height: height, width: width)
    moments = FrameMoments(channelCount: model.channelCount)
    scenePlaces = model.onnx.statisticRanges
    let optimizer = options.optimizer
    self.optimizer = optimizer
    auxiliary = options.auxiliary
    let onnx = options.auxiliary?.onnx ?? model.onnx
    let groups =
      (try options.selection?.groups(of: model.onnx.parameters) ?? [])
      + Self.groups(options.auxiliary, rate: 0)
    self.groups = groups
    let count = onnx.weights.count
    try optimizer.check(groups, weightCount: count)
    var training = Self.training(of: onnx, groups, options)
    let graph =
      if let auxiliary { auxiliary.graph } else {
        try model.trainingGraph(height: height, width: width)
      }
    func makeSchedule(_ training: Planner.Training) throws(Das3Error) -> Schedule {
      try Self.schedule(graph, of: onnx, training, options.execution)
    }
    var schedule = try makeSchedule(training)
    let scores = schedule.plan.outputs[0].shape
    let reserved = options.reserved(scores, schedule.weightSetByteCount)
    func byteCount(_ schedule: Schedule) -> Int {
      reserved + Self.byteCount(of: schedule, weightCount: count, optimizer)
    }
    let limit = options.memoryLimit > 0 ? Int(clamping: options.memoryLimit) : .max
    // What is computed again prepares its weights a second time, so one turn may not do.
    while byteCount(schedule) > limit {
      let count = schedule.plan.frameElementCount
      guard count <= training.frameElementLimit ?? .max, training.frameElementLimit != 0 else {
        throw .memory(
          "training at \(width)x\(height) needs at least \(byteCount(schedule)) bytes; the memory limit is \(limit)"
        )
      }
      training.frameElementLimit = max(0, count - (byteCount(schedule) - limit + 3) / 4)
      schedule = try makeSchedule(training)
    }
    statisticRanges =
      options.batchNorm == .frozen
      ? []
      : onnx.parameters.filter(\.isStatistic).map {
        $0.offset..<$0.offset + $0.shape.elementCount
      }
    executor = try Executor(schedule, onnx.weights)
    student = executor.weights
    velocity = try Arena(elementCount: count)
    squares = optimizer.rule == .adamW ? try Arena(elementCount: count) : nil
    scratch = try Arena(elementCount: Self.scratchElementCount(of: schedule))
  }

  /// Bytes of activations, weights, their derivatives, momentum and scratch: known before anything
  /// runs, and not exceeded.
  package var byteCount: Int {
    executor.byteCount + (spare?.byteCount ?? 0) + 4 * (scenes?.statistics.joined().count ?? 0)
      + 4 * [velocity, squares, scratch].reduce(0) { $0 + ($1?.elementCount ?? 0) }
  }

  /// Takes the physical memory of all of them now.
  func populate() {
    executor.populate()
    for arena in [velocity, squares, scratch] { arena?.populate() }
  }

  /// Whether each step is measured; setting it forgets what was.
  package var isProfiled = false {
    didSet { executor.measureSteps(isProfiled) }
  }

  /// What was measured; nil where nothing is.
  package var profileText: String? { executor.profileText }

  func measure<Result, Failure: Error>(
    _ name: String, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    if let profile = executor.profile { return try profile.measure(name, body) }
    return try body()
  }

  /// Bytes of them that are in use before the first pass.
  var restingByteCount: Int { student.byteCount }

  /// Of both passes of one frame.
  package var multiplyAdds: Double { executor.plan.multiplyAdds }

  /// Scores of the network on one frame: 1×C×h×w.
  package var scoreShape: Shape { executor.plan.outputs[0].shape }

  /// The weights of the network as they are now.
  package var weights: [Float] {
    withWeights { weights in weights.indices.map { weights[$0] } }
  }

  /// The same with those of auxiliary classifiers after them.
  package var allWeights: [Float] { student.values }
  /// How many these are.
  var weightCount: Int { velocity.elementCount }

  /// Lends them for reading.
  func withWeights<Result>(_ body: (Span<Float>) -> Result) -> Result {
    let weights = unsafe UnsafeBufferPointer(
      start: student.pointer, count: model.onnx.weights.count)
    return unsafe body(weights.span)
  }

  /// Running statistics that follow the frames; none where they are frozen.
  package var statistics: [Float] {
    get { statisticRanges.flatMap { range in range.map { unsafe student.pointer[$0] } } }
    set {
      for (index, value) in zip(statisticRanges.joined(), newValue) {
        unsafe student.pointer[index] = value
      }
    }
  }

  /// Normalisations whose running statistics follow the frames; none where they are frozen.
  package var statisticsLayers: [StatisticsLayer] { executor.plan.statisticsLayers }

  /// What the optimizer remembers: momentum and, for some rules, mean squares.
  package var optimizerMemory: [[Float]] { [velocity, squares].compactMap { $0?.values } }

  /// Goes on where another trainer of the same model, groups and optimizer stood.
  ///
  /// - Throws: `.argument` where the memory is not of this trainer's kind.
  package func resume(_ weights: [Float], memory: [[Float]], stepCount: Int) throws(Das3Error) {
    let arenas = [velocity, squares].compactMap { $0 }
    guard weights.count == velocity.elementCount, memory.count == arenas.count,
      memory.allSatisfy({ $0.count == weights.count })
    else {
      throw .argument("the optimizer's memory is not that of this model and optimizer")
    }
    for (arena, values) in zip(arenas, memory) { arena.fill(values) }
    setWeights(weights)
    self.stepCount = stepCount
  }

  /// The gradient since the last step.
  package var gradients: [Float] { executor.gradients }

  /// Puts a frame, or an enlarged part of it, before the network.
  package func load(_ frame: Frame, _ part: FramePart = .whole) {
    measure("frame") { loader.load(frame, part, into: executor) }
    scene = scenes.map { $0.map.nearest(to: moments.read(frame)) }
    (isMirrored, isWhole) = (false, part == .whole)
  }

  /// Puts an image before the network that is prepared already: channels × height × width.
  package func load(_ image: [Float]) {
    executor.write(image, to: 0)
    scene = nil
    (isMirrored, isWhole) = (false, true)
  }

  /// Mirrors the loaded image, and with it what is ignored.
  package func mirrorImage() {
    isMirrored.toggle()
    unsafe d3k_flip(
      Int32(executor.options.threads), image, Int64(height), Int64(width),
      Int64(model.channelCount * MemoryLayout<Float>.stride))
  }

  /// What is ignored of the loaded image, as that lies; of an enlarged part its labels must know.
  var ignoredNow: IgnoredPixels? {
    isWhole ? (isMirrored ? mirroredIgnored : ignored) : nil
  }

  /// The loaded image as it lies in memory: height × width × channels, normalised.
  ///
  /// Valid until the next pass.
  package var image: UnsafeMutablePointer<Float> { unsafe executor.input(0) }

  /// Lends it for reading.
  func withImage<Result>(_ body: (Span<Float>) -> Result) -> Result {
    let image = unsafe UnsafeBufferPointer(
      start: image, count: height * width * model.channelCount)
    return unsafe body(image.span)
  }

  /// A copy of it.
  package var imageValues: [Float] {
    withImage { image in image.indices.map { image[$0] } }
  }

  /// Adds the gradient of the losses on the loaded frame, times `scale`, to what is there.
  ///
  /// - Parameters:
  ///   - labels: one a score pixel, 255 = none; for cross-entropy.
  ///   - confidences: of the labels, 255 = 1; nil = 1 each.
  ///   - pixelWeights: of cross-entropy, 255 = 1; nil = 1 each.
  ///   - negatives: marked classes of each pixel; for the negative loss.
  ///   - probabilities: what `predict(probabilities:)` made; for consistency and divergence.
  ///   - masks: of auxiliary classifiers, which then have their consistency with the network's own;
  ///     nil = they learn nothing.
  ///   - scale: 1 / n where n frames make a step.
  ///   - movesStatistics: running statistics that follow the frames follow this one.
  ///   - answer: receives what the network says, as `predict(probabilities:)` would.
  /// - Returns: the losses on this frame, without `scale`.
  /// - Throws: `.shape` where any of them is not as large as the scores or classifiers want.
  package func addGradient(
    labels: [UInt8]? = nil, confidences: [UInt8]? = nil, pixelWeights: [UInt8]? = nil,
    negatives: [UInt8]? = nil, probabilities: Arena? = nil, masks: [[Float]]? = nil,
    scale: Float = 1, movesStatistics: Bool = true, answer: Arena? = nil
  ) throws(Das3Error) -> Losses.Values {
    try writeMasks(masks)
    networkTime += clock.measure { run(student, movesStatistics: movesStatistics) }
    if let answer { normalise(into: answer) }
    let pixelCount = scoreShape[2] * scoreShape[3]
    let bytes = [labels, confidences, pixelWeights]
    guard bytes.allSatisfy({ $0 == nil || $0?.count == pixelCount }),
      probabilities.map({ $0.elementCount >= pixelCount * scoreShape[1] }) ?? true,
      negatives.map({ $0.count == pixelCount * ((scoreShape[1] + 7) / 8) }) ?? true
    else { throw .shape("labels, or what belongs to them, do not fit scores of \(scoreShape)") }
    let result = unsafe withOptionalPointer(labels) { labels in
      unsafe withOptionalPointer(confidences) { confidences in
        unsafe withOptionalPointer(pixelWeights) { pixelWeights in
          unsafe withOptionalPointer(negatives) { negatives in
            unsafe withOptionalPointer(ignoredNow?.marks) {
              ignored -> Result<Losses.Values, Das3Error> in
              do throws(Das3Error) {
                return .success(
                  try unsafe evaluate(
                    labels, confidences, pixelWeights, negatives, probabilities, ignored, scale))
              } catch {
                return .failure(error)
              }
            }
          }
        }
      }
    }
    var values = try result.get()
    try addAuxiliaryLosses(to: &values, isCompared: masks != nil, scale)
    networkTime += clock.measure(executor.runBackward)
    try KernelFailure.check()
    return values
  }

  private func evaluate(
    _ labels: UnsafePointer<UInt8>?, _ confidences: UnsafePointer<UInt8>?,
    _ pixelWeights: UnsafePointer<UInt8>?, _ negatives: UnsafePointer<UInt8>?,
    _ probabilities: Arena?, _ ignored: UnsafePointer<UInt8>?, _ scale: Float
  ) throws(Das3Error) -> Losses.Values {
    let (scores, gradient) = (executor.plan.outputs[0], executor.plan.outputGradients[0])
    let batch = try unsafe Losses.Batch(
      scores: executor.output(0), scoreStride: scores.pixelStride ?? scores.shape[1],
      pixelCount: scores.shape[2] * scores.shape[3], classCount: scores.shape[1], labels: labels,
      confidences: confidences, pixelWeights: pixelWeights, negatives: negatives,
      probabilities: probabilities.map { unsafe UnsafePointer($0.pointer(at: 0)) },
      ignored: ignored, gradient: executor.outputGradient(0),
      gradientStride: gradient.pixelStride ?? scores.shape[1])
    return try measure("losses") { () throws(Das3Error) in
      try losses.evaluate(
        batch, scale: scale, scratch: scratch, threads: executor.options.threads)
    }
  }

  /// Lets the running statistics follow the loaded frame; nothing is trained.
  package func observe() { networkTime += clock.measure { run(student) } }

  private func run(_ weights: WeightSet, movesStatistics: Bool = true) {
    if weights.scene != scene {
      weights.show(scene: scene, scene.flatMap { scenes?.statistics[$0] } ?? [], at: scenePlaces)
    }
    executor.prepareStale(weights)
    executor.weights = weights
    executor.run(movesStatistics: movesStatistics)
  }

  /// Moves the weights by the gradient gathered since the last step, which starts again at 0.
  ///
  /// A gradient that is not finite moves nothing and is reported.
  ///
  /// - Parameter moves: false reports the gradient and moves nothing.
  /// - Returns: what was done.
  package func step(moves: Bool = true) -> Optimizer.Report {
    let report = measure("optimizer") {
      unsafe optimizer.step(
        stepCount, groups,
        Optimizer.Vectors(
          weights: student.pointer, gradient: executor.gradientsPointer,
          velocity: velocity.pointer(at: 0), squares: squares?.pointer(at: 0)),
        threads: executor.options.threads, moves: moves)
    }
    stepCount += 1
    executor.clearGradients()
    // With scenes the next frame decides what is to be prepared.
    if scenes == nil { measure("weights") { executor.prepare(student) } }
    return report
  }

  /// Forgets the gradient gathered since the last step.
  package func clearGradients() { executor.clearGradients() }

  /// Starts a new schedule: what is trained of that which was selected at first, and how.
  ///
  /// - Parameters:
  ///   - groups: parts of those the trainer was made for.
  ///   - optimizer: of the same rule as the first.
  /// - Throws: `.argument` as `Optimizer.check`.
  package func restart(_ groups: [ParameterGroup], _ optimizer: Optimizer) throws(Das3Error) {
    try optimizer.check(groups, weightCount: velocity.elementCount)
    self.groups = groups
    self.optimizer = optimizer
    stepCount = 0
    for arena in [velocity, squares] { arena?.clear() }
  }
}

/// The same network, predicting.
extension Trainer {
  /// Labels, their probabilities and marks of the loaded frame; moves no statistics.
  ///
  /// - Parameters:
  ///   - weights: of this trainer; nil = the student.
  ///   - prediction: receives them.
  ///   - mirrored: probabilities of the mirror image; the mean of both counts.
  ///   - zoomed: probabilities by its enlarged parts, which count as much as the above.
  ///   - negativeThreshold: probability below which a class is marked.
  ///   - probabilities: receives those of all classes, channels last; nil = nobody wants them.
  package func predict(
    by weights: WeightSet? = nil, into prediction: inout Prediction, mirrored: Arena? = nil,
    zoomed: ZoomedParts? = nil, negativeThreshold: Float, probabilities: Arena? = nil
  ) {
    let scores = runAlone(weights)
    unsafe prediction.fill(
      scores: executor.output(0), stride: scores.pixelStride ?? scores.shape[1],
      mirrored: mirrored.map { unsafe $0.pointer(at: 0) },
      zoomed: zoomed.map { unsafe $0.pointer }, ignored: ignoredNow,
      negativeThreshold: negativeThreshold,
      probabilities: probabilities.map { unsafe $0.pointer(at: 0) },
      threads: executor.options.threads)
  }

  /// The labels alone of the loaded frame, one a pixel of the scores; moves no statistics.
  package func predict(by weights: WeightSet? = nil, labels: inout [UInt8]) {
    let scores = runAlone(weights)
    unsafe Prediction.label(
      scores: executor.output(0), stride: scores.pixelStride ?? scores.shape[1],
      shape: scores.shape, into: &labels, threads: executor.options.threads)
  }

  /// Probabilities of all classes, channels last, of the loaded frame; moves no statistics.
  package func predict(by weights: WeightSet? = nil, probabilities: Arena) {
    _ = runAlone(weights)
    normalise(into: probabilities)
  }

  /// Scores of the last pass → probabilities, dense.
  private func normalise(into probabilities: Arena) {
    let scores = executor.plan.outputs[0]
    unsafe Prediction.softmax(
      scores: executor.output(0), stride: scores.pixelStride ?? scores.shape[1],
      shape: scores.shape, into: probabilities.pointer(at: 0), scratch: scratch,
      threads: executor.options.threads)
  }

  /// The same at another size, to which the scores are brought; not a smaller network's at a larger.
  ///
  /// - Parameters:
  ///   - weights: of this trainer; nil = the student.
  ///   - shape: 1×C×h×w, of the probabilities.
  ///   - probabilities: receives them.
  func predict(by weights: WeightSet? = nil, resizedTo shape: Shape, probabilities: Arena) {
    guard shape != scoreShape else { return predict(by: weights, probabilities: probabilities) }
    precondition(shape.elementCount <= scoreShape.elementCount)
    let scores = runAlone(weights)
    let threads = executor.options.threads
    let resize = ImageResize(
      from: (scores.shape[2], scores.shape[3]), to: (shape[2], shape[3]), channelCount: shape[1],
      threads: threads)
    unsafe resize.run(
      executor.output(0), stride: scores.pixelStride ?? shape[1],
      into: probabilities.pointer(at: 0))
    unsafe Prediction.softmax(
      scores: probabilities.pointer(at: 0), stride: shape[1], shape: shape,
      into: probabilities.pointer(at: 0), scratch: scratch, threads: threads)
  }

  /// How far the network agrees on the loaded frame with another one; moves no statistics.
  ///
  /// - Parameters:
  ///   - weights: of this trainer; nil = the student.
  ///   - probabilities: what the other says of the frame.
  ///   - pixelWeights: receives one byte a pixel, as `Losses.weigh` has them.
  package func weigh(
    by weights: WeightSet? = nil, against probabilities: Arena, into pixelWeights: inout [UInt8]
  ) {
    let scores = runAlone(weights)
    unsafe Losses.weigh(
      scores: executor.output(0), stride: scores.pixelStride ?? scores.shape[1],
      shape: scores.shape, against: probabilities.pointer(at: 0), ignored: ignoredNow,
      into: &pixelWeights, threads: executor.options.threads)
  }

  /// Compares the loaded frame with its mirror image; moves no statistics.
  ///
  /// - Parameters:
  ///   - weights: of this trainer; nil = the student.
  ///   - mirrored: what `predict(probabilities:)` made of the mirror image.
  /// - Returns: sums over the frame's pixels that count.
  package func compareViews(by weights: WeightSet? = nil, mirrored: Arena) -> ViewSignals {
    let scores = runAlone(weights)
    let classCount = scores.shape[1]
    // The losses take more of it: they have more sums a band.
    var (sums, signals) = (d3k_view_sums(), ViewSignals(classCount: classCount))
    var image = unsafe d3k_scores(
      data: executor.output(0), stride: Int64(scores.pixelStride ?? classCount),
      height: Int64(scores.shape[2]), width: Int64(scores.shape[3]), classes: Int64(classCount),
      is_probability: 0)
    unsafe withOptionalPointer(ignoredNow?.marks) { ignored in
      unsafe d3k_compare_views(
        Int32(executor.options.threads), &image, mirrored.pointer(at: 0), ignored, &sums,
        &signals.masses, scratch.pointer(at: 0))
    }
    (signals.entropySum, signals.divergenceSum) = (sums.entropy, sums.divergence)
    (signals.sameCount, signals.pixelCount) = (sums.same, sums.count)
    return signals
  }

  /// A forward pass that no training follows.
  private func runAlone(_ weights: WeightSet?) -> Plan.View {
    networkTime += clock.measure { run(weights ?? student, movesStatistics: false) }
    return executor.plan.outputs[0]
  }

  /// Other weights for the same network: the student itself where they are equal to its own.
  ///
  /// - Throws: `.memory` where the machine does not suffice.
  package func weightSet(_ weights: [Float]) throws(Das3Error) -> WeightSet {
    try weights == self.weights ? student : makeWeights(weights)
  }

  /// Other weights for the same network, of their own.
  ///
  /// - Throws: `.memory` where the machine does not suffice.
  package func makeWeights(_ weights: [Float]) throws(Das3Error) -> WeightSet {
    let isFree = isKnownUniquelyReferenced(&spare)
    return try executor.makeWeights(weights, in: isFree ? spare : nil)
  }

  /// Takes the memory of another set now, which `makeWeights` then uses whenever nobody else does.
  ///
  /// - Throws: `.memory` where the machine does not suffice.
  func reserveWeights() throws(Das3Error) { spare = try makeWeights(model.onnx.weights) }

  /// Bytes of a set of weights that are not among the trainer's own.
  func byteCount(beside weights: WeightSet) -> Int {
    weights === student || weights === spare ? 0 : weights.byteCount
  }

  /// Makes a set ready again whose parameters were changed in place.
  package func prepare(_ weights: WeightSet) { executor.prepare(weights) }

  /// Lets a set be the student from now on.
  package func train(_ weights: WeightSet) {
    if weights === spare { spare = student }
    student = weights
  }

  /// Takes new weights, which are as many.
  package func setWeights(_ weights: [Float]) {
    executor.weights = student
    executor.setWeights(weights)
  }
}
