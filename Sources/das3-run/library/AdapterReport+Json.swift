// What the adapter says of a step in, a line of JSON or a few words out.
import CDas3

extension das3_adapter_report {
  /// "blend", "guard", "a", "b" or "c"; nil in methods without stages.
  var stageName: String? {
    if judging != 0 { return "guard" }
    return blending != 0
      ? "blend" : stage == 0 ? nil : String(UnicodeScalar(UInt8(clamping: stage)))
  }

  /// Such as "stage a 12/120".
  var place: String {
    let name =
      blending != 0 || judging != 0 ? "\(stageName ?? "") " : stageName.map { "stage \($0) " } ?? ""
    return name + "\(step)/\(step_count)"
  }

  /// Every field under its own name.
  var json: JsonValue {
    .object([
      (key: "event", value: .string("step")),
      (key: "stage", value: .text(stageName)),
      (key: "step", value: .integer(Int(step))),
      (key: "step_count", value: .integer(Int(step_count))),
      (key: "total_step", value: .integer(Int(total_step))),
      (key: "total_step_count", value: .integer(Int(total_step_count))),
      (key: "round", value: .integer(Int(round))),
      (key: "skipped", value: .bool(skipped != 0)),
      (key: "stage_done", value: .bool(stage_done != 0)),
      (key: "stopped_early", value: .bool(stopped_early != 0)),
      (key: "done", value: .bool(done != 0)),
      (key: "loss", value: .number(loss)),
      (key: "focal_entropy", value: .number(focal_entropy)),
      (key: "diversity", value: .number(diversity)),
      (key: "positive", value: .number(positive)),
      (key: "negative", value: .number(negative)),
      (key: "mixed", value: .number(mixed)),
      (key: "entropy", value: .number(entropy)),
      (key: "max_square", value: .number(max_square)),
      (key: "truth", value: .number(truth)),
      (key: "consistency", value: .number(consistency)),
      (key: "label_coverage", value: .number(label_coverage)),
      (key: "agreement", value: .number(agreement)),
      (key: "gradient_norm", value: .number(gradient_norm)),
      (key: "learning_rate", value: .number(learning_rate)),
      (key: "seconds", value: .rounded(seconds, 6)),
      (key: "network_seconds", value: .rounded(network_seconds, 6)),
      (key: "memory_bytes", value: .integer(Int(clamping: memory_bytes))),
      (key: "ignored_share", value: .rounded(ignored_share, 5)),
      (key: "found_share", value: .rounded(found_share, 5)),
    ])
  }

  /// The sets of weights that the guard has judged and which it took; null where there is no guard.
  var guardJson: JsonValue {
    guard guard_count > 0 || guard_done != 0 else { return .null }
    return .object([
      (key: "choice", value: .integer(Int(guard_choice))),
      (key: "done", value: .bool(guard_done != 0)),
      (key: "reason", value: .text(AdapterHandle.meaning(ofGuardReason: guard_reason))),
      (key: "seconds", value: .rounded(guard_seconds, 3)),
      (key: "candidates", value: .array(judged.map(\.json))),
    ])
  }

  /// Sets of weights that the guard has judged, the source first.
  var judged: [das3_guard_candidate] {
    let all = self.guard
    return [
      all.0, all.1, all.2, all.3, all.4, all.5, all.6, all.7, all.8, all.9, all.10, all.11,
      all.12, all.13, all.14, all.15,
    ].prefix(Int(guard_count)).map { $0 }
  }

  /// The candidates of the blend and what was taken; null before that.
  var blendJson: JsonValue {
    guard blend_done != 0 else { return .null }
    return .object([
      (key: "share", value: .number(blend_share)),
      (key: "reason", value: .text(AdapterHandle.meaning(ofBlendReason: blend_reason))),
      (key: "seconds", value: .rounded(blend_seconds, 3)),
      (key: "candidates", value: .array(candidates.map(\.json))),
      (key: "scenes", value: scenesJson),
    ])
  }

  /// Frames of each scene that was found.
  var sceneFrames: [Int] { sceneCounts(scene_frames, scene_count) }

  /// Null where the frames are of one scene, or no other was looked for.
  private var scenesJson: JsonValue {
    guard scene_count > 0 else { return .null }
    return .object([
      (key: "frames", value: .array(sceneFrames.map(JsonValue.integer))),
      (key: "used", value: .bool(scenes_used != 0)), (key: "share", value: .number(scene_share)),
    ])
  }

  /// Networks that the blend was chosen among, the source first.
  var candidates: [das3_blend_candidate] {
    let all = [blend.0, blend.1, blend.2, blend.3, blend.4]
    return Array(all.prefix(Int(blend_count)))
  }
}

extension das3_guard_candidate {
  /// Such as "a", or "b ¾" for what lies on the line to it.
  var name: String {
    let names: [das3_guard_origin: String] = [
      DAS3_GUARD_ORIGIN_SOURCE: "source", DAS3_GUARD_ORIGIN_BLEND: "blend",
      DAS3_GUARD_ORIGIN_TRAINING: "training", DAS3_GUARD_ORIGIN_A: "a", DAS3_GUARD_ORIGIN_B: "b",
      DAS3_GUARD_ORIGIN_C: "c",
    ]
    let name = names[das3_guard_origin(UInt32(origin))] ?? "?"
    return share == 1 ? name : "\(name) × \(fixed(share, 2))"
  }

  /// Whether labelled frames have judged it.
  var hasLabels: Bool { miou >= 0 }

  /// Why it was refused; nil where it was not.
  var objection: String? {
    let words: [das3_guard_veto: String] = [
      DAS3_GUARD_VETO_NOT_FINITE: "scores not finite", DAS3_GUARD_VETO_COLLAPSED: "too certain",
      DAS3_GUARD_VETO_LOST_CLASSES: "classes lost", DAS3_GUARD_VETO_SHIFTED: "classes shifted",
    ]
    return words[das3_guard_veto(UInt32(veto))]
  }

  fileprivate var json: JsonValue {
    .object([
      (key: "name", value: .string(name)), (key: "share", value: .number(share)),
      (key: "accepted", value: .bool(accepted != 0)), (key: "refused", value: .text(objection)),
      (key: "M", value: .rounded(score, 5)), (key: "IM", value: .rounded(information, 5)),
      (key: "F", value: .rounded(agreement, 5)), (key: "V", value: .rounded(divergence, 5)),
      (key: "entropy", value: .rounded(entropy, 5)), (key: "shift", value: .rounded(shift, 5)),
      (key: "wins", value: .rounded(wins, 3)),
      (key: "miou", value: hasLabels ? .rounded(miou * 100, 2) : .null),
      (key: "probability", value: hasLabels ? .rounded(probability, 3) : .null),
    ])
  }
}

extension das3_blend_candidate {
  /// Whether labelled frames have judged it.
  var hasLabels: Bool { miou >= 0 }

  fileprivate var json: JsonValue {
    .object([
      (key: "share", value: .number(share)), (key: "M", value: .rounded(score, 5)),
      (key: "IM", value: .rounded(information, 5)), (key: "F", value: .rounded(agreement, 5)),
      (key: "V", value: .rounded(divergence, 5)),
      (key: "miou", value: hasLabels ? .rounded(miou * 100, 2) : .null),
    ])
  }
}
