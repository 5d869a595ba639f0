import Das3Files

/// Statistics of BatchNormalization for the scenes of a place, beside one set of weights.
///
/// A saved model holds them in its metadata: `das3.scenes` says how scenes are told apart, and
/// `das3.scenes.0` and so on hold the statistics. Other runtimes see the plain network.
package struct SceneBank: Sendable, Equatable {
  package let map: SceneMap
  /// Frames that the statistics of each scene are of.
  package let frameCounts: [Int]
  /// Of each scene: all running means and variances, in the order of the model's parameters.
  package let statistics: [[Float]]

  package static let mostScenes = 8
  static let key = "das3.scenes"
  private static let version = 1.0

  package init(map: SceneMap, frameCounts: [Int], statistics: [[Float]]) {
    self.map = map
    self.frameCounts = frameCounts
    self.statistics = statistics
  }

  package var count: Int { statistics.count }

  /// What is wrong with the scenes of a file; the plain network is right nevertheless.
  struct Doubt: Error {
    let reason: String
  }

  /// Whether they can be those of a model.
  package func isOf(_ model: SegmentationModel) -> Bool {
    map.isPossible(momentCount: model.momentCount)
      && statistics.allSatisfy { $0.count == model.onnx.statisticCount }
  }

  // MARK: In a file

  /// The metadata entries; those of a file without scenes where there are none, which is shorter
  /// than to find the old ones and take them out.
  static func entries(_ bank: SceneBank?, of model: OnnxModel) -> [(key: String, value: String)] {
    guard let bank else {
      return model.metadata.keys.filter { $0 == key || $0.hasPrefix("\(key).") }.sorted()
        .map { (key: $0, value: Json.null.text) }
    }
    let header = Json.object([
      "version": .number(version), "scales": numbers(bank.map.scales),
      "centres": .array(bank.map.centres.map(numbers)),
      "frames": .array(bank.frameCounts.map { .number(Double($0)) }),
      "sha256": .string(bank.digest(beside: model)),
    ])
    return [(key: key, value: header.text)]
      + bank.statistics.enumerated().map {
        (key: "\(key).\($0.offset)", value: Base64.text(of: $0.element))
      }
  }

  /// The scenes that the metadata of a file holds; nil = none.
  ///
  /// - Throws: what is wrong with them.
  init?(_ model: OnnxModel, momentCount: Int) throws(Doubt) {
    guard let text = model.metadata[Self.key], text != Json.null.text else { return nil }
    guard let header = try? Json(parsing: text).object else {
      throw Doubt(reason: "its entry is no JSON object")
    }
    guard header["version"]?.number == Self.version else {
      throw Doubt(reason: "they are of version \(header["version"]?.text ?? "null"); expected 1")
    }
    let centres = (header["centres"]?.array ?? []).map(Self.floats)
    let scales = header["scales"].map(Self.floats) ?? []
    let frames = (header["frames"]?.array ?? []).map { $0.number.flatMap { Int(exactly: $0) } ?? 0 }
    let map = SceneMap(centres: centres, scales: scales)
    guard (2...Self.mostScenes).contains(centres.count), frames.count == centres.count,
      map.isPossible(momentCount: momentCount), frames.allSatisfy({ $0 > 0 })
    else { throw Doubt(reason: "its entry is incomplete") }
    var statistics: [[Float]] = []
    for index in centres.indices {
      let values = model.metadata["\(Self.key).\(index)"].flatMap(Base64.values) ?? []
      guard values.count == model.statisticCount, values.allSatisfy(\.isFinite) else {
        throw Doubt(
          reason: "scene \(index) has \(values.count) statistics; the network has "
            + "\(model.statisticCount)")
      }
      statistics.append(values)
    }
    self.init(
      map: map, frameCounts: frames, statistics: statistics)
    guard digest(beside: model) == header["sha256"]?.string else {
      throw Doubt(reason: "the file was changed since they were saved with it")
    }
  }

  /// Of the statistics and of the weights that they belong to, as they are read back.
  private func digest(beside model: OnnxModel) -> String {
    let texts = statistics + map.centres + [map.scales, model.storedWeights]
    return WholeFile.hexadecimal(WholeFile.digest(texts.map { .floats($0) }))
  }

  private static func numbers(_ values: [Float]) -> Json {
    .array(values.map { .number(Double($0)) })
  }

  private static func floats(_ json: Json) -> [Float] {
    (json.array ?? []).compactMap { $0.number.map { Float($0) } }
  }
}

extension OnnxModel {
  /// Where running means and variances are in the weights.
  package var statisticRanges: [Range<Int>] {
    parameters.filter(\.isStatistic).map { $0.offset..<$0.offset + $0.shape.elementCount }
  }

  package var statisticCount: Int { statisticRanges.reduce(0) { $0 + $1.count } }

  /// The weights that are read back from a file with the present ones.
  fileprivate var storedWeights: [Float] {
    var weights = weights
    for parameter in parameters where parameter.storage != .wide {
      for index in parameter.offset..<parameter.offset + parameter.shape.elementCount {
        weights[index] = parameter.storage.rounded(weights[index])
      }
    }
    return weights
  }
}

extension SegmentationModel {
  /// Moments of a frame by which scenes are told apart: mean and deviation of each channel.
  package var momentCount: Int { 2 * channelCount }

  /// The weights with the statistics of a scene.
  package func weights(ofScene scene: Int) -> [Float] {
    guard let scenes else { return onnx.weights }
    var weights = onnx.weights
    for (index, value) in zip(onnx.statisticRanges.joined(), scenes.statistics[scene]) {
      weights[index] = value
    }
    return weights
  }
}
