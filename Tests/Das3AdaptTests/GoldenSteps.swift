import Das3Adapt
import Das3Graph
import Das3Runtime
import Das3TestSupport
import Foundation
import Testing

/// Single steps of every stage of ESPNet, each with what it starts from: `Tests/Golden/steps.py`
/// took them in float64.
struct GoldenSteps: GoldenWalk {
  /// steps.json.
  struct Record: Decodable {
    struct Settings: Decodable {
      var steps: Int
      var momentum, weight_decay, alpha, beta, gamma, lambda, lambda_neg: Float
      var positive_weight, negative_weight, easy_weight, mixed_weight, teacher_momentum: Float
      var power, positive_share, easy_share: Double
      var rates: [Float]
    }
    struct Step: Decodable {
      var frames: [Int]
      var values: [Double]
      var gradient_norm, rate: Double
      /// Of the gradient's part of each parameter.
      var norms: [Double]
    }
    var model: String
    /// Probabilities that are nearer than this may change places in float32.
    var near: Double
    var settings: Settings
    var parameters: [String]
    var stages: [String: [Step]]
    var predictions: [GoldenPrediction]
  }

  let record: Record
  let model: SegmentationModel
  let frames: FrameSet
  let folder = "single"
  var near: Double { record.near }
  var parameterNames: [String] { record.parameters }
  var predictions: [GoldenPrediction] { record.predictions }

  init() throws {
    record = try JSONDecoder().decode(
      Record.self, from: Data(contentsOf: GoldenFile.url("single/steps.json")))
    model = try Self.network(record.model)
    frames = try Self.frames { "single/frame\($0)" }
  }

  /// A shared network with the file beside it.
  static func network(_ name: String) throws -> SegmentationModel {
    let path = SharedData.url(name).path
    let onnx = try OnnxImport.load(
      path: path, allowsExternalData: false, limits: OnnxImport.Limits())
    return try SegmentationModel(
      onnx, metadata: Metadata([try OnnxImport.sidecar(ofModel: path).object].compactMap { $0 }))
  }

  /// Four frames of 480×360, RGB, by the names of their files.
  static func frames(_ name: (Int) -> String) throws -> FrameSet {
    FrameSet(
      try (0..<4).map { index in
        try GoldenFile(name(index)).bytes.withUnsafeBytes { bytes in
          StoredFrame(
            try Frame(
              data: try #require(bytes.baseAddress), height: 360, width: 480, strideBytes: 0,
              format: 1),
            channelCount: 3)
        }
      })
  }

  /// The reference's settings: nothing drawn, no mirror images, plain SGD, every second class cut.
  func settings(_ execution: ExecutionOptions) -> AdaptationSettings {
    let wanted = record.settings
    var settings = AdaptationSettings(execution: execution, height: 360, width: 480)
    settings.method = .das3
    settings.rule = .sgd
    settings.clipNorm = 0
    settings.a = .init(steps: wanted.steps, rate: wanted.rates[0])
    settings.b = .init(steps: wanted.steps, rate: wanted.rates[1])
    settings.c = .init(steps: wanted.steps, rate: wanted.rates[2])
    (settings.power, settings.momentum) = (wanted.power, wanted.momentum)
    settings.weightDecay = wanted.weight_decay
    (settings.alpha, settings.beta) = (wanted.alpha, wanted.beta)
    (settings.gamma, settings.lambda) = (wanted.gamma, wanted.lambda)
    settings.positiveShare = wanted.positive_share
    settings.negativeThreshold = wanted.lambda_neg
    settings.positiveWeight = wanted.positive_weight
    settings.negativeWeight = wanted.negative_weight
    (settings.easyWeight, settings.mixedWeight) = (wanted.easy_weight, wanted.mixed_weight)
    settings.easyShare = wanted.easy_share
    settings.teacherMomentum = wanted.teacher_momentum
    settings.labelRounds = 1
    settings.balancesClasses = false
    (settings.mirrors, settings.draws, settings.augments) = (false, false, false)
    (settings.mixing, settings.enlarges, settings.patchCount) = (.classes, false, 0)
    return settings
  }
}
