import Das3Graph
import Das3Runtime

/// Memory that labels take, for one stage after the other.
final class LabelRoom {
  fileprivate var store: LabelStore?
  /// Probabilities of a mirrored frame, or of an enlarged part.
  fileprivate var probabilities: Arena?
  /// What is said of the enlarged parts of a frame.
  fileprivate var zoomed: ZoomedParts?

  init() {}

  /// Takes it all now: for at most so many frames of a network with such scores.
  init(frameCount: Int, shape: Shape) throws(Das3Error) {
    let (store, probabilities) = (
      try LabelStore(frameCount: frameCount, shape: shape),
      try Arena(elementCount: shape.elementCount)
    )
    store.populate()
    probabilities.populate()
    (self.store, self.probabilities) = (store, probabilities)
  }

  var byteCount: Int { (store?.memoryByteCount ?? 0) + viewsByteCount }

  fileprivate var viewsByteCount: Int {
    4 * (probabilities?.elementCount ?? 0) + (zoomed?.byteCount ?? 0)
  }
}

/// What a network, the student's or another's, says of the target's frames.
final class Labeller {
  private let settings: AdaptationSettings
  private let trainer: Trainer
  private let target: TargetFrames
  let teacher: (any Teacher)?
  /// Told while labels are made: how many frames have theirs.
  var labelled: (Int) -> Void = { _ in }
  /// Given what the network says of a frame before labels or masks are made of it, which it may
  /// change: a test that compares single steps puts a reference's answer there.
  var revise: (_ frame: Int, _ prediction: inout Prediction) -> Void = { _, _ in }
  private let room: LabelRoom
  /// Whether the room outlives the stage.
  private let keepsStore: Bool
  /// Bytes of weights that predict and are not the student's.
  private var otherWeightsByteCount = 0

  init(
    _ settings: AdaptationSettings, _ trainer: Trainer, _ target: TargetFrames,
    _ teacher: (any Teacher)?, room: LabelRoom? = nil
  ) throws(Das3Error) {
    self.settings = settings
    self.trainer = trainer
    self.target = target
    self.teacher = teacher
    keepsStore = room != nil
    let room = room ?? LabelRoom()
    self.room = room
    if settings.mirrors || settings.zooms, room.probabilities == nil {
      room.probabilities = try Arena(elementCount: trainer.scoreShape.elementCount)
    }
    if settings.zooms, room.zoomed == nil { room.zoomed = try ZoomedParts(trainer.scoreShape) }
  }

  /// Bytes beside the labels.
  var byteCount: Int {
    (teacher?.byteCount ?? 0) + room.viewsByteCount + otherWeightsByteCount
  }

  /// What the network says of a frame with these weights: where the run `mirrors`, the mean of what
  /// it says of the frame and of its mirror image; where it `zooms`, what it says of enlarged parts
  /// counts as much.
  ///
  /// - Parameters:
  ///   - frame: of the target.
  ///   - weights: of the run's trainer.
  ///   - prediction: receives labels and marks.
  ///   - answer: receives the probabilities of all classes; nil = nobody wants them.
  /// - Throws: what frames throw.
  func predict(
    _ frame: Int, by weights: WeightSet, into prediction: inout Prediction, answer: Arena? = nil
  ) throws(Das3Error) {
    try target.read(frame) { picture in
      let probabilities = room.probabilities
      if settings.zooms, let probabilities, let zoomed = room.zoomed {
        zoomed.clear()
        for part in ZoomedParts.parts {
          trainer.load(picture, part)
          trainer.predict(by: weights, probabilities: probabilities)
          zoomed.add(probabilities, at: part, threads: settings.execution.threads)
        }
      }
      if settings.mirrors, let probabilities {
        trainer.load(picture)
        trainer.mirrorImage()
        trainer.predict(by: weights, probabilities: probabilities)
      }
      trainer.load(picture)
      trainer.predict(
        by: weights, into: &prediction, mirrored: settings.mirrors ? probabilities : nil,
        zoomed: settings.zooms ? room.zoomed : nil, negativeThreshold: settings.negativeThreshold,
        probabilities: answer)
    }
    try KernelFailure.check()
  }

  /// What it says, as labels or masks are made of it.
  func ask(_ weights: WeightSet, of frame: Int, _ prediction: inout Prediction) throws(Das3Error) {
    try predict(frame, by: weights, into: &prediction)
    revise(frame, &prediction)
  }

