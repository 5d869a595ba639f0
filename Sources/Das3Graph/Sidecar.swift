import Das3Files

extension OnnxImport {
  /// The content of `network.json` beside `network.onnx`.
  package enum Sidecar {
    case none
    case metadata([String: Json])
    /// A file of another program; the text says why it is ignored.
    case foreign(String)

    package var object: [String: Json]? {
      if case .metadata(let object) = self { object } else { nil }
    }
  }

  /// Reads the JSON file beside a model.
  ///
  /// - Throws: `.io` or `.limit` where the file exists and cannot be read, `.format` where it is
  ///   not JSON and contains keys of this library.
  package static func sidecar(ofModel path: String) throws(Das3Error) -> Sidecar {
    let place = (path.hasSuffix(".onnx") ? String(path.dropLast(5)) : path) + ".json"
    guard WholeFile.exists(place) else { return .none }
    let text = try FileBytes(place, maximumBytes: 1 << 20).text
    do {
      let json = try Json(parsing: text)
      if Metadata.isOurs(json), let object = json.object { return .metadata(object) }
      return .foreign("\(place) is ignored: it holds no metadata of a segmentation network")
    } catch {
      let ours = ["\"classes\"", "\"colours\"", "\"input\"", "\"output\""]
      if ours.contains(where: { text.contains($0) }) { throw error.at(place) }
      return .foreign("\(place) is ignored: \(error.message)")
    }
  }
}
