import Das3Graph
import Das3TestSupport
import Testing

/// Which parameters are the classifier, and which belong to BatchNormalization.
@Suite("Roles of parameters")
struct GraphRolesTests {
  private func names(_ indices: Set<Int>, _ model: SegmentationModel) -> [String] {
    indices.map { model.onnx.parameters[$0].name }.sorted()
  }

  private func model(_ writer: OnnxWriter) throws -> SegmentationModel {
    let onnx = try writer.serialized().withUnsafeBytes {
      try OnnxImport.load(bytes: $0, directory: nil, limits: OnnxImport.Limits())
    }
    return try SegmentationModel(onnx, metadata: Metadata([]))
  }

  @Test("the last convolution before a resize is the classifier")
  func last() throws {
    let model = try model(SampleModels.convolutional())
    #expect(names(model.classifierParameters, model) == ["head.w"])
    #expect(names(model.batchNormParameters, model) == ["norm.scale", "norm.shift"])
  }

  @Test("parallel heads that are added all count, with what scales them")
  func parallel() throws {
    var writer = OnnxWriter()
    writer.input("image", [1, 3, 16, 16])
    writer.floats("body", [4, 3, 1, 1], [Float](repeating: 0.1, count: 12))
    writer.floats("head1", [5, 4, 1, 1], [Float](repeating: 0.1, count: 20))
    writer.floats("head2", [5, 4, 3, 3], [Float](repeating: 0.1, count: 180))
    for name in ["scale", "shift", "mean", "variance"] {
      writer.floats(name, [5], [Float](repeating: 1, count: 5))
    }
    writer.node("Conv", ["image", "body"], ["features"])
    writer.node("Conv", ["features", "head1"], ["one"])
    writer.node("Conv", ["features", "head2"], ["two"], ["pads": .ints([1, 1, 1, 1])])
    writer.node("Add", ["one", "two"], ["sum"])
    writer.node("BatchNormalization", ["sum", "scale", "shift", "mean", "variance"], ["logits"])
    writer.output("logits", [1, 5, 16, 16])
    let model = try model(writer)
    #expect(names(model.classifierParameters, model) == ["head1", "head2", "scale", "shift"])
  }

  @Test(
    "real networks", .needsSharedData("models"),
    arguments: [
      ("espnet_q8_dynamic", ["classifier.weight"]),
      (
        "espnetv2_s1.0_dynamic", ["bu_dec_l4.merge_layer.3.bias", "bu_dec_l4.merge_layer.3.weight"]
      ),
    ])
  func real(_ name: String, _ wanted: [String]) throws {
    let path = SharedData.url("models/\(name).onnx").path
    let onnx = try OnnxImport.load(
      path: path, allowsExternalData: false, limits: OnnxImport.Limits())
    let model = try SegmentationModel(onnx, metadata: Metadata([]))
    #expect(names(model.classifierParameters, model) == wanted)
  }
}
