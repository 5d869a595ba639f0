/// A model's way back to a file.
extension OnnxModel {
  /// Hashes of the file it came from and of its weights: equal for the same model on any machine.
  package var fingerprint: String {
    let weights = WholeFile.hexadecimal(WholeFile.digest([.floats(weights)]))
    return "\(sourceHash) \(weights)"
  }

  /// Writes the file it came from with its own weights, whole or not at all.
  ///
  /// - Parameters:
  ///   - path: a file beside which another can be made; what was there is replaced.
  ///   - metadata: entries that the file does not have, or says otherwise.
  ///   - version: of the library that writes, for the provenance of changed weights.
  /// - Throws: `.io` naming path and reason, `.limit` where one file cannot hold the model.
  package func save(
    to path: String, metadata: [(key: String, value: String)] = [], version: String
  ) throws(Das3Error) {
    var entries = metadata
    if let provenance {
      let text = provenance.json(version: version, source: sourceHash)
      entries.append((key: Provenance.key, value: text))
    }
    try source.save(weights: weights, metadata: entries, to: path)
  }
}
