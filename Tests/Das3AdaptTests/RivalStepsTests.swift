import Das3Adapt
import Das3Graph
import Das3Runtime
import Das3TestSupport
import Testing

/// Every step of atp, ld, hcl, dine and urma by itself: weights, momentum, slow copies and what networks say of
/// the frames are given by the reference; labels, marks, shares, ranks and weights are made here.
@Suite(
  "Steps of the rivals",
  .enabled(
    if: (try? GoldenFile("rivals/given_align_0")) != nil, "DAS3_GOLDEN holds no rivals of PyTorch"))
struct RivalStepsTests {
  /// Float32 is allowed ten times what PyTorch's own is off by, in a parameter's part five times, as
  /// in `AdaptationStepsTests`.
  private enum Bound {
    static let noise = 10.0
    static let parameterNoise = 5.0
    /// Of float32 itself, for what is only added up.
    static let rounding = 2e-7
    /// What a class of 0.04 that is ruled out or not adds to a pixel's loss at most.
    static let mark = 0.05
    /// Pixel weights are bytes: each is off by half of 1 / 255, in a mean over thousands hardly.
    static let weight = 0.5 / 255 + 1e-5
    static let weightedLoss = 3e-4
    static let weightedParameter = 2e-3
  }

  private let golden: GoldenRivals

  init() throws { golden = try GoldenRivals() }

  @Test(
    "losses, gradient, weights, momentum and slow copies are the reference's",
    arguments: GoldenRivals.Stage.allCases)
  func steps(_ stage: GoldenRivals.Stage) throws {
    let settings = golden.settings(stage.place.method, ExecutionOptions(threads: 2))
    let trainer = try settings.trainer(of: golden.model)
    let steps = try #require(golden.record.stages[stage.rawValue])
    #expect(steps.count == golden.record.settings.steps)
    for (step, wanted) in steps.enumerated() {
      let run = try Adaptation(settings, trainer, golden.frames)
      try give(run, stage, step)
      let wrongCount = try compareChoices(trainer, stage, step, wanted)
      let report = try run.step()
      compare(report, stage, wanted, wrongCount: wrongCount, "\(stage) step \(step)")
      if stage == .ld { try compareCoverage(report, step) }
      try compare(run.checkpoint, trainer, stage, step, wanted)
    }
  }

  /// Puts a run before a step as the reference took it.
  private func give(_ run: Adaptation, _ stage: GoldenRivals.Stage, _ step: Int) throws {
    try run.resume(
      run.checkpoint(
        stage: stage.place.number, step: step,
        weights: try golden.weights("given_\(stage)_\(step)"),
        optimizer: [try golden.velocity("velocity_\(stage)_\(step)")],
        memory: try golden.memory(stage, step)))
    var count = 0
    run.revisePredictions { [golden] frame, prediction in
      let file = golden.file(stage, step, frame: frame, count: count)
      #expect(throws: Never.self) { try golden.revise(&prediction, by: file) }
      count += 1
    }
  }

  /// What a step chooses by the network's own answer: marks, ranks and pixel weights.
  ///
  /// - Returns: how many choices are not the reference's.
  private func compareChoices(
    _ trainer: Trainer, _ stage: GoldenRivals.Stage, _ step: Int, _ wanted: GoldenRivals.Record.Step
  ) throws -> Int {
    var wrongCount = 0
    switch stage {
    case .align, .propagate, .dine, .urma: break
    case .teach:
      var prediction = Prediction(shape: trainer.scoreShape)
      try golden.frames.read(wanted.frames[0]) { trainer.load($0) }
      trainer.predict(
        into: &prediction, negativeThreshold: golden.record.settings.lambda_neg)
      wrongCount = zip(prediction.negatives, try golden.bytes("marks_teach_\(step)"))
        .reduce(0) { $0 + ($1.0 ^ $1.1).nonzeroBitCount }
    case .ld:
      let values = try probabilities(trainer, wanted.frames[0])
      let classCount = trainer.scoreShape[1]
      let rank = try #require(wanted.rank)
      wrongCount = try golden.bytes("ranked_ld_\(step)").enumerated().filter { pixel, label in
        let own = values[pixel * classCount..<(pixel + 1) * classCount]
        let order = own.indices.sorted { (-own[$0], $0) < (-own[$1], $1) }
        return order[rank] - own.startIndex != Int(label)
      }.count
    case .hcl: try compareWeights(trainer, step, wanted)
    }
    #expect(wrongCount <= wanted.near_count ?? 0, "\(stage) step \(step): \(wrongCount) choices")
    return wrongCount
  }

  private func probabilities(_ trainer: Trainer, _ frame: Int, by weights: WeightSet? = nil) throws
    -> [Float]
  {
    let arena = try Arena(elementCount: trainer.scoreShape.elementCount)
    try golden.frames.read(frame) { trainer.load($0) }
    trainer.predict(by: weights, probabilities: arena)
    return arena.values
  }

