// A look and seeds in, frames and their truth out.
import ArgumentParser

/// A frame and its truth.
struct LabelledFrame {
  let frame: Frame
  /// Height × width class numbers.
  let truth: [UInt8]
}

/// The streets of one look.
enum StreetWorld: String, ExpressibleByArgument, CaseIterable {
  case day, dusk

  static let size = PixelSize(width: 320, height: 240)

  var look: Look { self == .day ? .day : .dusk }

  /// Draws a street; the same seed gives the same bytes on every machine, and the same street in
  /// both looks.
  func frame(seed: UInt64, name: String) -> LabelledFrame {
    var random = SplitMix64(seed: seed)
    let fine = PixelSize(
      width: Self.size.width * Lens.fineness, height: Self.size.height * Lens.fineness)
    let scene = StreetScene(look, size: fine, &random)
    var frame = Frame()
    frame.stem = name
    frame.name = name
    let truth = Lens(look: look).develop(
      scene.painted(), size: Self.size, &random, into: &frame)
    return LabelledFrame(frame: frame, truth: truth)
  }

  /// Draws a street for each seed.
  func frames(seeds: Range<UInt64>) -> [LabelledFrame] {
    var progress = ProgressBar(title: "draw", count: seeds.count)
    defer { progress.clear() }
    return seeds.enumerated().map { index, seed in
      defer { progress.update(finished: index + 1) }
      return frame(seed: seed, name: "street\(index)")
    }
  }
}

extension AdapterHandle {
  /// Copies frames to learn from, with their truth for a method that wants it.
  func add(_ frames: [LabelledFrame], withTruth: Bool) throws(Failure) {
    for labelled in frames {
      guard try add(labelled.frame, truth: withTruth ? labelled.truth : nil) else {
        throw Failure("the memory limit has no room for \(frames.count) frames")
      }
    }
  }
}

extension Labeller {
  /// Compares a model's labels of frames with their truth.
  func evaluate(
    _ model: ModelHandle, on frames: [LabelledFrame]
  ) throws(Failure) -> EvaluatorHandle.Result {
    try setModel(model)
    let evaluator = try EvaluatorHandle(classes: classes, ignoreLabel: ignoreLabel)
    for labelled in frames {
      try evaluator.add(labels: try label(labelled.frame), truth: labelled.truth)
    }
    return try evaluator.result()
  }
}
