import CDas3
import Das3Adapt
import Das3Graph
import Das3Runtime
import Glibc

extension AdapterOption {
  /// All options of an adapter, in the order of their fields in the header.
  ///
  /// Defaults, reading, checks, checkpoints, `das3_adapter_options_get`, `das3-run` and the Python
  /// package use this list, and no other place repeats it.
  static let all: [AdapterOption] = unsafe [
    .choice(
      "method", "how the adapter learns", \.method, \.method,
      AdaptationSettings.Method.allCases.map { ($0.rawValue, $0) }),
    .text(
      "stages", "stages to run, in this order", \.stages,
      shown: { $0.stages.map { "\($0)" }.joined() }, take: takeStages),
    .any("seed", "seed of all random choices", \.seed, \.seed),
    .shared("threads", "worker threads; 0 = one per core", \.threads, range: "0 to 1024"),
    .shared(
      "precision", "precision of convolutions and matrix products", \.precision,
      words: ["f32", "bf16", "f32_direct"],
      range: "a das3_precision from 0 to 2"),
    .shared("height", "input height; 0 = of the model or first frame", \.height, range: sizeRange),
    .shared("width", "input width; 0 = of the model or first frame", \.width, range: sizeRange),
    .any(
      "memory_limit", "bytes for everything; 0 = no limit", \.memory_limit, \.memoryLimit,
      hasKey: false),
    .text(
      "scratch_directory", "directory for labels beyond the memory limit", \.scratch_directory,
      hasKey: false, take: takeDirectory),
    .patterns("trained", "names of parameters to train; may have * ?", \.trained, \.trained),
    .text(
      "frozen", "names of parameters not to train", \.frozen,
      shown: { $0.frozen.joined(separator: ", ") }, take: { $1.frozen = words($0) }),
    .patterns(
      "classifier", "parameters that (a), urma do not train", \.classifier, \.classifier),
    .steps("steps_a", "most steps of (a), other methods; 0 = by epochs", \.steps_a, \.a.steps),
    .steps("steps_b", "most steps of (b); 0 = by epochs", \.steps_b, \.b.steps),
    .steps("steps_c", "most steps of (c); 0 = by epochs", \.steps_c, \.c.steps),
    .count(
      "epochs_a", "passes of (a) over the frames; 0 = default", \.epochs_a, \.a.epochs, from: 0),
    .count(
      "epochs_b", "passes of (b) over the frames; 0 = default", \.epochs_b, \.b.epochs, from: 0),
    .count(
      "epochs_c", "passes of (c) over the frames; 0 = default", \.epochs_c, \.c.epochs, from: 0),
    .count(
      "label_rounds", "most times that (b), ld make their labels", \.label_rounds, \.labelRounds,
      from: 1
    ),
    .count(
      "batch_size", "frames whose gradients make one step", \.batch_size, \.batchSize, from: 1,
      to: 1024),
    .flag("augment", "1 = colour jitter and blur in (c)", \.augment, \.augments, key: "augments"),
    .flag("flip", "1 = train with mirrored frames, too", \.flip, \.mirrors, key: "mirrors"),
    .flag(
      "filter_mixed", "1 = (c) mixes only certain labels", \.filter_mixed, \.filtersMixed,
      key: "filters_mixed"),
    .flag(
      "balance_classes", "1 = weight labels by expected class shares", \.balance_classes,
      \.balancesClasses, key: "balances_classes"),
    .choice(
      "optimizer", "how a gradient moves the weights", \.optimizer, \.rule, key: "rule",
      [
        ("default", nil), ("relative", .relative), ("sgd", .sgd), ("adamw", .adamW),
        ("lars", .lars),
      ]),
    .choice(
      "batch_norm", "what BatchNormalization does", \.batch_norm, \.batchNorm,
      [("default", nil), ("frozen", .frozen), ("batch", .batch), ("statistics", .statistics)]),
    .rate("rate_a", "learning rate of (a), other methods; 0 = default", \.rate_a, \.a.rate),
    .rate("rate_b", "learning rate of (b); 0 = default", \.rate_b, \.b.rate),
    .rate("rate_c", "learning rate of (c); 0 = default", \.rate_c, \.c.rate),
    .part("drift_a", "share of labels that (a) changes; 0 = no target", \.drift_a, \.a.drift),
    .part("drift_b", "share of labels that (b) changes; 0 = no target", \.drift_b, \.b.drift),
    .part("drift_c", "share of labels that (c) changes; 0 = no target", \.drift_c, \.c.drift),
    .number(
      "classifier_rate", "factor of the last layers' learning rate", \.classifier_rate,
      \.classifierRate),
    .number("power", "exponent of the rates' decay; 0 = constant", \.power, \.power),
    .number("momentum", "momentum of the gradient", \.momentum, \.momentum, below: 1),
    .number(
      "weight_decay", "L2 regularisation of what is trained", \.weight_decay, \.weightDecay),
    .number("clip_norm", "largest norm of a gradient; 0 = any", \.clip_norm, \.clipNorm),
    .part(
      "statistics_momentum", "share of a new frame in the statistics", \.statistics_momentum,
      \.statisticsMomentum),
    .part(
      "teacher_momentum", "share that a teacher of (c), hcl keeps each step", \.teacher_momentum,
      \.teacherMomentum),
    .number("alpha", "weight of the focal entropy in (a)", \.alpha, \.alpha),
    .number("beta", "weight of the diversity in (a)", \.beta, \.beta),
    .number("gamma", "exponent of the focal entropy", \.gamma, \.gamma),
    .number("lambda", "how little uncertain pixels count", \.lambda, \.lambda),
    .number(
      "positive_weight", "weight of positive labels in (b)", \.positive_weight, \.positiveWeight),
    .number(
      "negative_weight", "weight of negative labels in (b)", \.negative_weight, \.negativeWeight),
    .number("easy_weight", "weight of easy frames in (c)", \.easy_weight, \.easyWeight),
    .number("mixed_weight", "weight of mixed frames in (c)", \.mixed_weight, \.mixedWeight),
    .part(
      "positive_share", "share of a class's pixels with a label", \.positive_share,
      \.positiveShare),
    .part(
      "negative_threshold", "a class less probable than this is ruled out", \.negative_threshold,
      \.negativeThreshold),
    .part("easy_share", "share of frames that are easy", \.easy_share, \.easyShare),
    .choice(
      "start", "where a method that trains starts", \.start, \.start,
      [("source", .source), ("blend", .blend)]),
    .count(
      "guard", "0 = off, 1 = judge weights in auto, 2 = always", \.guard, \.guardLevel, from: 0,
      to: 2),
    .part("blend_limit", "largest share that a blend tries", \.blend_limit, \.blendLimit),
    .number(
      "guard_entropy", "least entropy of weights, times the source's", \.guard_entropy,
      \.guardBounds.entropy),
    .part(
      "guard_class_share", "least share of a class, times the source's", \.guard_class_share,
      \.guardBounds.classShare),
    .number(
      "guard_shift", "largest shift of the classes' shares, nats", \.guard_shift,
      \.guardBounds.shift),
    .part(
      "guard_certainty", "how sure labelled frames must be to decide", \.guard_certainty,
      \.guardBounds.certainty, from: 0.5),
    .flag(
      "find_ignored", "1 = a guard ignores what never changes", \.find_ignored, \.findsIgnored,
      key: "find_ignored"),
    .flag("zoom", "1 = labels come from enlarged parts, too", \.zoom, \.zooms, key: "zoom"),
    .choice(
      "mixing", "what (c) cuts out of hard frames", \.mixing, \.mixing,
      [("classes", .classes), ("places", .places), ("both", .both)]),
    .flag(
      "enlarge", "1 = (b) and (c) enlarge parts of frames", \.enlarge, \.enlarges, key: "enlarge"),
    .number(
      "label_weight", "weight of labelled frames; 0 = they judge", \.label_weight, \.labelWeight),
    .count(
      "rare_patches", "cells of rare classes laid over mixed frames", \.rare_patches, \.patchCount,
      from: 0, to: 16),
    .count(
      "scenes", "most scenes with own statistics; 0, 1 = one set", \.scenes, \.sceneLimit, from: 0,
      to: Int32(SceneBank.mostScenes)),
  ]

  /// The sizes that `networkSize` accepts.
  private static let sizeRange = "0 to \(Frame.maximumSize)"

  /// What a checkpoint stores of the settings: all that decide which bits come out.
  ///
  /// The number of threads and the use of memory do not.
  static func identity(of settings: AdaptationSettings) -> [String: String] {
    var fields = [
      "precision": settings.execution.precision.rawValue,
      "height": "\(settings.height)", "width": "\(settings.width)", "draws": "\(settings.draws)",
      "a": "\(settings.a)", "b": "\(settings.b)", "c": "\(settings.c)",
    ]
    for option in all {
      if let key = option.key { fields[key] = option.shown(settings) }
    }
    fields["mask"] = settings.ignored?.digest
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
    // Only a directory contains ".".
    guard !text.isEmpty, unsafe access("\(text)/.", W_OK | X_OK) == 0 else {
      throw .argument(
        "scratch_directory '\(text)' is no folder that can be written; expected one, or NULL")
    }
    settings.scratchDirectory = text
  }
}
