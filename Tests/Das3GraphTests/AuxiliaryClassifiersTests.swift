import Das3Graph
import Das3TestSupport
import Testing

/// What of a network is its classifier, and what a copy of it reads and gives.
@Suite("Auxiliary classifiers")
struct AuxiliaryClassifiersTests {
  private func auxiliary(_ fill: (inout OnnxWriter) -> Void) throws -> AuxiliaryClassifiers {
    let model = try SegmentationModel(TestGraph.model { fill(&$0) }, metadata: Metadata([]))
    return try AuxiliaryClassifiers(of: model, height: 16, width: 16, count: 2)
  }

  private func names(_ auxiliary: AuxiliaryClassifiers) -> [String] {
    auxiliary.onnx.parameters.suffix(auxiliary.copies.count).map(\.name)
  }

  private func shapes(_ auxiliary: AuxiliaryClassifiers) -> [[Int]] {
    auxiliary.graph.outputs.map { auxiliary.graph.values[$0].shape.dims }
  }

  private func addBody(to writer: inout OnnxWriter) {
    writer.input("image", [1, 3, 16, 16])
    writer.floats("body", [4, 3, 1, 1], [Float](repeating: 0.1, count: 12))
    writer.node("Conv", ["image", "body"], ["features"], ["strides": .ints([2, 2])])
  }

  @Test("a copy has its parameters after the network's, and ends before scores are enlarged")
  func single() throws {
    let onnx = try SampleModels.convolutional().serialized().withUnsafeBytes {
      try OnnxImport.load(bytes: $0, directory: nil, limits: OnnxImport.Limits())
    }
    let model = try SegmentationModel(onnx, metadata: Metadata([]))
    let found = try AuxiliaryClassifiers(of: model, height: 16, width: 24, count: 2)
    #expect(names(found) == ["head.w", "head.w"])
    #expect(found.maskSizes == [16, 16])
    #expect(shapes(found) == [[1, 5, 16, 24], [1, 5, 8, 12], [1, 5, 8, 12], [1, 5, 8, 12]])
    #expect(found.original == 3)
    let count = onnx.weights.count
    #expect(Array(found.onnx.weights.prefix(count)) == onnx.weights)
    #expect(found.trained == [count..<count + 80, count + 80..<count + 160])
    for (original, copy) in found.copies {
      #expect(found.onnx.weights[original] == found.onnx.weights[copy])
    }
  }

  @Test("layers that are added are copied together, with what scales them; statistics do not train")
  func parallel() throws {
    let found = try auxiliary { writer in
      addBody(to: &writer)
      writer.floats("head1", [5, 4, 1, 1], [Float](repeating: 0.1, count: 20))
      writer.floats("head2", [5, 4, 3, 3], [Float](repeating: 0.1, count: 180))
      for name in ["scale", "shift", "mean", "variance"] {
        writer.floats(name, [5], [Float](repeating: 1, count: 5))
      }
      writer.node("Conv", ["features", "head1"], ["one"])
      writer.node("Conv", ["features", "head2"], ["two"], ["pads": .ints([1, 1, 1, 1])])
      writer.node("Add", ["one", "two"], ["sum"])
      writer.node("BatchNormalization", ["sum", "scale", "shift", "mean", "variance"], ["logits"])
      writer.output("logits", [1, 5, 8, 8])
    }
    let one = ["head1", "head2", "mean", "scale", "shift", "variance"]
    #expect(names(found).prefix(6).sorted() == one && names(found).count == 12)
    #expect(found.maskSizes == [4, 4])
    #expect(found.original == 0)
    #expect(shapes(found) == [[1, 5, 8, 8], [1, 5, 8, 8], [1, 5, 8, 8]])
    let trained = found.trained.map(\.count).sorted()
    #expect(trained == [5, 5, 5, 5, 20, 20, 180, 180])
  }

  @Test("a product is masked where it sums; probabilities are followed to their scores")
  func product() throws {
    let found = try auxiliary { writer in
      addBody(to: &writer)
      writer.floats("scales", [4], [1, 1, 2, 2])
      writer.floats("head", [4, 5], [Float](repeating: 0.1, count: 20))
      writer.floats("bias", [5], [Float](repeating: 0.1, count: 5))
      writer.node("Transpose", ["features"], ["last"], ["perm": .ints([0, 2, 3, 1])])
      writer.node("MatMul", ["last", "head"], ["product"])
      writer.node("Add", ["product", "bias"], ["sum"])
      writer.node("Transpose", ["sum"], ["scores"], ["perm": .ints([0, 3, 1, 2])])
      writer.node("Softmax", ["scores"], ["p"], ["axis": .int(1)])
      writer.node("Resize", ["p", "", "scales"], ["enlarged"], ["mode": .string("linear")])
      writer.output("enlarged", [1, 5, 16, 16])
    }
    #expect(names(found).prefix(2).sorted() == ["bias", "head"] && names(found).count == 4)
    let masks = found.graph.inputs.dropFirst().map { found.graph.values[$0].shape.dims }
    #expect(masks == [[1, 1, 1, 4], [1, 1, 1, 4]])
    #expect(found.original == 3)
    let ends = found.graph.outputs.dropFirst().map { id -> Bool in
      guard case .node(let index) = found.graph.values[id].source,
        case .transpose = found.graph.nodes[index].operation
      else { return false }
      return true
    }
    #expect(ends == [true, true, true])
  }

  @Test("a network without a layer of its own is refused, and told what was expected")
  func none() throws {
    let error = #expect(throws: Das3Error.self) {
      try auxiliary { writer in
        writer.input("image", [1, 3, 16, 16])
        writer.node("Relu", ["image"], ["scores"])
        writer.output("scores", [1, 3, 16, 16])
      }
    }
    #expect(error?.code == .unsupported)
    #expect(error?.message.contains("expected a convolution") == true, "\(error?.message ?? "")")
  }
}
