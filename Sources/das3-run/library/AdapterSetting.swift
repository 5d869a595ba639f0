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

  private init(_ name: String, _ field: Field, _ meaning: String) {
    self.name = name
    self.field = field
    self.meaning = meaning
  }

  static func named(_ name: String) -> AdapterSetting? {
    all.first { $0.name == name }
  }

  static let all: [AdapterSetting] = unsafe [
    AdapterSetting("stages", .text(\.stages), "stages, in this order"),
    AdapterSetting("steps_a", .whole(\.steps_a), "at most; also of other methods; 0 = by epochs"),
    AdapterSetting("steps_b", .whole(\.steps_b), "at most; 0 = by epochs"),
    AdapterSetting("steps_c", .whole(\.steps_c), "at most; 0 = by epochs"),
    AdapterSetting("epochs_a", .whole(\.epochs_a), "passes over the frames; 0 = default"),
    AdapterSetting("epochs_b", .whole(\.epochs_b), "likewise"),
    AdapterSetting("epochs_c", .whole(\.epochs_c), "likewise"),
    AdapterSetting("label_rounds", .whole(\.label_rounds), "how often (b) makes its labels"),
    AdapterSetting("batch_size", .whole(\.batch_size), "frames whose gradients make one step"),
    AdapterSetting("augment", .whole(\.augment), "1 = colour jitter and blur in (c)"),
    AdapterSetting("flip", .whole(\.flip), "1 = mirrored frames too"),
    AdapterSetting("filter_mixed", .whole(\.filter_mixed), "1 = (c) mixes only certain labels"),
    AdapterSetting(
      "balance_classes", .whole(\.balance_classes), "1 = labels count by what is expected"),
    AdapterSetting(
      "optimizer", .word(\.optimizer, ["default", "relative", "sgd", "adamw", "lars"]),
      "default, relative, sgd, adamw or lars"),
    AdapterSetting(
      "batch_norm", .word(\.batch_norm, ["default", "frozen", "batch", "statistics"]),
      "default, frozen, batch or statistics"),
    AdapterSetting("rate_a", .real(\.rate_a), "also of other methods; 0 = default"),
    AdapterSetting("rate_b", .real(\.rate_b), "0 = default"),
    AdapterSetting("rate_c", .real(\.rate_c), "0 = default"),
    AdapterSetting("drift_a", .real(\.drift_a), "pixels that (a) gives another label; 0 = any"),
    AdapterSetting("drift_b", .real(\.drift_b), "pixels that (b) gives another label; 0 = any"),
    AdapterSetting("drift_c", .real(\.drift_c), "pixels that (c) gives another label; 0 = any"),
    AdapterSetting(
      "classifier_rate", .real(\.classifier_rate),
      "of the last layers, times the rate"),
    AdapterSetting("power", .real(\.power), "of the fall of the rates; 0 = constant"),
    AdapterSetting("momentum", .real(\.momentum), "of the gradient"),
    AdapterSetting("weight_decay", .real(\.weight_decay), "of everything trained"),
    AdapterSetting("clip_norm", .real(\.clip_norm), "largest norm of the gradient; 0 = any"),
    AdapterSetting(
      "statistics_momentum", .real(\.statistics_momentum),
      "how far statistics move with a frame"),
    AdapterSetting(
      "teacher_momentum", .real(\.teacher_momentum),
      "what the teacher of (c) keeps each step"),
    AdapterSetting("alpha", .real(\.alpha), "of focal entropy, in (a)"),
    AdapterSetting("beta", .real(\.beta), "of diversity, in (a)"),
    AdapterSetting("gamma", .real(\.gamma), "exponent of focal entropy"),
    AdapterSetting("lambda", .real(\.lambda), "how little uncertain pixels count"),
    AdapterSetting("positive_weight", .real(\.positive_weight), "of positive labels, in (b)"),
    AdapterSetting("negative_weight", .real(\.negative_weight), "of negative labels, in (b)"),
    AdapterSetting("easy_weight", .real(\.easy_weight), "of easy frames, in (c)"),
    AdapterSetting("mixed_weight", .real(\.mixed_weight), "of hard frames cut together, in (c)"),
    AdapterSetting(
      "positive_share", .real(\.positive_share),
      "of a class's pixels, keeps its label"),
    AdapterSetting(
      "negative_threshold", .real(\.negative_threshold),
      "below it a pixel is not of a class"),
    AdapterSetting("easy_share", .real(\.easy_share), "of the frames, the most certain first"),
    AdapterSetting(
      "blend_limit", .real(\.blend_limit), "how far a blend may go to the target, in quarters"),
    AdapterSetting("trained", .text(\.trained), "names of parameters, blanks between, * ?"),
    AdapterSetting("frozen", .text(\.frozen), "likewise, not trained after all"),
    AdapterSetting("classifier", .text(\.classifier), "likewise, the last layers"),
    AdapterSetting(
      "scratch_directory", .text(\.scratch_directory),
      "for labels beyond the memory limit"),
  ]
}
