import Das3Graph
import Das3Runtime

/// Everything that a user may choose of an adaptation; two runs with equal settings, model and
/// frames give the same bits.
package struct AdaptationSettings: Sendable, Equatable {
  /// In the order of the C header; the words are those of metadata and messages.
  package enum Method: String, Sendable, CaseIterable {
    case das3, bn, tent, entropy
    case maxSquare = "maxsquare"
    case selfTraining = "selftrain"
    case supervised, blend, auto
    case atp, ld, hcl
    case dine, urma
  }

  /// The stages of DAS3.
  package enum Letter: UInt8, Sendable {
    case a = 0x61
    case b = 0x62
    case c = 0x63
  }

  /// How long a stage is, and how far it steps.
  package struct Extent: Sendable, Equatable, CustomStringConvertible {
    /// At most; nil = as `epochs` says.
    package var steps: Int?
    /// Passes over the frames, where `steps` is nil.
    package var epochs = 0
    /// At the first step; nil = the paper's for SGD, else set so that the stage has its drift.
    package var rate: Float?
    /// Pixels that may have another label at the end of the stage than at its start, 0…1.
    ///
    /// With half as many again the stage ends. 0 = whatever comes.
    package var drift = 0.0

    package init(steps: Int? = nil, epochs: Int = 0, rate: Float? = nil, drift: Double = 0) {
      self.steps = steps
      self.epochs = epochs
      self.rate = rate
      self.drift = drift
    }

    package var description: String {
      let length =
        steps.map { "\($0) steps" } ?? (epochs > 0 ? "\(epochs) epochs" : "its own length")
      return "\(length), \(rate.map { "rate \($0)" } ?? "its own rate"), drift \(drift)"
    }
  }

  /// Where training begins.
  package enum Start: Sendable {
    case source
    /// The source with a blend of its statistics and the target's (`Blending`).
    case blend
  }

  package var method = Method.auto
  /// When sets of weights are judged by frames that nothing is learned from: 0 = never, 1 = in `auto`,
  /// 2 = in every method.
  package var guardLevel = 1
  package var guardBounds = GuardRule.Bounds()
  /// Pixels that count for nothing, at any size; nil = all count.
  package var ignored: IgnoredPixels?
  /// Pixels that never change over the probes of a guarded run count for nothing, either.
  package var findsIgnored = true
  package var start = Start.source
  /// How far the statistics of a blend may be moved to the target's, 0…1.
  package var blendLimit = 0.5
  /// Most scenes of which a blend keeps statistics of their own; below 2 = one set for all frames.
  package var sceneLimit = 0
  package var stages: [Letter] = [.a, .b, .c]
  package var seed: UInt64 = 0
  /// Numbers are drawn; false takes frames in the order they came and every second class.
  package var draws = true
  package var execution: ExecutionOptions
  package var height, width: Int
  /// Bytes of everything; 0 = no limit.
  package var memoryLimit: UInt64 = 0
  package var scratchDirectory: String?

  /// nil = as the method says.
  package var trained: [String]?
  package var frozen: [String] = []
  /// nil = the last layers before the scores.
  package var classifier: [String]?

  package var a = Extent(drift: 0.15)
  package var b = Extent(drift: 0.2)
  package var c = Extent(drift: 0.15)
  /// How often stage (b) makes its labels.
  package var labelRounds = 3
  package var batchSize = 1
  package var augments = true
  package var mirrors = true
  /// Labels are made of enlarged parts of a frame, too.
  package var zooms = false
  /// Enlarged parts of frames are learned from, too.
  package var enlarges = false

  /// nil = each stage's own: relative steps in (a) and the baselines, SGD in (b) and (c).
  package var rule: Optimizer.Rule?
  /// nil = as the method says.
  package var batchNorm: BatchNorm?
  package var classifierRate: Float = 1
  package var power = 0.9
  package var momentum: Float = 0.9
  package var weightDecay: Float = 5e-4
  package var clipNorm = 1.0
  package var statisticsMomentum: Float = 0.1
  package var teacherMomentum: Float = 0.98

  package var alpha: Float = 0.002
  package var beta: Float = 0.0002
  package var gamma: Float = 3
  package var lambda: Float = 3
  package var positiveWeight: Float = 1
  package var negativeWeight: Float = 1
  package var easyWeight: Float = 1
  package var mixedWeight: Float = 1
  /// Of the cross-entropy with the truth of labelled frames; 0 = they judge, and nothing is learned.
  package var labelWeight: Float = 1
  package var positiveShare = 0.65
  package var negativeThreshold: Float = 0.05
  package var easyShare = 0.3
  /// Frames cut together have labels only above the class thresholds.
  package var filtersMixed = true
  package var mixing = Mixing.places
  /// Cells with rare classes that are laid over each mixed frame.
  package var patchCount = 2
  package var hcl = HCL()
  /// A class of labels counts as often as the network expects it, not as often as it labels it.
  package var balancesClasses = true

  /// What stage (c) cuts out of hard frames.
  package enum Mixing: Sendable {
    /// Half of the classes of one are laid over another.
    case classes
    /// A quarter of each of four stays where it is.
    case places
    /// The one and the other in turns.
    case both
  }

  package enum BatchNorm: Sendable { case frozen, batch, statistics }

  package init(execution: ExecutionOptions, height: Int, width: Int) {
    self.execution = execution
    self.height = height
    self.width = width
  }
}

