// Labels and truth in, intersection over union out.
import CDas3

/// The mean of some classes alone.
struct ClassSubset {
  let name: String
  /// The classes that it leaves out.
  let without: Set<String>

  func count(of classes: [String]) -> Int { classes.count { !without.contains($0) } }
}

/// Owns a `das3_evaluator`.
@safe
final class EvaluatorHandle {
  struct Result {
    /// The classes of the truth.
    let classes: [ModelClass]
    /// Of each class, 0 to 1; nil for a class that is in neither truth nor prediction.
    let iou: [Double?]
    let miou: Double
    let pixelAccuracy: Double
    let pixelCount: UInt64
    fileprivate let subset: ClassSubset?

    /// Name and value of the means of IoU: that of all classes, and that of some.
    private var means: [(name: String, value: Double)] {
      guard let subset else { return [("mIoU", miou)] }
      let values = zip(classes, iou).compactMap { entry, value in
        subset.without.contains(entry.name) ? nil : value
      }
      return [("mIoU", miou), (subset.name, values.reduce(0, +) / Double(values.count))]
    }

    /// How many classes count in the mean.
    var seenClassCount: Int { iou.count { $0 != nil } }

    /// The rows of a table in percent: the classes, an empty row, the means.
    func rows(decimals: Int) -> [(name: String, value: String)] {
      let values = zip(classes, iou).map { entry, value in
        (entry.name, value.map { fixed($0 * 100, decimals) } ?? "–")
      }
      let means = (means + [("pixel accuracy", pixelAccuracy)]).map { name, value in
        (name, value.isFinite ? fixed(value * 100, decimals) : "–")
      }
      return values + [("", "")] + means
    }

    /// In percent; null = class left out.
    var json: [JsonValue.Member] {
      let values = zip(classes, iou).map { entry, value in
        (key: entry.name, value: value.map { JsonValue.rounded($0 * 100, 2) } ?? .null)
      }
      return means.map { (key: $0.name.lowercased(), value: .rounded($0.value * 100, 2)) } + [
        (key: "iou", value: .object(values)),
        (key: "pixel_accuracy", value: .rounded(pixelAccuracy * 100, 2)),
      ]
    }
  }

  private let pointer: OpaquePointer
  private let classes: [ModelClass]
  private let subset: ClassSubset?

  /// The result has the mean of `subset`, too, if there is one.
  init(classes: [ModelClass], ignoreLabel: Int, subset: ClassSubset? = nil) throws(Failure) {
    var created: OpaquePointer?
    try Failure.check(
      unsafe das3_evaluator_create(
        &created, Int32(clamping: classes.count), Int32(clamping: ignoreLabel)), "evaluator")
    guard let evaluator = unsafe created else { throw Failure("no evaluator was created") }
    unsafe pointer = evaluator
    self.classes = classes
    self.subset = subset
  }

  deinit {
    unsafe das3_evaluator_free(pointer)
  }

  func add(labels: [UInt8], truth: [UInt8]) throws(Failure) {
    guard labels.count == truth.count else {
      throw Failure("\(labels.count) labels do not fit \(truth.count) truth values")
    }
    let status = unsafe labels.withUnsafeBufferPointer { labels in
      unsafe truth.withUnsafeBufferPointer { truth in
        unsafe das3_evaluator_add(pointer, labels.baseAddress, truth.baseAddress, labels.count)
      }
    }
    try Failure.check(status, "evaluator")
  }

  func result() throws(Failure) -> Result {
    var iou = [Double](repeating: -1, count: classes.count)
    var evaluation = unsafe das3_evaluation()
    unsafe evaluation.struct_size = UInt32(MemoryLayout<das3_evaluation>.stride)
    let status = unsafe iou.withUnsafeMutableBufferPointer { values in
      unsafe evaluation.iou = values.baseAddress
      unsafe evaluation.class_capacity = Int32(clamping: values.count)
      defer { unsafe evaluation.iou = nil }
      return unsafe das3_evaluator_get_result(pointer, &evaluation)
    }
    try Failure.check(status, "evaluator")
    return unsafe Result(
      classes: classes, iou: iou.map { $0 < 0 ? nil : $0 }, miou: evaluation.miou,
      pixelAccuracy: evaluation.pixel_accuracy, pixelCount: evaluation.pixel_count,
      subset: subset)
  }
}
