import Das3Adapt
import Das3Graph
import Das3Runtime
import Das3TestSupport
import Foundation
import Testing

/// Single steps of the methods atp, ld, hcl, dine and urma of a small network, each with what it
/// starts from:
/// `Tests/Golden/rivals.py` took them in float64.
struct GoldenRivals: GoldenWalk {
  /// rivals.json.
  struct Record: Decodable {
    struct Settings: Decodable {
      var steps, ld_round, hcl_renewal, rare_pixels: Int
      var momentum, weight_decay, lambda_neg, focal_weight, diversity_weight, hcl_momentum: Float
      var power, easy_share, auxiliary_rate, consistency_weight: Double
      var rates: [String: Float]
    }
    /// How far PyTorch's own float32 is off, relative.
    struct Noise: Decodable { var loss, gradient_norm, parameter: Double }
    struct Step: Decodable {
      var frames: [Int]
      /// Parts of the loss, without their factors.
      var values: [Double]
      var gradient_norm, rate: Double
      /// Of the gradient's part of each parameter.
      var norms: [Double]
      /// Marks or ranks that rounding may change.
      var near_count: Int?
      /// Of propagate: what the easy and the mixed frame count.
      var shares: [Double]?
      /// Of ld.
      var round, rank: Int?
      /// Of hcl: of the pixel weights.
      var mean_weight, least_weight: Double?
      /// Of hcl: classes that count more.
      var rare: [Int]?
    }
    var near: Double
    var frames: Int
    var settings: Settings
    var noise: Noise
    var parameters: [String]
    var stages: [String: [Step]]
    var predictions: [GoldenPrediction]
  }

  /// The stages of the reference.
  enum Stage: String, CaseIterable {
    case align, teach, propagate, ld, hcl, dine, urma

    /// The method, and the number of the stage in a run of it.
    var place: (method: AdaptationSettings.Method, number: Int) {
      switch self {
      case .align: (.atp, 0)
      case .teach: (.atp, 1)
      case .propagate: (.atp, 2)
      case .ld: (.ld, 0)
      case .hcl: (.hcl, 0)
      case .dine: (.dine, 0)
      case .urma: (.urma, 0)
      }
    }
    /// Whether a slow copy follows.
    var hasTeacher: Bool { self != .align && self != .dine && self != .urma }
  }

  let folder = "rivals"
  let record: Record
  let model: SegmentationModel
  let frames: FrameSet
  private let height, width: Int

  var near: Double { record.near }
  var parameterNames: [String] { record.parameters }
  var predictions: [GoldenPrediction] { record.predictions }

  init() throws {
    record = try JSONDecoder().decode(
      Record.self, from: Data(contentsOf: GoldenFile.url("rivals/rivals.json")))
    let path = try GoldenFile.url("rivals/network.onnx").path
    let onnx = try OnnxImport.load(
      path: path, allowsExternalData: false, limits: OnnxImport.Limits())
    model = try SegmentationModel(
      onnx, metadata: Metadata([try OnnxImport.sidecar(ofModel: path).object].compactMap { $0 }))
    let files = try (0..<record.frames).map { try GoldenFile("rivals/frame_\($0)") }
    let (height, width) = (files[0].dims[0], files[0].dims[1])
    (self.height, self.width) = (height, width)
    frames = FrameSet(
      try files.map { file in
        try file.bytes.withUnsafeBytes { bytes in
          StoredFrame(
            try Frame(
              data: try #require(bytes.baseAddress), height: height, width: width, strideBytes: 0,
              format: 1),
            channelCount: 3)
        }
      })
  }

  func bytes(_ name: String) throws -> [UInt8] { try GoldenFile("\(folder)/\(name)").bytes }

  /// The reference's settings: nothing drawn, no mirror images, no other light, plain SGD.
  func settings(_ method: AdaptationSettings.Method, _ execution: ExecutionOptions)
    -> AdaptationSettings
  {
    let wanted = record.settings
    func extent(_ stage: Stage) -> AdaptationSettings.Extent {
      .init(steps: wanted.steps, rate: wanted.rates[stage.rawValue])
    }
    var settings = AdaptationSettings(execution: execution, height: height, width: width)
    settings.method = method
    settings.rule = .sgd
    settings.clipNorm = 0
    settings.a = extent(Stage(rawValue: method.rawValue) ?? .align)
    // The first half of dine's steps are the reference's.
    if method == .dine { settings.a.steps = 2 * wanted.steps }
    settings.b = extent(.teach)
    settings.c = extent(.propagate)
    (settings.power, settings.momentum) = (wanted.power, wanted.momentum)
    settings.weightDecay = wanted.weight_decay
    settings.negativeThreshold = wanted.lambda_neg
    settings.easyShare = wanted.easy_share
    settings.labelRounds = wanted.steps / wanted.ld_round
    settings.teacherMomentum = wanted.hcl_momentum
    settings.hcl.renewalStepCount = wanted.hcl_renewal
    settings.hcl.rareShare = Double(wanted.rare_pixels) / Double(height * width)
    (settings.mirrors, settings.draws, settings.augments) = (false, false, false)
    return settings
  }

  /// What a stage looks back to before a step.
  func memory(_ stage: Stage, _ step: Int) throws -> StageMemory {
    let start = try weights("given_\(stage)_0").prefix(model.onnx.weights.count)
    var memory = StageMemory(start: Array(start))
    if stage.hasTeacher { memory.teacher = try weights("teacher_\(stage)_\(step)") }
    guard step > 0 else { return memory }
    // As it is left by the step before: renewals are the step's own.
    let last = step - 1
    switch stage {
    case .align, .teach, .propagate, .urma: break
    case .ld:
      let round = last / record.settings.ld_round
      memory.anchor = try weights("teacher_ld_\(round * record.settings.ld_round)")
    case .hcl: memory.anchor = try weights("history_hcl_\(last)")
    case .dine:
      for renewal in 0..<last { memory.anchor += try weights("given_dine_\(renewal + 1)") }
    }
    return memory
  }

  /// The file of the answer `count`, from 0, that a step asks a network for.
  func file(_ stage: Stage, _ step: Int, frame: Int, count: Int) -> String {
    switch stage {
    case .align, .teach: "\(stage)_\(step)_\(frame)"
    case .propagate: count < record.frames ? "source_\(frame)" : "propagate_\(step)_\(frame)"
    case .ld: "ld_\(step / record.settings.ld_round)_\(frame)"
    case .hcl, .urma: "\(stage)_\(frame)"
    // All labels are made again, renewal by renewal.
    case .dine: "dine_\(count / record.frames)_\(frame)"
    }
  }

  /// log C.
  private var nats: Double { log(Double(model.classCount)) }

  /// What each part of the loss counts.
  func factors(_ stage: Stage, _ step: Record.Step) -> [Double] {
    let wanted = record.settings
    return switch stage {
    case .align: [Double(wanted.focal_weight), Double(wanted.diversity_weight)]
    case .propagate: step.shares ?? []
    case .teach, .ld, .hcl: step.values.map { _ in 1 }
    case .dine: [1, nats, nats, 1]
    case .urma: [1, 1, wanted.consistency_weight]
    }
  }
}
