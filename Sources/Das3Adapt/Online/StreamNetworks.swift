import Das3Graph
import Das3Runtime

/// The networks that learning from a stream needs, all of one size.
///
/// Their memory is taken at once, so that what starts also goes on, and that of labels for one stage
/// after the other; with a memory limit it is taken as it is used.
final class StreamNetworks {
  /// Learns.
  let trainer: Trainer
  /// Normalises by the statistics of each frame, which then stand among its weights.
  let observer: Trainer
  /// Says what sets of weights predict.
  private let predictor: Trainer
  private let mirrored: Arena
  /// For labels of one stage after the other.
  let labelRoom: LabelRoom
  /// The set that the predictor has.
  private weak var asked: Candidate?

  /// Plans all of them.
  ///
  /// - Parameters:
  ///   - settings: of the runs.
  ///   - model: what is adapted.
  ///   - frameCount: at most, of a stage.
  /// - Throws: `.memory` where limit or machine do not suffice, `.unsupported` where a gradient is
  ///   missing.
  init(_ settings: AdaptationSettings, _ model: SegmentationModel, frameCount: Int)
    throws(Das3Error)
  {
    trainer = try settings.trainer(of: model)
    observer = try settings.observer(of: model)
    predictor = try settings.predictor(of: model)
    mirrored = try Arena(elementCount: predictor.scoreShape.elementCount)
    guard settings.memoryLimit == 0 else {
      labelRoom = LabelRoom()
      return
    }
    labelRoom = try LabelRoom(frameCount: frameCount, shape: trainer.scoreShape)
    for network in [trainer, observer, predictor] { network.populate() }
    mirrored.populate()
  }

  var layers: [Trainer.StatisticsLayer] { observer.statisticsLayers }
  var byteCount: Int {
    trainer.byteCount + observer.byteCount + predictor.byteCount + 4 * mirrored.elementCount
  }

  /// What the picture looks like, as the observer has it before it then.
  func thumbnail(of frame: Frame) -> Thumbnail {
    observer.load(frame)
    let model = observer.model
    return Thumbnail(
      observer.imageValues, height: observer.height, width: observer.width,
      channelCount: model.channelCount, model.metadata)
  }

  /// Adds the statistics of the picture that the observer has before it.
  func observe(_ pool: inout StatisticsPool) throws(Das3Error) {
    guard !layers.isEmpty else { return }
    observer.observe()
    try KernelFailure.check()
    if observer.statistics.allSatisfy(\.isFinite) { pool.add(observer.weights, layers) }
  }

  /// What a set of weights says of a probe.
  func ask(_ candidate: Candidate, _ probe: Probe) throws(Das3Error) {
    if asked !== candidate {
      predictor.setWeights(candidate.weights)
      asked = candidate
    }
    var signals = ViewSignals(classCount: predictor.scoreShape[1])
    try probe.frame.withFrame { frame throws(Das3Error) in
      signals = try predictor.compareViews(of: frame, mirrored: mirrored)
    }
    candidate.add(signals, ofProbe: probe.number)
  }
}

/// A frame of the stream that nothing is learned from.
struct Probe {
  let number: Int
  let frame: StoredFrame
}
