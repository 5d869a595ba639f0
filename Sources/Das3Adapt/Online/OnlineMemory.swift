import Das3Graph

/// What learning from a stream leaves for another process: weights and statistics, no frames.
package struct OnlineMemory: Sendable, Equatable {
  /// The weights in use; empty = those of the source.
  var origin = GuardRecord.Origin.source
  var share = 0.0
  var weights: [Float] = []
  /// What was accepted last; nil = nothing, or nothing since the last reset.
  var trainedOrigin: GuardRecord.Origin?
  var trainedShare = 0.0
  /// Empty where it is in use.
  var trained: [Float] = []
  /// The statistics of the scene, as in `StatisticsPool`.
  var high: [Float] = [], low: [Float] = []
  var pooledCount = 0
  var stageNumber = 0
  /// Of `OnlineReport`.
  var counts: [Int] = []

  package init() {}

  /// nil = the weights of the source.
  var inUse: [Float]? { weights.isEmpty ? nil : weights }

  private static let title = "stream checkpoint 2"

  /// Writes it, whole or not at all.
  ///
  /// - Parameters:
  ///   - path: in an existing directory.
  ///   - model: the source.
  /// - Throws: `.io`.
  package func write(to path: String, _ model: SegmentationModel) throws(Das3Error) {
    let header: [String: Json] = [
      "model": .string(model.onnx.fingerprint), "origin": .number(Double(origin.rawValue)),
      "share": .number(share), "trained_share": .number(trainedShare),
      "trained_origin": trainedOrigin.map { .number(Double($0.rawValue)) } ?? .null,
      "pooled": .number(Double(pooledCount)), "stages": .number(Double(stageNumber)),
      "counts": .numbers(counts.map(Double.init)),
    ]
    try CheckpointFile(header: header, vectors: [weights, trained, high, low]).write(
      to: path, title: Self.title)
  }

  /// Reads one.
  ///
  /// - Parameters:
  ///   - path: of the file.
  ///   - model: to which it must belong.
  /// - Throws: `.argument` where it belongs to another model, `.io` where there is none, `.format`
  ///   where it is damaged or of another version.
  package init(contentsOf path: String, _ model: SegmentationModel) throws(Das3Error) {
    let file = try CheckpointFile(contentsOf: path, title: Self.title)
    guard file.header["model"]?.string == model.onnx.fingerprint else {
      throw .argument("\(path): the checkpoint belongs to another model")
    }
    guard let memory = OnlineMemory(file, weightCount: model.onnx.weights.count) else {
      throw Checkpoint.inconsistent.at(path)
    }
    self = memory
  }

  private init?(_ file: CheckpointFile, weightCount: Int) {
    func count(_ name: String) -> Int? {
      file.header[name]?.number.flatMap { Int(exactly: $0) }.flatMap { $0 >= 0 ? $0 : nil }
    }
    func knownOrigin(_ name: String) -> GuardRecord.Origin? {
      file.header[name]?.number.flatMap { Int32(exactly: $0) }.flatMap(GuardRecord.Origin.init)
    }
    guard file.vectors.count == 4, let origin = knownOrigin("origin"),
      let share = file.header["share"]?.number, (0...1).contains(share),
      let trainedShare = file.header["trained_share"]?.number, (0...1).contains(trainedShare),
      let pooledCount = count("pooled"), let stageNumber = count("stages"),
      let counts = file.header["counts"]?.numbers?.map({ Int(exactly: $0) ?? -1 }),
      counts.isEmpty || counts.count == OnlineReport().counts.count,
      counts.allSatisfy({ $0 >= 0 }),
      file.vectors[...1].allSatisfy({ $0.isEmpty || $0.count == weightCount }),
      file.vectors[2].count == file.vectors[3].count,
      (origin == .source) == file.vectors[0].isEmpty
    else { return nil }
    (self.origin, self.share, weights) = (origin, share, file.vectors[0])
    (trainedOrigin, self.trainedShare) = (knownOrigin("trained_origin"), trainedShare)
    (trained, high, low) = (file.vectors[1], file.vectors[2], file.vectors[3])
    (self.pooledCount, self.stageNumber, self.counts) = (pooledCount, stageNumber, counts)
  }
}