  /// How uncertain the network with these weights is of each frame: the mean entropy, 0…1.
  func entropies(_ anchor: [Float]) throws(Das3Error) -> [Double] {
    try withWeights(anchor) { weights throws(Das3Error) in
      var prediction = Prediction(shape: trainer.scoreShape)
      var entropies: [Double] = []
      for frame in 0..<target.count {
        try target.checkCancelled()
        try ask(weights, of: frame, &prediction)
        entropies.append(prediction.meanEntropy)
        labelled(frame + 1)
      }
      return entropies
    }
  }

  /// Lends weights that may be others than the student's.
  func withWeights<Result>(
    _ weights: [Float], _ body: (WeightSet) throws(Das3Error) -> Result
  ) throws(Das3Error) -> Result {
    let set = try trainer.weightSet(weights)
    otherWeightsByteCount = trainer.byteCount(beside: set)
    defer { otherWeightsByteCount = 0 }
    return try body(set)
  }

  /// Room for labels of all frames, in half of what the memory limit leaves: code, stacks and what
  /// allocators keep are memory too.
  func makeLabelStore() throws(Das3Error) -> LabelStore {
    if let store = room.store, store.holds(target.count) { return store }
    let store = try LabelStore(
      frameCount: target.count, shape: trainer.scoreShape, memoryLimit: storeByteLimit,
      directory: settings.scratchDirectory)
    if keepsStore { room.store = store }
    return store
  }

  /// The same for labels that stay uncertain.
  func makeSoftLabels() throws(Das3Error) -> SoftLabels {
    try SoftLabels(
      frameCount: target.count, shape: trainer.scoreShape, memoryLimit: storeByteLimit,
      directory: settings.scratchDirectory)
  }

  private var storeByteLimit: Int {
    guard settings.memoryLimit > 0 else { return RecordStore.largestMemory }
    let taken =
      trainer.byteCount + target.storedByteCount + (teacher?.byteCount ?? 0)
      + settings.byteCount(beside: trainer)
    return max(0, Int(clamping: settings.memoryLimit) - taken) / 2
  }

  /// What a network with these weights says of a frame.
  typealias Answer =
    (_ frame: Int, _ weights: WeightSet, _ prediction: inout Prediction) throws(Das3Error) -> Void

  /// Labels of all frames by the network with the weights `anchor`, or by the teacher.
  ///
  /// - Parameters:
  ///   - anchor: weights.
  ///   - store: where the labels lie.
  ///   - byTeacher: the teacher is asked.
  ///   - share: of each class's pixels that keep their label; nil = as the settings say.
  ///   - frameShare: of each frame's pixels that keep it, too.
  ///   - answer: nil = `predict`.
  /// - Returns: the labels.
  /// - Throws: `.cancelled`, or what frames and teacher throw.
  func makeLabels(
    _ anchor: [Float], in store: LabelStore, byTeacher: Bool = false, share: Double? = nil,
    frameShare: Double? = nil, answer: Answer? = nil
  ) throws(Das3Error) -> PseudoLabels {
    try withWeights(anchor) { weights throws(Das3Error) in
      try PseudoLabels(
        in: store, share: share ?? settings.positiveShare, frameShare: frameShare,
        ignoredCount: target.ignored?.count ?? 0
      ) {
        frame, prediction throws(Das3Error) in
        try target.checkCancelled()
        if byTeacher, let teacher {
          try ask(teacher, of: frame, &prediction)
        } else {
          if let answer {
            try answer(frame, weights, &prediction)
          } else {
            try predict(frame, by: weights, into: &prediction)
          }
          revise(frame, &prediction)
        }
        labelled(frame + 1)
      }
    }
  }

  /// What a teacher says.
  func ask(_ teacher: any Teacher, of frame: Int, _ prediction: inout Prediction)
    throws(Das3Error)
  {
    try target.read(frame) { picture throws(Das3Error) in
      let answer = try teacher.answer(target.number(of: frame), picture)
      try prediction.fill(
        answer, ignored: target.ignored, negativeThreshold: settings.negativeThreshold,
        threads: settings.execution.threads)
      prediction.unmark(teacher.unknownClasses)
    }
  }

  /// What the labels count by their class; empty = all alike.
  func classWeights(_ labels: PseudoLabels) -> [Float] {
    settings.hasStages && settings.balancesClasses ? labels.classWeights : []
  }
}
