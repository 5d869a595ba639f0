/// One stage of a schedule as it is run.
struct Phase {
  enum Kind {
    case alignment, selfTraining, propagation, statistics, supervised, blending, judging
    /// Of atp.
    case teaching, certainPropagation
    case ld, hcl
    case dine, urma
  }

  var kind: Kind
  var letter: AdaptationSettings.Letter?
  var losses = Losses()
  var trainsClassifier = true
  var stepCount: Int
  var rule: Optimizer.Rule
  var rate: Float
  /// Pixels that may change their label, 0…1; 0 = whatever comes.
  var drift = 0.0
  /// The rate follows the drift.
  var followsDrift = false
  /// Times its first rate that a rate may become.
  var largestRateScale = 64.0
  /// Half as many pixels again end the stage.
  var isBounded = false
  /// Of a phase that judges: the stage whose weights it judges.
  var judged: AdaptationSettings.Letter?
  /// Whether nothing is trained after it.
  var isLast = false

  /// Whether its labels are a teacher's where there is one.
  var asksTeacher: Bool { [.selfTraining, .propagation, .dine].contains(kind) }
  /// Whether it moves weights.
  var trains: Bool { kind != .blending && kind != .judging }
}

extension AdaptationSettings {
  /// The stages in their order.
  ///
  /// - Parameters:
  ///   - frameCount: of the target.
  ///   - labelledCount: frames with truth that judge.
  ///   - hasTeacher: the black box, in which nothing can be aligned.
  /// - Returns: none where only stage (a) was wanted of a black box.
  func phases(frameCount: Int, labelledCount: Int = 0, hasTeacher: Bool) -> [Phase] {
    let training = trainingPhases(frameCount: frameCount, hasTeacher: hasTeacher)
    guard blends || isGuarded else { return training }
    var blending = Phase(
      kind: .blending, trainsClassifier: false,
      stepCount: BlendChoice.stepCount(
        frameCount: frameCount, labelledCount: labelledCount,
        shares: blendShares() + sceneShares(), sceneLimit: sceneLimit),
      rule: .sgd, rate: 0)
    blending.isLast = training.isEmpty
    guard isGuarded else { return [blending] + training }
    let judgings = training.indices.map { index in
      var judging = Phase(
        kind: .judging, trainsClassifier: false,
        stepCount: Judging.shares.count
          * (BlendChoice.mostProbes(frameCount: frameCount, sceneLimit: sceneLimit)
            + labelledCount),
        rule: .sgd, rate: 0)
      judging.judged = training[index].letter
      judging.isLast = index == training.count - 1
      return judging
    }
    return [blending] + zip(training, judgings).flatMap { [$0, $1] }
  }

  private func trainingPhases(frameCount: Int, hasTeacher: Bool) -> [Phase] {
    let rule = self.rule ?? .relative
    var phase = Phase(
      kind: .alignment, stepCount: stepCount(a, default: 200, frameCount), rule: rule,
      rate: rate(a, rule))
    switch method {
    case .blend: return []
    case .das3, .auto:
      return stages.filter { $0 != .a || !hasTeacher }.map {
        stage($0, frameCount: frameCount, hasTeacher: hasTeacher)
      }
    case .atp: return ATP.phases(self, frameCount: frameCount)
    case .ld: return LD.phases(self, frameCount: frameCount)
    case .hcl: return HCL.phases(self, frameCount: frameCount)
    case .dine: return DINE.phases(self, frameCount: frameCount)
    case .urma: return URMA.phases(self, frameCount: frameCount)
    case .bn:
      phase.kind = .statistics
      phase.stepCount = stepCount(a, default: frameCount, frameCount)
    case .tent, .entropy: phase.losses.entropy = 1
    case .maxSquare: phase.losses.maxSquare = 1
    case .selfTraining:
      phase.kind = .selfTraining
      phase.losses.crossEntropy = 1
    case .supervised:
      phase.kind = .supervised
      phase.losses.crossEntropy = 1
    }
    return [phase]
  }

  /// The only phase of a method that learns from labels.
  func labelPhase(_ kind: Phase.Kind, frameCount: Int, default count: Int = 240) -> Phase {
    let rule = self.rule ?? .sgd
    return Phase(
      kind: kind, stepCount: stepCount(a, default: count, frameCount), rule: rule,
      rate: rate(a, rule))
  }

  /// A stage of DAS3 as long as the settings say, or else as its default.
  func stage(_ letter: Letter, frameCount: Int = 1, hasTeacher: Bool = false) -> Phase {
    let (kind, extent, defaultCount): (Phase.Kind, Extent, Int) =
      switch letter {
      case .a: (.alignment, a, 160)
      // What a teacher says can be learned from for long; what the network itself says, cannot.
      case .b: (.selfTraining, b, hasTeacher ? 1200 : 240)
      case .c: (.propagation, c, 450)
      }
    let rule = self.rule ?? (letter == .a ? .relative : .sgd)
    var phase = Phase(
      kind: kind, letter: letter, trainsClassifier: letter != .a,
      stepCount: stepCount(extent, default: defaultCount, frameCount), rule: rule,
      rate: rate(extent, rule), drift: extent.drift,
      followsDrift: extent.rate == nil && rule != .sgd && extent.drift > 0,
      // A student is to leave its own labels for those of its teacher, however many they are.
      isBounded: extent.drift > 0 && !(letter == .b && hasTeacher))
    // Rates beyond that were seen only where nothing could be learned, and destroyed the network.
    if isGuarded { phase.largestRateScale = 16 }
    switch letter {
    case .a:
      phase.losses.focalEntropy = alpha
      phase.losses.diversity = beta
      phase.losses.gamma = gamma
      phase.losses.lambda = lambda
    case .b:
      phase.losses.crossEntropy = positiveWeight
      phase.losses.negative = negativeWeight
    case .c: break
    }
    return phase
  }

  private func stepCount(_ extent: Extent, default count: Int, _ frameCount: Int) -> Int {
    if let steps = extent.steps { return steps }
    guard extent.epochs > 0 else { return count }
    return max(1, (extent.epochs * frameCount + batchSize - 1) / batchSize)
  }

  private func rate(_ extent: Extent, _ rule: Optimizer.Rule) -> Float {
    if let rate = extent.rate { return rate }
    switch rule {
    case .relative, .lars: return 3e-7
    case .adamW: return 1e-6
    case .sgd: return 2.5e-4
    }
  }
}
