import Das3Graph
import Das3TestSupport
import Testing

/// What the table of cases reaches: every operator of the graph, every operator of ONNX we import.
@Suite("Coverage")
struct CoverageTests {
  /// The compiler asks for a new name where `Operator` gets a new case.
  enum OperatorName: CaseIterable {
    case conv, convTranspose, batchNorm, layerNorm, groupNorm, unary, binary, select, maxPool
    case averagePool, reduce, argMax, softmax, resize, resample, gridSample, concat, slice, index
    case transpose, reshape, expand, matMul

    init(_ operation: Operator) {
      switch operation {
      case .conv: self = .conv
      case .convTranspose: self = .convTranspose
      case .batchNorm: self = .batchNorm
      case .layerNorm: self = .layerNorm
      case .groupNorm: self = .groupNorm
      case .unary: self = .unary
      case .binary: self = .binary
      case .select: self = .select
      case .maxPool: self = .maxPool
      case .averagePool: self = .averagePool
      case .reduce: self = .reduce
      case .argMax: self = .argMax
      case .softmax: self = .softmax
      case .resize: self = .resize
      case .resample: self = .resample
      case .gridSample: self = .gridSample
      case .concat: self = .concat
      case .slice: self = .slice
      case .index: self = .index
      case .transpose: self = .transpose
      case .reshape: self = .reshape
      case .expand: self = .expand
      case .matMul: self = .matMul
      }
    }
  }

  @Test("every operator of the graph is in the graph of a case")
  func graphOperators() throws {
    var seen: Set<OperatorName> = []
    for test in OperatorCase.table {
      let graph = try test.graph(try test.imported())
      seen.formUnion(graph.nodes.map { OperatorName($0.operation) })
    }
    #expect(Set(OperatorName.allCases).subtracting(seen) == [])
  }

  @Test("every operator of ONNX that is imported has a case")
  func onnxOperators() {
    let used = Set(OperatorCase.table.flatMap { $0.nodes.map(\.opType) })
    #expect(Set(GraphBuilder.operatorTypes).subtracting(used).sorted() == [])
  }

  @Test("cases have names of their own and tolerances with a reason")
  func names() {
    let counts = Dictionary(grouping: OperatorCase.table, by: \.name).mapValues(\.count)
    #expect(counts.filter { $0.value > 1 } == [:])
    for test in OperatorCase.table {
      #expect(test.tolerance.absolute > 0 && test.tolerance.relative > 0, "\(test.name)")
      #expect(!test.tolerance.reason.isEmpty, "\(test.name)")
    }
  }
}
