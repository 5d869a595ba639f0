// The fields of the adapter's options that `--set` knows, with what they mean.
import CDas3

/// One line of the table; the library knows the default and the range.
@safe
struct AdapterSetting {
  typealias Path<Value> = WritableKeyPath<das3_adapter_options, Value> & Sendable

  @safe
  enum Field {
    case real(Path<Double>)
    case whole(Path<Int32>)
    /// Words for the values from 0.
    case word(Path<Int32>, [String])
    case text(Path<UnsafePointer<CChar>?>)
  }

  /// As in `das3_adapter_options`.
  let name: String
  let field: Field
  let meaning: String

  private static func real(_ name: String, _ path: Path<Double>, _ meaning: String) -> Self {
    unsafe AdapterSetting(name: name, field: .real(path), meaning: meaning)
  }

  private static func whole(_ name: String, _ path: Path<Int32>, _ meaning: String) -> Self {
    unsafe AdapterSetting(name: name, field: .whole(path), meaning: meaning)
  }

  private static func word(_ name: String, _ path: Path<Int32>, _ words: [String]) -> Self {
    let meaning = words.dropLast().joined(separator: ", ") + " or " + (words.last ?? "")
    return unsafe AdapterSetting(name: name, field: .word(path, words), meaning: meaning)
  }

  private static func text(_ name: String, _ path: Path<UnsafePointer<CChar>?>, _ meaning: String)
    -> Self
  {
    unsafe AdapterSetting(name: name, field: .text(path), meaning: meaning)
  }

  static func named(_ name: String) -> AdapterSetting? {
    all.first { $0.name == name }
  }

  static let all: [AdapterSetting] = unsafe [
    .text("stages", \.stages, "stages, in this order"),
    .whole("steps_a", \.steps_a, "at most; also of other methods; 0 = by epochs"),
    .whole("steps_b", \.steps_b, "at most; 0 = by epochs"),
    .whole("steps_c", \.steps_c, "at most; 0 = by epochs"),
    .whole("epochs_a", \.epochs_a, "passes over the frames; 0 = default"),
    .whole("epochs_b", \.epochs_b, "likewise"),
    .whole("epochs_c", \.epochs_c, "likewise"),
    .whole("label_rounds", \.label_rounds, "how often (b) makes its labels"),
    .whole("batch_size", \.batch_size, "frames whose gradients make one step"),
    .whole("augment", \.augment, "1 = colour jitter and blur in (c)"),
    .whole("flip", \.flip, "1 = mirrored frames too"),
    .whole("filter_mixed", \.filter_mixed, "1 = (c) mixes only certain labels"),
    .whole("balance_classes", \.balance_classes, "1 = labels count by what is expected"),
    .word("optimizer", \.optimizer, ["default", "relative", "sgd", "adamw", "lars"]),
    .word("batch_norm", \.batch_norm, ["default", "frozen", "batch", "statistics"]),
    .real("rate_a", \.rate_a, "also of other methods; 0 = default"),
    .real("rate_b", \.rate_b, "0 = default"),
    .real("rate_c", \.rate_c, "0 = default"),
    .real("drift_a", \.drift_a, "pixels that (a) gives another label; 0 = any"),
    .real("drift_b", \.drift_b, "pixels that (b) gives another label; 0 = any"),
    .real("drift_c", \.drift_c, "pixels that (c) gives another label; 0 = any"),
    .real("classifier_rate", \.classifier_rate, "of the last layers, times the rate"),
    .real("power", \.power, "of the fall of the rates; 0 = constant"),
    .real("momentum", \.momentum, "of the gradient"),
    .real("weight_decay", \.weight_decay, "of everything trained"),
    .real("clip_norm", \.clip_norm, "largest norm of the gradient; 0 = any"),
    .real("statistics_momentum", \.statistics_momentum, "how far statistics move with a frame"),
    .real("teacher_momentum", \.teacher_momentum, "what the teacher of (c) keeps each step"),
    .real("alpha", \.alpha, "of focal entropy, in (a)"),
    .real("beta", \.beta, "of diversity, in (a)"),
    .real("gamma", \.gamma, "exponent of focal entropy"),
    .real("lambda", \.lambda, "how little uncertain pixels count"),
    .real("positive_weight", \.positive_weight, "of positive labels, in (b)"),
    .real("negative_weight", \.negative_weight, "of negative labels, in (b)"),
    .real("easy_weight", \.easy_weight, "of easy frames, in (c)"),
    .real("mixed_weight", \.mixed_weight, "of hard frames cut together, in (c)"),
    .real("positive_share", \.positive_share, "of a class's pixels, keeps its label"),
    .real("negative_threshold", \.negative_threshold, "below it a pixel is not of a class"),
    .real("easy_share", \.easy_share, "of the frames, the most certain first"),
    .real("blend_limit", \.blend_limit, "how far a blend may go to the target, in quarters"),
    .text("trained", \.trained, "names of parameters, blanks between, * ?"),
    .text("frozen", \.frozen, "likewise, not trained after all"),
    .text("classifier", \.classifier, "likewise, the last layers"),
    .text("scratch_directory", \.scratch_directory, "for labels beyond the memory limit"),
  ]
}
