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
    #expect(found.scoresName == "logits" && !found.isProbability)
    #expect(found.classCount == 4 && found.channelCount == 3 && found.strideMultiple == 2)
    #expect(found.fixedHeight == nil && found.fixedWidth == nil)
  }

  @Test("an ArgMax is left out", arguments: [0, 1])
  func argMax(_ keepsDims: Int) throws {
    let found = try model {
      $0.node("ArgMax", ["logits"], ["y"], ["axis": .int(1), "keepdims": .int(keepsDims)])
      $0.output("y")
    }
    #expect(found.scoresName == "logits" && !found.isProbability)
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
    #expect(found.scoresName == "logits")
  }

  @Test("a Softmax over channels is left out", arguments: [1, -3])
  func softmax(_ axis: Int) throws {
    let found = try model {
      $0.node("Softmax", ["logits"], ["y"], ["axis": .int(axis)])
      $0.output("y")
    }
    #expect(found.scoresName == "logits" && !found.isProbability)
  }

  @Test("a LogSoftmax and an ArgMax after a Softmax are left out")
  func logSoftmax() throws {
    let log = try model {
      $0.node("LogSoftmax", ["logits"], ["y"], ["axis": .int(1)])
      $0.output("y")
    }
    #expect(log.scoresName == "logits")
    let both = try model {
      $0.node("Softmax", ["logits"], ["p"], ["axis": .int(1)])
      $0.node("ArgMax", ["p"], ["y"], ["axis": .int(1)])
      $0.output("y")
    }
    #expect(both.scoresName == "logits" && !both.isProbability)
  }

  @Test("a Softmax over another axis belongs to the network")
  func otherAxis() throws {
    let found = try model {
      $0.node("Softmax", ["logits"], ["y"], ["axis": .int(3)])
      $0.output("y")
    }
    #expect(found.scoresName == "y")
  }

  @Test("a Resize after the logits stays: the network decides how they grow")
  func resizeAfterLogits() throws {
    let found = try model {
      $0.node("Resize", ["logits", "", "scales"], ["y"], ["mode": .string("linear")])
      $0.output("y")
    }
    #expect(found.scoresName == "y" && !found.isProbability)
  }

  @Test("a Resize after a Softmax gives probabilities")
  func resizeAfterSoftmax() throws {
    let found = try model {
      $0.node("Softmax", ["logits"], ["p"], ["axis": .int(1)])
      $0.node("Resize", ["p", "", "scales"], ["r"], ["mode": .string("linear")])
      $0.node("ArgMax", ["r"], ["y"], ["axis": .int(1)])
      $0.output("y")
    }
    #expect(found.scoresName == "r" && found.isProbability)
  }

  @Test("auxiliary outputs are passed over for the first with four dimensions")
  func auxiliary() throws {
    let found = try model {
      $0.node("ReduceMean", ["logits"], ["mean"], ["axes": .ints([2, 3]), "keepdims": .int(0)])
      $0.output("mean", [1, 4])
      $0.output("logits", [1, 4, "h", "w"])
    }
    #expect(found.scoresName == "logits")
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
    #expect(found.scoresName == "p" && found.isProbability)
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
    #expect(found.isProbability == (found.scoresName == "y"))
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
