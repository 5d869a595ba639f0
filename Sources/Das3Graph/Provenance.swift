/// How weights came about that are no longer those of a file: what a saved model says of itself
/// under the metadata key `das3.provenance`.
package struct Provenance: Equatable, Sendable {
  /// "das3", "tent", …, or "parameters" and "merge" for weights that a client computed.
  package var method: String
  /// The stages that were run, such as "abc".
  package var stages = ""
  package var seed: UInt64 = 0
  /// Optimiser steps.
  package var steps = 0
  /// Target frames it has learned from.
  package var frames = 0
  /// How far BatchNormalization statistics were moved to the target's before that, 0…1; nil = nobody
  /// asked.
  package var blend: Double?

  package init(method: String) { self.method = method }

  static let key = "das3.provenance"

  /// One JSON object, always the same for the same values.
  ///
  /// - Parameters:
  ///   - version: of the library that writes.
  ///   - source: SHA-256 of the file that the graph came from, in hexadecimal.
  /// - Returns: the text of the metadata entry.
  func json(version: String, source: String) -> String {
    // The seed is written by hand: a JSON number of ours has 53 bits.
    var texts = [
      ("version", Json.string(version).text), ("method", Json.string(method).text),
      ("stages", Json.string(stages).text), ("seed", "\(seed)"), ("steps", "\(steps)"),
      ("frames", "\(frames)"), ("source", Json.string("sha256:\(source)").text),
    ]
    if let blend { texts.append(("blend", Json.number(blend).text)) }
    return "{" + texts.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ") + "}"
  }
}
