import Das3Graph
import Das3TestSupport
import Testing

/// Networks that end in more than their scores: the logits are found behind it.
@Suite("Score search")
struct ScoreSearchTests {
  /// A network with scores `logits` of 3 classes at half size, and what `body` adds behind them.
  private func model(
    opset: Int = 17, metadata: Metadata = Metadata(), _ body: (inout OnnxWriter) -> Void
  ) throws(Das3Error) -> SegmentationModel {
    try SegmentationModel(
      TestGraph.model(opset: opset) {
        $0.input("x", [1, 3, "h", "w"])
        $0.floats("w", [4, 3, 1, 1], [Float](repeating: 1, count: 12))
        $0.floats("scales", [4], [1, 1, 2, 2])
        $0.node("Conv", ["x", "w"], ["logits"], ["strides": .ints([2, 2])])
        body(&$0)
      }, metadata: metadata)
  }

  @Test("logits at the end are the scores")
  func plain() throws {
    let found = try model { $0.output("logits") }
    #expect(found.scores.name == "logits" && !found.scores.isProbability)
    #expect(found.classCount == 4 && found.channelCount == 3 && found.strideMultiple == 2)
    #expect(found.fixedHeight == nil && found.fixedWidth == nil)
  }

  @Test("an ArgMax is left out", arguments: [0, 1])
  func argMax(_ keepsDims: Int) throws {
    let found = try model {
      $0.node("ArgMax", ["logits"], ["y"], ["axis": .int(1), "keepdims": .int(keepsDims)])
      $0.output("y")
    }
    #expect(found.scores.name == "logits" && !found.scores.isProbability)
  }

  @Test("an ArgMax with casts and a squeeze behind it is left out")
  func argMaxCast() throws {
    let found = try model {
      $0.node("ArgMax", ["logits"], ["a"], ["axis": .int(1)])
      $0.node("Cast", ["a"], ["b"], ["to": .int(OnnxTensor.int32)])
      $0.ints("one", [1])
      $0.node("Squeeze", ["b", "one"], ["y"])
      $0.output("y")
    }
    #expect(found.scores.name == "logits")
  }

  @Test("a Softmax over channels is left out", arguments: [1, -3])
  func softmax(_ axis: Int) throws {
    let found = try model {
      $0.node("Softmax", ["logits"], ["y"], ["axis": .int(axis)])
      $0.output("y")
    }
    #expect(found.scores.name == "logits" && !found.scores.isProbability)
  }

  @Test("a LogSoftmax and an ArgMax after a Softmax are left out")
  func logSoftmax() throws {
    let log = try model {
      $0.node("LogSoftmax", ["logits"], ["y"], ["axis": .int(1)])
      $0.output("y")
    }
    #expect(log.scores.name == "logits")
    let both = try model {
      $0.node("Softmax", ["logits"], ["p"], ["axis": .int(1)])
      $0.node("ArgMax", ["p"], ["y"], ["axis": .int(1)])
      $0.output("y")
    }
    #expect(both.scores.name == "logits" && !both.scores.isProbability)
  }

  @Test("a Softmax over another axis belongs to the network")
  func otherAxis() throws {
    let found = try model {
      $0.node("Softmax", ["logits"], ["y"], ["axis": .int(3)])
      $0.output("y")
    }
    #expect(found.scores.name == "y")
  }

  @Test("a Resize after the logits stays: the network decides how they grow")
  func resizeAfterLogits() throws {
    let found = try model {
      $0.node("Resize", ["logits", "", "scales"], ["y"], ["mode": .string("linear")])
      $0.output("y")
    }
    #expect(found.scores.name == "y" && !found.scores.isProbability)
  }

  @Test("a Resize after a Softmax gives probabilities")
  func resizeAfterSoftmax() throws {
    let found = try model {
      $0.node("Softmax", ["logits"], ["p"], ["axis": .int(1)])
      $0.node("Resize", ["p", "", "scales"], ["r"], ["mode": .string("linear")])
      $0.node("ArgMax", ["r"], ["y"], ["axis": .int(1)])
      $0.output("y")
    }
    #expect(found.scores.name == "r" && found.scores.isProbability)
  }

