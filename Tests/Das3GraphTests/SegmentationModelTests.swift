import Das3Graph
import Das3TestSupport
import Testing

/// Which files are segmentation networks, and the sizes they work on.
@Suite("Segmentation model")
struct SegmentationModelTests {
  private func model(
    _ dims: [OnnxWriter.Dimension]?, channels: Int = 3, strides: [Int] = [2, 2],
    elementType: Int = OnnxTensor.float32
  ) throws(Das3Error) -> SegmentationModel {
    try SegmentationModel(
      TestGraph.model {
        $0.input("x", dims, elementType: elementType)
        $0.floats("w", [4, channels, 1, 1], [Float](repeating: 1, count: 4 * channels))
        $0.node("Conv", ["x", "w"], ["y"], ["strides": .ints(strides)])
        $0.output("y")
      }, metadata: Metadata())
  }

  @Test("open sizes stay open, fixed ones are kept to")
  func sizes() throws {
    let open = try model([1, 3, "h", "w"])
    #expect(open.fixedHeight == nil && open.fixedWidth == nil)
    #expect(try open.graph(height: 10, width: 14).values.count > 0)
    let fixed = try model([1, 3, 32, 48])
    #expect(fixed.fixedHeight == 32 && fixed.fixedWidth == 48)
    #expect(throws: Never.self) { try fixed.graph(height: 32, width: 48) }
    for (height, width, message) in [
      (31, 48, "height is 31; the network is fixed to height 32"),
      (32, 47, "width is 47; the network is fixed to width 48"),
      (31, 47, "height is 31 and width is 47; the network is fixed to height 32 and width 48"),
    ] {
      let error = #expect(throws: Das3Error.self) { try fixed.graph(height: height, width: width) }
      #expect(error?.code == .shape)
      #expect(error?.message == message)
    }
    let half = try model([1, 3, 32, "w"])
    #expect(half.fixedHeight == 32 && half.fixedWidth == nil)
  }

  @Test("a batch that is open or larger than one is used for one image")
  func batch() throws {
    for batch: OnnxWriter.Dimension in ["n", 1, 4, -1] {
      let graph = try model([batch, 3, 16, 16]).graph(height: 16, width: 16)
      #expect(graph.values[graph.outputs[0]].shape == [1, 4, 8, 8])
    }
  }

  @Test("one channel is grey, an open number of channels is three")
  func channels() throws {
    #expect(try model([1, 1, 16, 16], channels: 1).channelCount == 1)
    #expect(try model([1, "c", 16, 16]).channelCount == 3)
  }

  @Test("the stride multiple is the product of the strides", arguments: [1, 2, 4, 8])
  func stride(_ stride: Int) throws {
    #expect(try model([1, 3, "h", "w"], strides: [stride, stride]).strideMultiple == stride)
  }

  @Test(
    "inputs that are no image are refused",
    arguments: [
      [1, 2, 16, 16], [1, 4, 16, 16], [3, 16, 16], [1, 3, 16, 16, 1], [], [0, 3, 16, 16],
      [1, 0, 16, 16], [1, 3, 0, 16], [1, 3, 16, 0],
    ] as [[Int]])
  func noImage(_ dims: [Int]) {
    let error = #expect(throws: Das3Error.self) { try model(dims.map { .size($0) }) }
    #expect(error?.code == .unsupported || error?.code == .shape, "\(error?.message ?? "")")
    #expect(error?.message.contains("'x'") == true, "\(error?.message ?? "")")
  }

  @Test("integers and inputs without a rank are refused")
  func noFloats() {
    for type in [OnnxTensor.int64, OnnxTensor.bool, 2] {
      #expect(throws: Das3Error.self) { try model([1, 3, 16, 16], elementType: type) }
    }
    #expect(throws: Das3Error.self) { try model(nil) }
  }

  @Test("half, bfloat16 and double images are taken as float32")
  func otherFloats() throws {
    for type in [OnnxTensor.float16, OnnxTensor.double, OnnxTensor.bfloat16] {
      #expect(throws: Never.self) { try model([1, 3, 16, 16], elementType: type) }
    }
  }
}
