// Frames in, their labels by a model in the classes of the truth out.

/// A segmenter, and the class map where the truth has other classes than the model.
final class Labeller {
  /// The classes of the labels.
  let classes: [ModelClass]
  let ignoreLabel: Int
  /// The meaning of the truth's values.
  let coding: TruthCoding
  /// Classes whose mean is given beside that of all.
  let subset: ClassSubset?

  private let segmenter: SegmenterHandle
  private let map: ClassMap?
  private var result: Segmentation

  /// Also finds entropies where `outputs` has them.
  init(
    model: ModelHandle, classMap: String?, outputs: Set<Segmentation.Output> = [],
    size: PixelSize?, shared: SharedOptions
  ) throws(Failure) {
    map = try classMap.map { name throws(Failure) in
      try ClassMap(name, modelClasses: model.classNames)
    }
    subset = map?.subset
    classes = map?.truthClasses(of: model.classes) ?? model.classes
    ignoreLabel = map?.ignoreLabel ?? model.ignoreLabel
    coding =
      map?.coding ?? TruthCoding(classes: model.classNames, ignoreLabel: model.ignoreLabel)
    segmenter = try SegmenterHandle(model: model, size: size, shared: shared)
    let needsSums = map.map { $0.renumbering == nil } ?? false
    result = Segmentation(
      outputs.union(needsSums ? [.labels, .probabilities] : [.labels]),
      classCount: model.classes.count)
  }

  /// Says which classes of the model or of the truth have no part in a comparison.
  func noteMissing() {
    map?.remarks.forEach(Terminal.note)
  }

  /// Of the frame that was labelled last, height × width values from 0 to 1; empty where they were
  /// not asked for.
  var entropy: [Float] { result.entropy }

  /// Takes the weights of a model of the same graph.
  func setModel(_ model: ModelHandle) throws(Failure) {
    try segmenter.setModel(model)
  }

  /// Height × width class numbers.
  func label(_ frame: Frame) throws(Failure) -> [UInt8] {
    try segmenter.segment(frame, into: &result)
    guard let map else { return result.labels }
    if let renumbering = map.renumbering { return result.labels.map { renumbering[Int($0)] } }
    map.label(result.probabilities, into: &result.labels)
    return result.labels
  }
}