  @Test("a Softmax between Transposes is left out, up to opset 12 too", arguments: [11, 17])
  func transposedSoftmax(_ opset: Int) throws {
    for order in [[0, 2, 3, 1], [0, 3, 2, 1]] {
      let found = try model(opset: opset) {
        $0.node("Transpose", ["logits"], ["t"], ["perm": .ints(order)])
        $0.node("Softmax", ["t"], ["s"], ["axis": .int(3)])
        let back = (0..<4).compactMap { order.firstIndex(of: $0) }
        $0.node("Transpose", ["s"], ["y"], ["perm": .ints(back)])
        $0.output("y")
      }
      #expect(found.scores.name == "logits" && !found.scores.isProbability)
      #expect(found.classCount == 4 && found.scores.classAxis == 1)
    }
  }

  @Test("a Softmax over classes and pixels, as opset 11 means it, is left out")
  func flatSoftmax() throws {
    for opType in ["Softmax", "LogSoftmax"] {
      let found = try model(opset: 11) {
        $0.node(opType, ["logits"], ["y"])
        $0.output("y")
      }
      #expect(found.scores.name == "logits" && !found.scores.isProbability)
    }
  }

  @Test("a Log of a Softmax is left out")
  func log() throws {
    let found = try model {
      $0.node("Softmax", ["logits"], ["p"], ["axis": .int(1)])
      $0.node("Log", ["p"], ["y"])
      $0.output("y")
    }
    #expect(found.scores.name == "logits")
  }

  @Test("ArgMax says which axis the classes are on", arguments: [3, -1])
  func argMaxAxis(_ axis: Int) throws {
    let found = try model {
      $0.node("Transpose", ["logits"], ["t"], ["perm": .ints([0, 2, 3, 1])])
      $0.node("Relu", ["t"], ["r"])
      $0.node("ArgMax", ["r"], ["a"], ["axis": .int(axis), "keepdims": .int(0)])
      $0.output("a")
    }
    #expect(found.scores.name == "r" && found.scores.classAxis == 3)
    #expect(try found.graph(height: 16, width: 24).shapes == [[1, 4, 8, 12]])
  }

  @Test("labels that are enlarged, moved and squeezed are followed back")
  func movedLabels() throws {
    let found = try model {
      $0.node("ArgMax", ["logits"], ["a"], ["axis": .int(1)])
      $0.node("Cast", ["a"], ["b"], ["to": .int(OnnxTensor.float32)])
      $0.node("Resize", ["b", "", "scales"], ["c"], ["mode": .string("nearest")])
      $0.node("Transpose", ["c"], ["d"], ["perm": .ints([0, 2, 3, 1])])
      $0.ints("three", [3])
      $0.node("Squeeze", ["d", "three"], ["y"])
      $0.output("y")
    }
    #expect(found.scores.name == "logits")
  }

  @Test("one image's scores without a batch are taken where ArgMax says the classes")
  func withoutBatch() throws {
    let found = try model {
      $0.ints("zero", [0])
      $0.node("Squeeze", ["logits", "zero"], ["s"])
      $0.node("ArgMax", ["s"], ["y"], ["axis": .int(0), "keepdims": .int(0)])
      $0.output("y")
    }
    #expect(found.classCount == 4)
    #expect(try found.graph(height: 16, width: 24).shapes == [[1, 4, 8, 12]])
  }

  @Test("channels last at the output: the layers before say it, and no Transpose stays")
  func channelsLast() throws {
    let found = try model {
      $0.node("Transpose", ["logits"], ["y"], ["perm": .ints([0, 2, 3, 1])])
      $0.output("y")
    }
    #expect(found.classCount == 4 && found.scores.path.contains("axis"))
    let graph = try found.graph(height: 16, width: 24)
    #expect(graph.shapes == [[1, 4, 8, 12]])
    #expect(TestGraph.operators(graph) == ["conv"])
  }

