import CDas3
import Das3Adapt
import Das3Graph
import Glibc

extension AdapterOption {
  /// The options, each once; their order is the header's.
  ///
  /// Threads, precision and size are read with those of segmenters.
  static let all: [AdapterOption] = unsafe [
    .choice(
      "method", \.method, \.method, key: "method", "das3_method",
      AdaptationSettings.Method.allCases.map { ($0.rawValue, $0) }),
    .text(\.stages, key: "stages", shown: { $0.stages.map { "\($0)" }.joined() }, take: takeStages),
    .any("seed", \.seed, \.seed, key: "seed"),
    .any("memory_limit", \.memory_limit, \.memoryLimit, key: nil),
    .text(\.scratch_directory, key: nil, take: takeDirectory),
    .patterns("trained", \.trained, \.trained),
    .text(\.frozen, key: "frozen", shown: { $0.frozen.joined(separator: ", ") }) {
      $1.frozen = words($0)
    },
    .patterns("classifier", \.classifier, \.classifier),
    .steps("steps_a", \.steps_a, \.a.steps),
    .steps("steps_b", \.steps_b, \.b.steps),
    .steps("steps_c", \.steps_c, \.c.steps),
    .count("epochs_a", \.epochs_a, \.a.epochs, from: 0, key: nil),
    .count("epochs_b", \.epochs_b, \.b.epochs, from: 0, key: nil),
    .count("epochs_c", \.epochs_c, \.c.epochs, from: 0, key: nil),
    .count("label_rounds", \.label_rounds, \.labelRounds, from: 1, key: "label_rounds"),
    .count("batch_size", \.batch_size, \.batchSize, from: 1, to: 1024, key: "batch_size"),
    .flag("augment", \.augment, \.augments, key: "augments"),
    .flag("flip", \.flip, \.mirrors, key: "mirrors"),
    .flag("filter_mixed", \.filter_mixed, \.filtersMixed, key: "filters_mixed"),
    .flag("balance_classes", \.balance_classes, \.balancesClasses, key: "balances_classes"),
    .choice(
      "optimizer", \.optimizer, \.rule, key: "rule", "das3_optimizer",
      [
        ("default", nil), ("relative", .relative), ("sgd", .sgd), ("adamw", .adamW),
        ("lars", .lars),
      ]),
    .choice(
      "batch_norm", \.batch_norm, \.batchNorm, key: "batch_norm", "das3_batch_norm",
      [("default", nil), ("frozen", .frozen), ("batch", .batch), ("statistics", .statistics)]),
    .rate("rate_a", \.rate_a, \.a.rate),
    .rate("rate_b", \.rate_b, \.b.rate),
    .rate("rate_c", \.rate_c, \.c.rate),
    .part("drift_a", \.drift_a, \.a.drift, hasKey: false),
    .part("drift_b", \.drift_b, \.b.drift, hasKey: false),
    .part("drift_c", \.drift_c, \.c.drift, hasKey: false),
    .number("classifier_rate", \.classifier_rate, \.classifierRate),
    .number("power", \.power, \.power),
    .number("momentum", \.momentum, \.momentum, below: 1),
    .number("weight_decay", \.weight_decay, \.weightDecay),
    .number("clip_norm", \.clip_norm, \.clipNorm),
    .part("statistics_momentum", \.statistics_momentum, \.statisticsMomentum),
    .part("teacher_momentum", \.teacher_momentum, \.teacherMomentum),
    .number("alpha", \.alpha, \.alpha),
    .number("beta", \.beta, \.beta),
    .number("gamma", \.gamma, \.gamma),
    .number("lambda", \.lambda, \.lambda),
    .number("positive_weight", \.positive_weight, \.positiveWeight),
    .number("negative_weight", \.negative_weight, \.negativeWeight),
    .number("easy_weight", \.easy_weight, \.easyWeight),
    .number("mixed_weight", \.mixed_weight, \.mixedWeight),
    .part("positive_share", \.positive_share, \.positiveShare),
    .part("negative_threshold", \.negative_threshold, \.negativeThreshold),
    .part("easy_share", \.easy_share, \.easyShare),
    .choice(
      "start", \.start, \.start, key: "start", "das3_start",
      [("source", .source), ("blend", .blend)]),
    .part("blend_limit", \.blend_limit, \.blendLimit),
  ]

  /// What a checkpoint says of the settings that decide which bits come out; not where memory lies or
  /// how many threads work.
  static func identity(of settings: AdaptationSettings) -> [String: String] {
    var fields = [
      "precision": settings.execution.usesBFloat16 ? "bf16" : "f32",
      "height": "\(settings.height)", "width": "\(settings.width)", "draws": "\(settings.draws)",
      "a": "\(settings.a)", "b": "\(settings.b)", "c": "\(settings.c)",
    ]
    for option in all {
      if let key = option.key { fields[key] = option.shown(settings) }
    }
    return fields
  }

  private static func takeStages(_ text: String, _ settings: inout AdaptationSettings)
    throws(Das3Error)
  {
    let stages = text.utf8.map(AdaptationSettings.Letter.init)
    let letters = stages.compactMap { $0 }
    guard !letters.isEmpty, letters.count == stages.count,
      zip(letters, letters.dropFirst()).allSatisfy({ $0.rawValue < $1.rawValue })
    else {
      throw .argument("stages is '\(text)'; expected some of \"abc\" in this order")
    }
    settings.stages = letters
  }

  private static func takeDirectory(_ text: String, _ settings: inout AdaptationSettings)
    throws(Das3Error)
  {
    // The dot is found in folders alone.
    guard !text.isEmpty, unsafe access("\(text)/.", W_OK | X_OK) == 0 else {
      throw .argument(
        "scratch_directory '\(text)' is no folder that can be written; expected one, or NULL")
    }
    settings.scratchDirectory = text
  }
}
