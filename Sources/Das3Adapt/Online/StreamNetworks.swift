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
  /// What the user ignores, at the size of the scores; nil = nothing.
  private let given: IgnoredPixels?
  /// The part of the pixels that was found by itself, 0…1.
  private(set) var foundShare = 0.0
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
    let shape = trainer.scoreShape
    given = settings.ignored?.fitted(height: shape[2], width: shape[3])
    guard given?.isEverything != true else { throw IgnoredPixels.tooMany }
    (trainer.ignored, predictor.ignored) = (given, given)
    guard settings.memoryLimit == 0 else {
      labelRoom = LabelRoom()
      return
    }
    labelRoom = try LabelRoom(frameCount: frameCount, shape: trainer.scoreShape)
    for network in [trainer, observer, predictor] { network.populate() }
    mirrored.populate()
    try trainer.reserveWeights()
  }

  /// At the size of the scores.
  var ignored: IgnoredPixels? { trainer.ignored }

  private func ignore(_ pixels: IgnoredPixels?) {
    (trainer.ignored, predictor.ignored) = (pixels, pixels)
  }

  /// Ignores what never changes over the probes, too, and no longer what did so before.
  ///
  /// - Returns: whether other pixels are ignored from now on.
  /// - Throws: `.cancelled`.
  func ignoreStillPixels(of probes: [Probe], isCancelled: () -> Bool) throws(Das3Error) -> Bool {
    let still = try predictor.stillPixels { look throws(Das3Error) in
      for probe in probes {
        if isCancelled() { throw .adapterCancelled }
        try probe.frame.withFrame(look)
      }
    }
    let before = ignored
    let all = still.map { given?.union($0) ?? $0 } ?? given
    guard all?.isEverything != true else { return false }
    foundShare = still?.share ?? 0
    ignore(all)
    return all != before
  }

  var layers: [Trainer.StatisticsLayer] { observer.statisticsLayers }
  var byteCount: Int {
    trainer.byteCount + observer.byteCount + predictor.byteCount + 4 * mirrored.elementCount
  }

  /// What the picture looks like, as the observer has it before it then.
  func thumbnail(of frame: Frame) -> Thumbnail {
    observer.load(frame)
    return observer.thumbnail(ignored: ignored)
  }

  /// Adds the statistics of the picture that the observer has before it.
  func observe(_ pool: inout StatisticsPool) throws(Das3Error) {
    guard !layers.isEmpty else { return }
    observer.observe()
    try KernelFailure.check()
    guard observer.statistics.allSatisfy(\.isFinite) else { return }
    observer.withWeights { pool.add($0, layers) }
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