  @Test("channels last at both ends")
  func channelsLastImage() throws {
    let found = try SegmentationModel(
      TestGraph.model {
        $0.input("x", [1, "h", "w", 3])
        $0.floats("w", [4, 3, 1, 1], [Float](repeating: 1, count: 12))
        $0.node("Transpose", ["x"], ["t"], ["perm": .ints([0, 3, 1, 2])])
        $0.node("Conv", ["t", "w"], ["c"], ["strides": .ints([2, 2])])
        $0.node("Transpose", ["c"], ["l"], ["perm": .ints([0, 2, 3, 1])])
        $0.node("Softmax", ["l"], ["y"])
        $0.output("y")
      }, metadata: Metadata())
    #expect(found.channelCount == 3 && found.classCount == 4)
    #expect(found.fixedHeight == nil && found.image.layout == .channelsLast)
    let graph = try found.graph(height: 16, width: 24)
    #expect(graph.shapes == [[1, 4, 8, 12]])
    #expect(TestGraph.operators(graph) == ["conv"])
  }

  @Test("what may be classes first or last is refused by naming the option, which settles it")
  func ambiguous() throws {
    func square(_ metadata: Metadata) throws(Das3Error) -> SegmentationModel {
      try SegmentationModel(
        TestGraph.model {
          $0.input("x", [1, 3, 8, 8])
          $0.floats("w", [8, 3, 1, 1], [Float](repeating: 1, count: 24))
          $0.node("Conv", ["x", "w"], ["c"])
          $0.ints("flat", [1, 8, 8, 8])
          $0.node("Reshape", ["c", "flat"], ["y"])
          $0.output("y")
        }, metadata: metadata)
    }
    let error = #expect(throws: Das3Error.self) { try square(Metadata()) }
    #expect(error?.code == .unsupported)
    #expect(error?.message.contains("output.layout") == true, "\(error?.message ?? "")")
    for (layout, axis) in [("nchw", 1), ("nhwc", 3)] {
      let settled = try Metadata([["output": .object(["layout": .string(layout)])]])
      #expect(try square(settled).scores.classAxis == axis)
    }
  }

  @Test("one channel is two classes: a logit beside 0, a probability beside its rest")
  func binary() throws {
    func one(_ names: [String]?, _ body: (inout OnnxWriter) -> Void) throws -> SegmentationModel {
      var metadata = Metadata()
      metadata.classes = names
      return try model(metadata: metadata) {
        $0.floats("v", [1, 4, 1, 1], [1, 1, 1, 1])
        $0.node("Conv", ["logits", "v"], ["z"])
        body(&$0)
      }
    }
    let plain = try one(nil) { $0.output("z") }
    #expect(plain.classCount == 2 && plain.scores.isBinary && !plain.scores.isProbability)
    #expect(plain.scores.doubts.count == 1)
    #expect(try plain.graph(height: 16, width: 24).shapes == [[1, 2, 8, 12]])
    let sigmoid = try one(["off", "on"]) {
      $0.node("Sigmoid", ["z"], ["y"])
      $0.output("y")
    }
    #expect(sigmoid.scores.name == "z" && !sigmoid.scores.isProbability)
    #expect(sigmoid.classes == ["off", "on"] && sigmoid.scores.doubts.isEmpty)
    let resized = try one(["crack"]) {
      $0.node("Sigmoid", ["z"], ["s"])
      $0.node("Resize", ["s", "", "scales"], ["y"], ["mode": .string("linear")])
      $0.output("y")
    }
    #expect(resized.scores.name == "y" && resized.scores.isProbability)
    #expect(resized.classes == ["background", "crack"])
    #expect(try resized.graph(height: 16, width: 24).shapes == [[1, 2, 16, 24]])
    #expect(throws: Das3Error.self) { try one(["a", "b", "c"]) { $0.output("z") } }
  }

  @Test("one channel without its axis, one image without its batch")
  func squeezed() throws {
    let binary = try model {
      $0.floats("v", [1, 4, 1, 1], [1, 1, 1, 1])
      $0.node("Conv", ["logits", "v"], ["z"])
      $0.node("Sigmoid", ["z"], ["p"])
      $0.ints("one", [1])
      $0.node("Squeeze", ["p", "one"], ["y"])
      $0.output("y", [1, "h", "w"])
    }
    #expect(binary.scores.name == "z" && binary.scores.isBinary && binary.classCount == 2)
    let single = try model {
      $0.node("Softmax", ["logits"], ["p"], ["axis": .int(1)])
      $0.ints("zero", [0])
      $0.node("Squeeze", ["p", "zero"], ["y"])
      $0.output("y", [4, "h", "w"])
    }
    #expect(single.scores.name == "logits" && single.classCount == 4)
  }

