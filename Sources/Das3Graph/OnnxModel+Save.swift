/// Writes a model to a file.
extension OnnxModel {
  /// The hashes of the file of the model and of its weights; equal for the same model on any
  /// machine.
  package var fingerprint: String {
    let weights = WholeFile.hexadecimal(WholeFile.digest([.floats(weights)]))
    return "\(sourceHash) \(weights)"
  }

  /// Writes the file of the model with its present weights.
  ///
  /// After an error the old file is unchanged.
  ///
  /// - Parameters:
  ///   - path: the file to write or replace, in a folder in which a temporary file can be made.
  ///   - metadata: entries to add to those of the file, or to replace there.
  ///   - version: the version of the library, for the provenance of changed weights.
  /// - Throws: `.io` naming path and reason, `.limit` where the model is too large for one file.
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