extension AdaptationSettings {
  /// Bytes that a run takes beside the network in training, frames, teacher and labels.
  ///
  /// - Parameters:
  ///   - scoreShape: of the network in training.
  ///   - weightSetByteCount: of a set of its weights.
  ///   - model: what is adapted.
  ///   - auxiliary: what is trained beside it.
  /// - Returns: bytes.
  package func byteCount(
    scoreShape: Shape, weightSetByteCount: Int, model: SegmentationModel,
    auxiliary: AuxiliaryClassifiers? = nil
  ) -> Int {
    let views =
      [mirrors || zooms, zooms, blends || isGuarded].filter { $0 }.count * scoreShape.elementCount
    let image = height * width * model.channelCount
    let mixed = (hasStages && stages.contains(.c)) || method == .dine ? image : 0
    let patches =
      isDAS3 && patchCount > 0 ? PatchBank.mostByteCount(classCount: scoreShape[1]) : 0
    // The extremes of each pixel, and two frames to compare with them.
    let searched = isGuarded && findsIgnored ? 4 * image : 0
    // Where a stage began, and two sets: what makes its labels, and the slow copy.
    let looksBack =
      hasStages || [.selfTraining, .ld, .hcl, .dine, .urma].contains(method) || blends || isGuarded
    // Of hcl, what made its labels, too, and what networks say of a view; of dine, of two images.
    let (otherSets, otherScores) =
      method == .hcl
      ? (1, 3 * scoreShape.elementCount) : (0, method == .dine ? 2 * scoreShape.elementCount : 0)
    // What made the labels of ld; of dine what renewed them, and a copy of one.
    let anchor = method == .ld ? 1 : method == .dine ? DINE.roundCount : 0
    // What a checkpoint copies: weights, momentum and, for some rules, mean squares.
    let copyCount = rule == .adamW ? 3 : 2
    let vectorCount = 1 + anchor + (isGuarded ? 1 : 0)
    let weightCount = model.onnx.weights.count
    let vectors =
      vectorCount * weightCount + copyCount * (auxiliary?.onnx.weights.count ?? weightCount)
    let perPixel = 5 + Prediction.markByteCount(scoreShape)
    let pixels = scoreShape[2] * scoreShape[3]
    // Sums of high and low bits and the statistics themselves; the sums of all frames, too.
    let scenes = sceneLimit < 2 ? 0 : (3 * sceneLimit + 2) * model.onnx.statisticCount
    return 4
      * (scenes + views + otherScores + mixed + searched + vectors + (augments ? image : 0))
      + ((looksBack ? 2 : 0) + otherSets) * weightSetByteCount
      + (2 * perPixel + AgreementMeter.frameCount)
      * pixels + patches
  }

  /// Whether the method is made of the stages of DAS3, (a), (b) and (c).
  package var isDAS3: Bool { method == .das3 || method == .auto }

  /// Whether the method is made of stages (a), (b) and (c).
  package var hasStages: Bool { isDAS3 || method == .atp }

  /// Whether a blend of statistics comes first.
  package var blends: Bool { method == .blend || method == .auto || start == .blend }

  /// Whether sets of weights are judged by frames that nothing is learned from.
  package var isGuarded: Bool { guardLevel > (method == .auto ? 0 : 1) }

  /// Whether the truth of labelled frames beside the others is learned from.
  var learnsTruth: Bool {
    switch method {
    case .bn, .blend, .supervised: false
    case .das3, .auto, .tent, .entropy, .maxSquare, .selfTraining, .atp, .ld, .hcl, .dine, .urma:
      labelWeight > 0
    }
  }

  /// Refuses labelled frames that would neither be learned from nor judge.
  ///
  /// - Throws: `.argument`.
  package func checkUsesTruth() throws(Das3Error) {
    guard learnsTruth || isGuarded else {
      throw .argument(
        "a labelled frame, and method \(method.rawValue) without a guard has no use for it: methods that train learn from labelled frames (label_weight above 0), a guard judges by them (guard = 2)"
      )
    }
  }

  /// Candidates on the line from the source's statistics to the target's.
  func blendShares(probeCount: Int = .max) -> [Double] {
    BlendChoice.line(upTo: blends ? blendLimit : 0, probeCount: probeCount)
  }

  /// Of the candidates with the statistics of each frame's scene, which bear a quarter more.
  func sceneShares(probeCount: Int = .max) -> [Double] {
    Array(BlendChoice.line(upTo: sceneBlendLimit, probeCount: probeCount).dropFirst())
  }

  var sceneBlendLimit: Double { blends && sceneLimit >= 2 ? min(1, blendLimit + 0.25) : 0 }

  /// Refuses scenes where no blend comes first, or where statistics follow the frames afterwards.
  ///
  /// - Throws: `.argument`.
  package func checkScenes() throws(Das3Error) {
    guard sceneLimit >= 2 else { return }
    guard blends else {
      throw .argument(
        "scenes is \(sceneLimit), and method \(method.rawValue) begins with no blend of statistics; expected method auto or blend, or start = blend"
      )
    }
    guard effectiveBatchNorm == .frozen else {
      throw .argument(
        "scenes is \(sceneLimit), and statistics follow the frames in training; expected batch_norm = frozen"
      )
    }
  }

  /// What BatchNormalization does.
  var effectiveBatchNorm: BatchNorm {
    if let batchNorm { return batchNorm }
    switch method {
    case .bn: return .statistics
    case .tent, .supervised: return .batch
    case .das3, .auto, .entropy, .maxSquare, .selfTraining, .blend, .atp, .ld, .hcl, .dine, .urma:
      return .frozen
    }
  }
}