  @Test("auxiliary outputs are passed over for the last computed that fits, with a warning")
  func auxiliary() throws {
    let found = try model {
      $0.node("ReduceMean", ["logits"], ["mean"], ["axes": .ints([2, 3]), "keepdims": .int(0)])
      $0.output("mean", [1, 4])
      $0.output("logits", [1, 4, "h", "w"])
    }
    #expect(found.scores.name == "logits")
    for outputs in [["early", "late"], ["late", "early"]] {
      let found = try model {
        $0.node("Relu", ["logits"], ["early"])
        $0.node("Sigmoid", ["logits"], ["a"])
        $0.floats("v", [4, 4, 1, 1], [Float](repeating: 1, count: 16))
        $0.node("Conv", ["a", "v"], ["late"])
        for name in outputs { $0.output(name) }
      }
      #expect(found.scores.name == "late")
      #expect(found.scores.doubts.contains { $0.contains("early") && $0.contains("output.name") })
    }
  }

  @Test("labels beside their scores are no doubt")
  func labelsBeside() throws {
    let found = try model {
      $0.node("ArgMax", ["logits"], ["labels"], ["axis": .int(1), "keepdims": .int(0)])
      $0.output("labels", [1, "h", "w"])
      $0.output("logits", [1, 4, "h", "w"])
    }
    #expect(found.scores.name == "logits" && found.scores.doubts.isEmpty)
  }

  @Test("boxes beside masks are another task")
  func instances() {
    let error = #expect(throws: Das3Error.self) {
      try model {
        $0.ints("flat", [1, 4, -1])
        $0.node("Reshape", ["logits", "flat"], ["boxes"])
        $0.output("boxes")
        $0.output("logits")
      }
    }
    #expect(error?.code == .unsupported && error?.message.contains("boxes") == true)
  }

  @Test("scores without pixels are refused when the model is made")
  func noPixels() {
    let error = #expect(throws: Das3Error.self) {
      try model {
        $0.ints("from", [0])
        $0.ints("axis", [2])
        $0.node("Slice", ["logits", "from", "from", "axis"], ["y"])
        $0.output("y")
      }
    }
    #expect(error?.message.contains("no elements") == true, "\(error?.message ?? "")")
  }

  @Test("metadata names the scores and their kind")
  func named() throws {
    var metadata = Metadata()
    metadata.outputName = "p"
    metadata.isProbability = true
    let found = try model(metadata: metadata) {
      $0.node("Softmax", ["logits"], ["p"], ["axis": .int(1)])
      $0.node("ArgMax", ["p"], ["y"], ["axis": .int(1)])
      $0.output("y")
    }
    // What comes before its softmax is no probability, whatever the file calls its output.
    #expect(found.scores.name == "logits" && !found.scores.isProbability)
    metadata.outputName = "nobody"
    let error = #expect(throws: Das3Error.self) {
      try model(metadata: metadata) { $0.output("logits") }
    }
    #expect(error?.code == .argument && error?.message.contains("nobody") == true)
  }

  @Test("a file that calls its output probabilities is right also where its Softmax is left out")
  func kindOfSoftmax() throws {
    var metadata = Metadata()
    metadata.isProbability = true
    let found = try model(metadata: metadata) {
      $0.node("Softmax", ["logits"], ["y"], ["axis": .int(1)])
      $0.output("y")
    }
    #expect(found.scores.isProbability == (found.scores.name == "y"))
  }

  @Test("class names must be as many as the scores")
  func classNames() {
    var metadata = Metadata()
    metadata.classes = ["only", "three", "names"]
    let error = #expect(throws: Das3Error.self) {
      try model(metadata: metadata) { $0.output("logits") }
    }
    #expect(error?.code == .shape)
    #expect(error?.message.contains("3") == true && error?.message.contains("4") == true)
  }
}

extension Graph {
  /// Of the outputs.
  fileprivate var shapes: [Shape] { outputs.map { values[$0].shape } }
}
