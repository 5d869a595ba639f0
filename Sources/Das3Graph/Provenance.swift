/// Where weights come from that differ from those of the file.
///
/// A saved model holds this under the metadata key `das3.provenance`.
package struct Provenance: Equatable, Sendable {
  /// The method of adaptation, such as "das3" or "tent"; "parameters" for weights that a client has
  /// set, "merge" for a mean of models.
  package var method: String
  /// The stages of adaptation that were run, such as "abc".
  package var stages = ""
  package var seed: UInt64 = 0
  /// The number of optimiser steps.
  package var steps = 0
  /// The number of target frames that were learned from.
  package var frames = 0
  /// The share, 0…1, of the target's statistics in those of BatchNormalization before the first
  /// step; nil = they were not blended.
  package var blend: Double?

  package init(method: String) { self.method = method }

  static let key = "das3.provenance"

  /// The metadata entry: one JSON object, the same text for the same values.
  ///
  /// - Parameters:
  ///   - version: the version of the library that writes.
  ///   - source: the SHA-256 of the file that the graph comes from, in hexadecimal.
  /// - Returns: the text of the metadata entry.
  func json(version: String, source: String) -> String {
    // The seed is not written through `Json`, whose numbers have 53 bits.
    var texts = [
      ("version", Json.string(version).text), ("method", Json.string(method).text),
      ("stages", Json.string(stages).text), ("seed", "\(seed)"), ("steps", "\(steps)"),
      ("frames", "\(frames)"), ("source", Json.string("sha256:\(source)").text),
    ]
    if let blend { texts.append(("blend", Json.number(blend).text)) }
    return "{" + texts.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ") + "}"
  }
}

extension OnnxModel {
  /// The stages of adaptation that the weights have been through, as far as the model or its file says;
  /// "" = none.
  package var adaptedStages: String {
    if let provenance { return provenance.stages }
    let known = metadata[Provenance.key].flatMap { try? Json(parsing: $0) }
    return known?.object?["stages"]?.string ?? ""
  }
}
