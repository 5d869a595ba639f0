import CDas3
import Das3
import Das3TestSupport
import Foundation
import Testing

/// Files that tests of saving write and read back.
struct SavedModel {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// The bytes that a model is saved as.
  func bytes(
    _ model: TestModel, _ name: String = "saved.onnx",
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> [UInt8] {
    #expect(
      das3_model_save(model.handle, folder.path(name)) == DAS3_OK, "\(lastError())",
      sourceLocation: sourceLocation)
    return [UInt8](try Data(contentsOf: folder.url.appending(path: name)))
  }

  /// What the folder holds, hidden files too.
  var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.url.path)) ?? []).sorted()
  }

  /// A metadata entry as it stands in a file.
  static func entry(_ key: String, _ value: String) -> [UInt8] {
    var writer = ProtobufWriter()
    writer.message(14) {
      $0.string(1, key)
      $0.string(2, value)
    }
    return writer.bytes
  }

  static let provenanceKey = "das3.provenance"

  /// What a file of these bytes says after its parameters were set through the C API.
  static func provenance(of bytes: [UInt8], method: String = "parameters") throws -> [UInt8] {
    entry(
      provenanceKey,
      #"{"version": "\#(versionText)", "method": "\#(method)", "stages": "", "seed": 0, "#
        + #""steps": 0, "frames": 0, "source": "sha256:\#(try hash(bytes))"}"#)
  }

  static let versionText = das3_version().map { String(cString: $0) } ?? ""

  /// SHA-256 by the machine's own program.
  static func hash(_ bytes: [UInt8]) throws -> String {
    let folder = try TemporaryFolder()
    try folder.write(bytes, to: "bytes")
    let result = try Program(try #require(Program.path("sha256sum")), [folder.path("bytes")])
    return String(result.output.prefix { $0 != " " })
  }
}

/// Networks x·w whose one weight stands in the file in any way.
enum WeightNetwork {
  static let dims = [3, 3, 1, 1]

  /// A 1×1 convolution.
  static func writer(_ tensor: OnnxTensor, isConstant: Bool = false) -> OnnxWriter {
    var model = OnnxWriter()
    model.input("x", [1, 3, 8, 8])
    if isConstant {
      model.node("Constant", [], ["w"], ["value": .tensor(tensor)])
    } else {
      model.initializers = [tensor]
    }
    model.node("Conv", ["x", "w"], ["y"])
    model.output("y", [1, 3, 8, 8])
    return model
  }

  struct Encoding: Sendable {
    let name: String
    /// Other than protobuf writes it: read, but saved otherwise.
    let isUnusual: Bool
    let tensor: @Sendable ([Float]) -> OnnxTensor

    init(
      _ name: String, isUnusual: Bool = false, _ tensor: @escaping @Sendable ([Float]) -> OnnxTensor
    ) {
      self.name = name
      self.isUnusual = isUnusual
      self.tensor = tensor
    }
  }

  /// Every encoding that ONNX has for floats; a payload for any values.
  static let encodings: [Encoding] = [
    Encoding("float32 raw", { OnnxTensor("w", dims, floats: $0) }),
    Encoding("float32 packed", { OnnxTensor("w", type: OnnxTensor.float32, dims, .floats($0)) }),
    Encoding(
      "float32 unpacked", isUnusual: true,
      { values in
        OnnxTensor(
          "w", type: OnnxTensor.float32, dims, .fields { for v in values { $0.float(4, v) } })
      }
    ),
    Encoding(
      "float32 packed, unpacked and in parts with a doc string between", isUnusual: true,
      { values in
        OnnxTensor(
          "w", type: OnnxTensor.float32, dims,
          .fields {
            $0.packed(4, floats: values[..<4])
            $0.string(12, "between")
            for v in values[4..<7] { $0.float(4, v) }
            $0.packed(4, floats: [])
            $0.packed(4, floats: values[7...])
          })
      }
    ),
    Encoding(
      "float16 raw",
      { OnnxTensor("w", type: OnnxTensor.float16, dims, .raw(OnnxTensor.bytes(halves($0)))) }
    ),
    Encoding(
      "float16 as integers",
      { OnnxTensor("w", type: OnnxTensor.float16, dims, .ints(halves($0).map { Int($0) })) }
    ),
    Encoding(
      "float16 as integers, unpacked", isUnusual: true,
      { values in
        OnnxTensor(
          "w", type: OnnxTensor.float16, dims,
          .fields { for half in halves(values) { $0.varint(5, Int(half)) } })
      }
    ),
    Encoding(
      "bfloat16 raw",
      { OnnxTensor("w", type: OnnxTensor.bfloat16, dims, .raw(OnnxTensor.bytes(brains($0)))) }
    ),
    Encoding(
      "bfloat16 as integers",
      { OnnxTensor("w", type: OnnxTensor.bfloat16, dims, .ints(brains($0).map { Int($0) })) }
    ),
    Encoding(
      "double raw",
      { OnnxTensor("w", type: OnnxTensor.double, dims, .raw(OnnxTensor.bytes(doubles($0)))) }
    ),
    Encoding(
      "double packed",
      { values in
        OnnxTensor(
          "w", type: OnnxTensor.double, dims,
          .fields { $0.data(10, OnnxTensor.bytes(doubles(values))) })
      }
    ),
    Encoding(
      "double unpacked", isUnusual: true,
      { values in
        OnnxTensor(
          "w", type: OnnxTensor.double, dims,
          .fields {
            for double in doubles(values) { $0.raw([10 << 3 | 1] + OnnxTensor.bytes([double])) }
          })
      }
    ),
  ]

  /// Exact in every one of these types.
  static func values(seed: UInt64) -> [Float] {
    var random = SplitMix64(seed: seed)
    return (0..<9).map { _ in Float(Int.random(in: -127...127, using: &random)) / 64 }
  }

  static func halves(_ values: [Float]) -> [UInt16] { values.map(half) }
  static func brains(_ values: [Float]) -> [UInt16] {
    values.map { UInt16($0.bitPattern >> 16) }
  }
  static func doubles(_ values: [Float]) -> [UInt64] { values.map { Double($0).bitPattern } }

  /// Of a float that is a normal float16 or 0.
  private static func half(_ value: Float) -> UInt16 {
    let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
    guard value != 0 else { return sign }
    let exponent = UInt16(Int(value.exponent) + 15)
    return sign | exponent << 10 | UInt16(value.significandBitPattern >> 13)
  }
}
