import Das3Graph
import Das3Runtime
import Das3TestSupport
import Foundation
import Testing

/// The ONNX project's own cases, from the Python package `onnx` (its folder `backend/test/data` in
/// DAS3_ONNX_DATA): passed, refused with a reason, failed = 0.
@Suite("ONNX conformance", .enabled(if: OnnxData.folder != nil, "DAS3_ONNX_DATA is not set"))
struct OnnxConformanceTests {
  /// What the library promises to run; a case of only these operators must not be overlooked.
  static let promised: Set<String> = [
    "Conv", "ConvTranspose", "BatchNormalization", "InstanceNormalization", "LayerNormalization",
    "GroupNormalization", "Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Clip", "HardSwish",
    "HardSigmoid", "Sigmoid", "Tanh", "Softplus", "Mish", "Erf", "Gelu", "Exp", "Log", "Sqrt",
    "Pow",
    "Abs", "Neg", "Reciprocal", "Add", "Sub", "Mul", "Div", "Min", "Max", "Sum", "MaxPool",
    "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceSum", "ReduceMax",
    "ReduceMin", "ReduceL2", "ArgMax", "Softmax", "LogSoftmax", "Resize", "Upsample", "Concat",
    "Split", "Slice", "Pad", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand",
    "Tile", "Gather", "DepthToSpace", "SpaceToDepth", "MatMul", "Gemm", "Dropout", "Identity",
    "Cast",
    "Sin", "Cos", "GridSample", "ScatterND", "ScatterElements", "QuantizeLinear",
    "DequantizeLinear",
    "Where", "Equal", "Less", "Greater", "And", "Or", "Not", "Constant", "ConstantOfShape", "Shape",
    "Size", "Range", "Floor", "Ceil", "Mod", "Einsum",
  ]

  @Test("node cases pass or are refused with a reason", arguments: OnnxData.backends)
  func nodes(_ backend: ExecutionOptions.Backend) throws {
    let table = try run("node", backend) { operators in
      !operators.isEmpty && Set(operators).isSubset(of: Self.promised)
    }
    #expect(table.failed == [:])
    #expect(table.passed + table.refused.count == 733)
    #expect(table.passed >= 620)
  }

  @Test(
    "operators, networks and simple graphs that PyTorch and others exported",
    arguments: ["pytorch-operator", "pytorch-converted", "simple"])
  func folders(_ folder: String) throws {
    for backend in OnnxData.backends {
      let table = try run(folder, backend) { _ in true }
      #expect(table.failed == [:])
    }
  }

  @Test("classification networks with constant weights")
  func light() throws {
    let folder = try #require(OnnxData.folder).appending(path: "light")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".onnx") }.sorted()
    var table = OnnxData.Table()
    for name in names {
      table.add(name, OnnxData.runLight(folder, name))
    }
    print(table.text("light"))
    #expect(table.failed == [:])
  }

  private func run(
    _ kind: String, _ backend: ExecutionOptions.Backend, where isWanted: ([String]) -> Bool
  ) throws -> OnnxData.Table {
    let folder = try #require(OnnxData.folder).appending(path: kind)
    let conformance = OnnxConformance(options: ExecutionOptions(threads: 1, backend: backend))
    var table = OnnxData.Table()
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() {
      let path = folder.appending(path: name)
      guard let operators = OnnxData.operators(path.appending(path: "model.onnx")) else { continue }
      if isWanted(operators) { table.add(name, conformance.run(path)) }
    }
    print(table.text("\(kind), \(backend)"))
    return table
  }
}

/// Where the cases are, and the table of what became of them.
enum OnnxData {
  static let folder = ProcessInfo.processInfo.environment["DAS3_ONNX_DATA"].map {
    URL(filePath: $0)
  }
  static let backends: [ExecutionOptions.Backend] =
    ExecutionOptions.bestBackend == .oneDNN ? [.oneDNN, .openBLAS] : [.openBLAS]

  struct Table {
    var passed = 0
    var refused: [String: String] = [:]
    var failed: [String: String] = [:]

    mutating func add(_ name: String, _ outcome: OnnxConformance.Outcome) {
      switch outcome {
      case .passed: passed += 1
      case .refused(let reason): refused[name] = reason
      case .failed(let reason): failed[name] = reason
      }
    }

    func text(_ title: String) -> String {
      var lines = ["\(title): passed \(passed), refused \(refused.count), failed \(failed.count)"]
      lines += refused.sorted { $0.key < $1.key }.map { "  refused \($0.key): \($0.value)" }
      lines += failed.sorted { $0.key < $1.key }.map { "  FAILED \($0.key): \($0.value)" }
      return lines.joined(separator: "\n")
    }
  }

  /// Operator types of a model file, nil where there is none.
  static func operators(_ file: URL) -> [String]? {
    (try? Data(contentsOf: file)).map { OnnxConformance.operatorTypes($0) }
  }

  /// light/NAME.onnx with light/NAME_output_0.pb; the input is the package's own ramp.
  static func runLight(_ folder: URL, _ name: String) -> OnnxConformance.Outcome {
    do throws(Das3Error) {
      let model = try OnnxImport.load(
        path: folder.appending(path: name).path, allowsExternalData: false,
        limits: OnnxImport.Limits())
      let shape = Shape(model.inputs[0].dims?.map { $0 ?? 1 } ?? [])
      let count = Float(shape.elementCount)
      let input = ConstantTensor(
        shape: shape, floats: (0..<shape.elementCount).map { Float($0) / count })
      let file = folder.appending(path: name.replacing(".onnx", with: "_output_0.pb"))
      guard let data = try? Data(contentsOf: file) else { return .failed("no output file") }
      let expected = try OnnxConformance.tensor(data)
      let conformance = OnnxConformance(options: ExecutionOptions(threads: 2))
      return try conformance.difference(model, [input], [expected]).map { .failed($0) } ?? .passed
    } catch {
      return error.code == .unsupported ? .refused(error.message) : .failed(error.message)
    }
  }
}
