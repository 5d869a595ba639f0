import Das3Graph

/// What a checkpoint must agree in with the run that goes on, by keys that do not follow the names of
/// this code: renaming something here leaves the checkpoints of users what they are.
struct CheckpointIdentity: Sendable, Equatable {
  /// Keys and values that a message can show.
  var fields: [String: String]

  /// - Throws: `.argument` naming the first thing in which they differ.
  func check(against other: Self) throws(Das3Error) {
    guard fields["model"] == other.fields["model"] else {
      throw .argument("the checkpoint belongs to another model")
    }
    let keys = Set(fields.keys).union(other.fields.keys)
    for key in keys.subtracting(["pictures"]).sorted() {
      guard fields[key] == other.fields[key] else {
        // Stages have letters for keys.
        let what = key.count == 1 ? "stage \(key) of" : key
        throw .argument(
          "the checkpoint belongs to a run with \(what) \(fields[key] ?? "unknown"); here it is \(other.fields[key] ?? "unknown")"
        )
      }
    }
    if let mine = fields["pictures"], let others = other.fields["pictures"], mine != others {
      throw .argument("the checkpoint belongs to a run on other frames")
    }
  }
}

extension CheckpointIdentity {
  init(
    settings: AdaptationSettings, model: String, pictures: String?, frameCount: Int,
    hasTeacher: Bool
  ) {
    fields = settings.identity
    fields["model"] = model
    fields["frames"] = "\(frameCount)"
    fields["teacher"] = hasTeacher ? "yes" : "no"
    fields["pictures"] = pictures
  }
}

extension AdaptationSettings {
  /// The settings that decide which bits come out, as the C header spells them; not where memory lies
  /// or how many threads work.
  package var identity: [String: String] {
    func text(_ value: (some Any)?) -> String { value.map { "\($0)" } ?? "default" }
    func list(_ names: [String]?) -> String {
      names.map { $0.joined(separator: ", ") } ?? "default"
    }
    return [
      "precision": execution.usesBFloat16 ? "bf16" : "f32", "height": "\(height)",
      "width": "\(width)", "method": method.name, "start": start == .blend ? "blend" : "source",
      "blend_limit": "\(blendLimit)",
      "stages": stages.map { String(UnicodeScalar($0.rawValue)) }.joined(), "seed": "\(seed)",
      "draws": "\(draws)", "trained": list(trained), "frozen": list(frozen),
      "classifier": list(classifier), "a": "\(a)", "b": "\(b)", "c": "\(c)",
      "label_rounds": "\(labelRounds)", "batch_size": "\(batchSize)", "augments": "\(augments)",
      "mirrors": "\(mirrors)", "rule": text(rule?.name), "batch_norm": text(batchNorm?.name),
      "classifier_rate": "\(classifierRate)", "power": "\(power)", "momentum": "\(momentum)",
      "weight_decay": "\(weightDecay)", "clip_norm": "\(clipNorm)",
      "statistics_momentum": "\(statisticsMomentum)", "teacher_momentum": "\(teacherMomentum)",
      "alpha": "\(alpha)", "beta": "\(beta)", "gamma": "\(gamma)", "lambda": "\(lambda)",
      "positive_weight": "\(positiveWeight)", "negative_weight": "\(negativeWeight)",
      "easy_weight": "\(easyWeight)", "mixed_weight": "\(mixedWeight)",
      "positive_share": "\(positiveShare)", "negative_threshold": "\(negativeThreshold)",
      "easy_share": "\(easyShare)", "filters_mixed": "\(filtersMixed)",
      "balances_classes": "\(balancesClasses)",
    ]
  }
}

extension Optimizer.Rule {
  fileprivate var name: String {
    switch self {
    case .sgd: "sgd"
    case .adamW: "adamw"
    case .relative: "relative"
    case .lars: "lars"
    }
  }
}

extension AdaptationSettings.BatchNorm {
  fileprivate var name: String {
    switch self {
    case .frozen: "frozen"
    case .batch: "batch"
    case .statistics: "statistics"
    }
  }
}
