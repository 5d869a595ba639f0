// A model in, its mIoU on the frames of --val out.

struct Measurement {
  let validation: Validation
  let labeller: Labeller

  /// For decoded frames.
  static let keptByteLimit = 1 << 30

  func measure(_ model: ModelHandle) throws(Failure) -> EvaluatorHandle.Result {
    try labeller.setModel(model)
    return try validation.evaluate(labeller)
  }
}