  private func compareWeights(
    _ trainer: Trainer, _ step: Int, _ wanted: GoldenRivals.Record.Step
  ) throws {
    let arena = try Arena(elementCount: trainer.scoreShape.elementCount)
    arena.fill(
      try probabilities(
        trainer, wanted.frames[0],
        by: try trainer.makeWeights(try golden.weights("history_hcl_\(step)"))))
    try golden.frames.read(wanted.frames[0]) { trainer.load($0) }
    var weights = [UInt8](repeating: 0, count: trainer.scoreShape[2] * trainer.scoreShape[3])
    trainer.weigh(
      by: try trainer.makeWeights(try golden.weights("teacher_hcl_\(step)")), against: arena,
      into: &weights)
    let mean = weights.reduce(0) { $0 + Double($1) / 255 } / Double(weights.count)
    let least = Double(weights.min() ?? 0) / 255
    #expect(abs(mean - (wanted.mean_weight ?? 0)) <= Bound.weight, "step \(step): mean \(mean)")
    #expect(abs(least - (wanted.least_weight ?? 0)) <= Bound.weight, "step \(step): least \(least)")
  }

  private func compare(
    _ report: Adaptation.Report, _ stage: GoldenRivals.Stage, _ wanted: GoldenRivals.Record.Step,
    wrongCount: Int, _ name: String
  ) {
    let losses = report.losses
    let found =
      switch stage {
      case .align: [losses.focalEntropy, losses.diversity]
      case .teach: [losses.positive, losses.negative]
      case .propagate: [losses.positive, losses.mixed]
      case .ld: [losses.positive, losses.entropy, losses.negative]
      case .hcl: [losses.positive]
      case .dine: [losses.positive, losses.entropy, losses.diversity, losses.mixed]
      case .urma: [losses.positive, losses.entropy, losses.consistency]
      }
    let noise = golden.record.noise
    let relative = stage == .hcl ? Bound.weightedLoss : Bound.noise * noise.loss
    let chosen = Bound.mark * Double(wrongCount) / 6144
    #expect(found.count == wanted.values.count)
    for (a, b) in zip(found, wanted.values) {
      #expect(
        abs(a - b) <= relative * abs(b) + chosen, "\(name): \(found), expected \(wanted.values)")
    }
    let total = zip(golden.factors(stage, wanted), wanted.values).reduce(0) { $0 + $1.0 * $1.1 }
    let most = zip(golden.factors(stage, wanted), wanted.values).reduce(0) { $0 + abs($1.0 * $1.1) }
    #expect(
      abs(losses.total - total) <= relative * most + chosen,
      "\(name): \(losses.total), expected \(total)")
    let normBound = stage == .hcl ? Bound.weightedParameter : Bound.noise * noise.gradient_norm
    #expect(
      abs(report.gradientNorm - wanted.gradient_norm) <= normBound * wanted.gradient_norm,
      "\(name): gradient norm \(report.gradientNorm), expected \(wanted.gradient_norm)")
    #expect(abs(report.learningRate - wanted.rate) <= 1e-6 * wanted.rate)
    #expect(report.step == golden.record.settings.steps || !report.isStageDone)
  }

  /// Labels that ld keeps, by how many they are.
  private func compareCoverage(_ report: Adaptation.Report, _ step: Int) throws {
    let round = step / golden.record.settings.ld_round
    let kept = try (0..<golden.frames.count).map { try golden.bytes("ld_\(round)_\($0).kept") }
    let all = kept.reduce(0) { $0 + $1.count }
    let labelled = kept.reduce(0) { $0 + $1.count(where: { $0 != 255 }) }
    #expect(report.labelCoverage == Double(labelled) / Double(all), "step \(step)")
    #expect(report.round == round + 1)
  }

  /// What a step leaves: weights, momentum and slow copies.
  private func compare(
    _ found: Checkpoint, _ trainer: Trainer, _ stage: GoldenRivals.Stage, _ step: Int,
    _ wanted: GoldenRivals.Record.Step
  ) throws {
    let isLast = step + 1 == golden.record.settings.steps
    let weights = try golden.weights("given_\(stage)_\(step + 1)")
    let velocity = try golden.velocity("velocity_\(stage)_\(step + 1)")
    let hasTeacher = stage.hasTeacher && !isLast
    let teacher = hasTeacher ? try golden.weights("teacher_\(stage)_\(step + 1)") : nil
    if stage == .hcl, !isLast {
      let history = try golden.weights("history_hcl_\(step)")
      #expect(found.stage?.anchor == history, "hcl step \(step): the older copy")
    }
    let bound =
      stage == .hcl
      ? Bound.weightedParameter : Bound.parameterNoise * golden.record.noise.parameter
    // Auxiliary classifiers learn at a rate of their own.
    let further = trainer.auxiliary.map { $0.onnx.parameters.suffix($0.trained.count) } ?? []
    #expect(further.count == (stage == .urma ? 8 : 0))
    let parameters =
      (try golden.parameters()).map { ($0, wanted.rate) }
      + further.map { ($0, wanted.rate * golden.record.settings.auxiliary_rate) }
    #expect(parameters.count == wanted.norms.count)
    for ((parameter, rate), norm) in zip(parameters, wanted.norms) {
      let error = bound * (norm + 0.01 * wanted.gradient_norm)
      func check(_ what: String, _ found: [Float], _ wanted: [Float], _ error: Double) {
        let (a, b) = (found.slice(parameter), wanted.slice(parameter))
        let most = error + Bound.rounding * b.norm
        let name = "\(stage) step \(step), \(what) of '\(parameter.name)'"
        #expect(a.distance(to: b) <= most, "\(name): off by \(a.distance(to: b)), bound \(most)")
      }
      check("weights", found.weights, weights, rate * error)
      check("momentum", found.optimizer[0], velocity, error)
      if let teacher {
        check("slow copy", found.stage?.teacher ?? [], teacher, rate * error)
      }
    }
  }
}
