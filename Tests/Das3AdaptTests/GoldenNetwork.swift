import Das3Adapt
import Das3Graph
import Das3Runtime
import Das3TestSupport
import Foundation

/// One network that PyTorch has trained on: `Tests/Golden/networks.py` and `curve.py` made it.
struct GoldenNetwork {
  /// golden.json.
  struct Record: Decodable {
    struct Gradient: Decodable {
      var name: String
      var file: String
      var norm: Double
      /// What PyTorch's own float32 gradient is off by.
      var noise: Double
    }
    struct Tensor: Decodable {
      var name: String
      var file: String
    }

    var magic: String
    var version: Int
    var loss: Double?
    var gradients: [Gradient]?
    var batch_norm: String?
    var momentum: Double?
    var statistics: [Tensor]?
    /// Of a public package, and as large as these are.
    var is_public: Bool?
  }

  let folder: String
  let record: Record
  let model: SegmentationModel

  init(_ folder: String) throws {
    self.folder = folder
    let url = try GoldenFile.url(folder)
    record = try JSONDecoder().decode(
      Record.self, from: Data(contentsOf: url.appending(path: "golden.json")))
    model = try Self.load(url.appending(path: "network.onnx").path)
  }

  static func load(_ path: String) throws(Das3Error) -> SegmentationModel {
    let onnx = try OnnxImport.load(
      path: path, allowsExternalData: true, limits: OnnxImport.Limits())
    return try SegmentationModel(onnx, metadata: Metadata([]))
  }

  func file(_ name: String) throws -> GoldenFile { try GoldenFile("\(folder)/\(name)") }

  /// Folders of networks with gradients.
  static var all: [String] {
    guard let url = try? GoldenFile.url("networks"),
      let names = try? FileManager.default.contentsOfDirectory(atPath: url.path)
    else { return [] }
    return names.sorted()
  }

  /// Without those of public packages.
  static var small: [String] {
    all.filter { name in
      guard let url = try? GoldenFile.url("networks/\(name)/golden.json"),
        let data = try? Data(contentsOf: url)
      else { return true }
      return (try? JSONDecoder().decode(Record.self, from: data))?.is_public != true
    }
  }
}

extension [Float] {
  func slice(_ parameter: OnnxModel.Parameter) -> [Float] {
    Array(self[parameter.offset..<parameter.offset + parameter.shape.elementCount])
  }

  var norm: Double { reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }

  func distance(to other: [Float]) -> Double {
    zip(self, other).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }.squareRoot()
  }
}
