import Das3Graph
import Das3Runtime

extension AdaptationSettings {
  /// The network in training, with one plan for all stages.
  ///
  /// - Parameters:
  ///   - model: where the weights start.
  ///   - held: bytes that frames and teacher take.
  /// - Returns: a trainer at its first step.
  /// - Throws: `.memory` where the rest does not suffice, `.unsupported` where a method of
  ///   BatchNormalization meets a network without.
  package func trainer(of model: SegmentationModel, beside held: Int = 0) throws(Das3Error)
    -> Trainer
  {
    if method == .tent, trained == nil, model.batchNormParameters.isEmpty {
      throw lacksNormalisation
    }
    var options = Trainer.Options(
      execution: execution,
      selection: trains ? selection(of: model, rate: 0) : nil)
    options.batchNorm = effectiveBatchNorm == .frozen ? .frozen : .batch
    options.statisticsMomentum = statisticsMomentum
    options.memoryLimit = memoryLimit
    if method == .urma {
      do throws(Das3Error) {
        options.auxiliary = try AuxiliaryClassifiers(
          of: model, height: height, width: width, count: URMA.classifierCount)
      } catch {
        throw error.at("method \(method.rawValue)")
      }
    }
    let auxiliary = options.auxiliary
    let larger = method == .hcl ? try largerByteCount(of: model, HCL.viewScale) : 0
    options.reserved = {
      held + larger
        + byteCount(
          scoreShape: $0, weightSetByteCount: $1, model: model, auxiliary: auxiliary)
    }
    let rules = phases(frameCount: 1, hasTeacher: false).map(\.rule)
    options.optimizer = Optimizer(rules.contains(.adamW) ? .adamW : .sgd)
    let trainer = try Trainer(
      model, height: height, width: width, losses: Losses(), options: options)
    if effectiveBatchNorm == .statistics, trainer.statisticsLayers.isEmpty {
      throw lacksNormalisation
    }
    try checkBlend(beside: trainer, held)
    return trainer
  }

  /// There is nothing that the method could move.
  private var lacksNormalisation: Das3Error {
    .unsupported("method \(method.rawValue): \(BlendRecord.Reason.noStatistics.sentence)")
  }

  /// Refuses a memory limit that has no room for the blend with which the run begins.
  ///
  /// The trainer has made no pass by then, so that the networks of the blend have what it leaves.
  ///
  /// - Parameters:
  ///   - trainer: of the run.
  ///   - held: bytes that frames and teacher take.
  /// - Throws: `.memory`.
  package func checkBlend(beside trainer: Trainer, _ held: Int) throws(Das3Error) {
    guard blends, memoryLimit > 0 else { return }
    let needed =
      held + byteCount(beside: trainer)
      + trainer.restingByteCount + (try blendByteCount(of: trainer.model))
    guard UInt64(needed) <= memoryLimit else {
      throw .memory(
        "a blend at \(width)x\(height) needs at least \(needed) bytes; the memory limit is \(memoryLimit)"
      )
    }
  }

  /// Bytes that a run takes beside its trainer, frames, teacher and labels.
  package func byteCount(beside trainer: Trainer) -> Int {
    byteCount(
      scoreShape: trainer.scoreShape, weightSetByteCount: trainer.student.byteCount,
      model: trainer.model, auxiliary: trainer.auxiliary)
  }

  /// The network that normalises by the statistics of each frame, which stand among its weights then.
  func observer(of model: SegmentationModel) throws(Das3Error) -> Trainer {
    try Trainer(model, height: height, width: width, losses: Losses(), options: observerOptions)
  }

  /// The network as a segmenter would run it.
  func predictor(of model: SegmentationModel) throws(Das3Error) -> Trainer {
    try Trainer(model, height: height, width: width, losses: Losses(), options: predictorOptions)
  }

  /// The same for larger frames; nil for a network of a fixed size.
  func predictor(of model: SegmentationModel, enlargedBy scale: Double) throws(Das3Error)
    -> Trainer?
  {
    guard let size = size(of: model, enlargedBy: scale) else { return nil }
    return try Trainer(
      model, height: size.height, width: size.width, losses: Losses(), options: predictorOptions)
  }

  private func largerByteCount(of model: SegmentationModel, _ scale: Double) throws(Das3Error)
    -> Int
  {
    guard let size = size(of: model, enlargedBy: scale) else { return 0 }
    return try Trainer.byteCount(
      of: model, height: size.height, width: size.width, options: predictorOptions)
  }

  /// Sides that the network's strides divide as they divide those of its input.
  private func size(of model: SegmentationModel, enlargedBy scale: Double)
    -> (height: Int, width: Int)?
  {
    guard model.fixedHeight == nil, model.fixedWidth == nil else { return nil }
    func enlarged(_ side: Int) -> Int {
      let multiple = side % model.strideMultiple == 0 ? model.strideMultiple : 1
      return Int((scale * Double(side) / Double(multiple)).rounded()) * multiple
    }
    return (enlarged(height), enlarged(width))
  }

  private var observerOptions: Trainer.Options {
    var options = Trainer.Options(execution: execution, selection: nil)
    options.batchNorm = .batch
    options.statisticsMomentum = 1
    return options
  }

  private var predictorOptions: Trainer.Options {
    var options = Trainer.Options(execution: execution, selection: nil)
    options.execution.packsPerRun = false
    return options
  }

  /// Bytes of the networks that a blend needs, one after the other; without what they say of a frame.
  private func blendByteCount(of model: SegmentationModel) throws(Das3Error) -> Int {
    var largest = 0
    for options in [observerOptions, predictorOptions] {
      let count = try Trainer.byteCount(of: model, height: height, width: width, options: options)
      largest = max(largest, count)
    }
    return largest
  }

  /// Whether a gradient moves any weight.
  private var trains: Bool { effectiveBatchNorm != .statistics && method != .blend }

  private func selection(of model: SegmentationModel, rate: Float) -> ParameterSelection {
    func names(_ indices: Set<Int>) -> [String] {
      indices.sorted().map { model.onnx.parameters[$0].name }
    }
    var selection = ParameterSelection(rate: rate, classifierRate: rate * classifierRate)
    selection.trained =
      trained ?? (method == .tent ? names(model.batchNormParameters) : ["*"])
    selection.frozen = frozen
    selection.classifier = classifier ?? names(model.classifierParameters)
    return selection
  }

  func groups(of trainer: Trainer, _ phase: Phase) throws(Das3Error) -> [ParameterGroup] {
    guard trains, phase.trains else { return [] }
    let model = trainer.model
    let groups = try selection(of: model, rate: phase.rate).groups(of: model.onnx.parameters)
    let chosen = groups.filter { phase.trainsClassifier || $0.name != "classifier" }
    guard !chosen.isEmpty else { throw .argument("everything but the classifier is frozen") }
    return chosen + Trainer.groups(trainer.auxiliary, rate: phase.rate * URMA.auxiliaryRate)
  }

  func optimizer(_ phase: Phase) -> Optimizer {
    var optimizer = Optimizer(
      phase.rule,
      schedule: power > 0 ? .poly(power: power, maxSteps: phase.stepCount) : .constant,
      clipNorm: clipNorm > 0 ? clipNorm : nil)
    optimizer.momentum = momentum
    optimizer.weightDecay = weightDecay
    return optimizer
  }
}
