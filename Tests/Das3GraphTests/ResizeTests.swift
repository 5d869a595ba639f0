import Das3Graph
import Das3TestSupport
import Testing

/// Which source positions a resized axis looks at, for every mode, against the standard's formulas.
@Suite("Resize coordinates")
struct ResizeTests {
  private func graph(
    _ size: Int, opset: Int = 17, scale: Float? = nil, target: Int? = nil, roi: [Float]? = nil,
    _ attributes: KeyValuePairs<String, OnnxWriter.Attribute>
  ) throws -> Graph {
    try TestGraph.build([1, 1, 2, size], opset: opset) {
      if let scale { $0.floats("scales", [4], [1, 1, 1, scale]) }
      if let target { $0.ints("sizes", [1, 1, 2, target]) }
      if let roi { $0.floats("roi", [8], [0, 0, 0, roi[0], 1, 1, 1, roi[1]]) }
      let inputs = ["x", roi == nil ? "" : "roi", scale == nil ? "" : "scales"]
      $0.node("Resize", inputs + (target == nil ? [] : ["sizes"]), ["y"], attributes)
    }
  }

  /// Source positions of the last axis, clamped to the image; nil = outside.
  private func linear(_ graph: Graph) throws -> [Float?] {
    guard case .resize(let resize)? = graph.nodes.first?.operation, let axis = resize.axes[3] else {
      throw Das3Error(.internal, "no linear resize")
    }
    return axis.low.indices.map { index in
      #expect(axis.high[index] - axis.low[index] <= 1)
      return axis.weight[index] < 0 ? nil : Float(axis.low[index]) + axis.weight[index]
    }
  }

  private func nearest(_ graph: Graph) throws -> [Int32] {
    guard case .index(let index)? = graph.nodes.first?.operation, let table = index.tables[3] else {
      throw Das3Error(.internal, "no nearest resize")
    }
    return table
  }

  @Test(
    "linear positions for sizes",
    arguments: [
      ("half_pixel", 4, [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]), ("half_pixel", 4, [0.5, 2.5]),
      ("half_pixel", 4, [1.5]), ("half_pixel", 3, [0, 0.625, 1.375, 2]),
      ("pytorch_half_pixel", 4, [0.5, 2.5]), ("pytorch_half_pixel", 4, [0]),
      ("align_corners", 4, [0, 0.5, 1, 1.5, 2, 2.5, 3]), ("align_corners", 4, [0, 3]),
      ("align_corners", 4, [0]), ("asymmetric", 4, [0, 0.5, 1, 1.5, 2, 2.5, 3, 3]),
      ("asymmetric", 4, [0, 2]), ("tf_half_pixel_for_nn", 4, [1, 3]),
    ] as [(String, Int, [Float])])
  func sizes(_ mode: String, _ size: Int, _ expected: [Float]) throws {
    let graph = try graph(
      size, target: expected.count,
      ["mode": .string("linear"), "coordinate_transformation_mode": .string(mode)])
    let found = try linear(graph)
    #expect(found.count == expected.count)
    for (a, b) in zip(found, expected) { #expect(abs((a ?? -9) - b) < 1e-6) }
  }

  /// The output size rounds down, but the positions follow the scale as it is written.
  @Test(
    "linear positions for scales that do not divide",
    arguments: [
      ("half_pixel", 3, 1.5, [0, 0.5, 1.166667, 1.833333]),
      ("asymmetric", 3, 1.5, [0, 0.666667, 1.333333, 2]),
      ("half_pixel_symmetric", 4, 0.6, [0.666667, 2.333333]),
      ("half_pixel", 4, 0.6, [0.333333, 2]),
      ("align_corners", 3, 1.5, [0, 0.571429, 1.142857, 1.714286]),
    ] as [(String, Int, Float, [Float])])
  func scales(_ mode: String, _ size: Int, _ scale: Float, _ expected: [Float]) throws {
    let graph = try graph(
      size, opset: mode == "half_pixel_symmetric" ? 19 : 17, scale: scale,
      ["mode": .string("linear"), "coordinate_transformation_mode": .string(mode)])
    let found = try linear(graph)
    #expect(found.count == expected.count)
    for (a, b) in zip(found, expected) { #expect(abs((a ?? -9) - b) < 1e-5) }
  }

  @Test(
    "a cropped region; positions outside the image take the fill",
    arguments: [
      ([0.5, 1], [1.5, 2.25, 3]), ([0, 2], [0, 3, nil]), ([-1, 0], [nil, nil, 0]),
      ([1, 0], [3, 1.5, 0]),
    ] as [([Float], [Float?])])
  func crop(_ roi: [Float], _ expected: [Float?]) throws {
    let graph = try graph(
      4, target: 3, roi: roi,
      [
        "mode": .string("linear"), "extrapolation_value": .float(7),
        "coordinate_transformation_mode": .string("tf_crop_and_resize"),
      ])
    #expect(try linear(graph) == expected)
    guard case .resize(let resize)? = graph.nodes.first?.operation else { return }
    #expect(resize.fill == 7)
  }

  @Test(
    "nearest positions by rounding",
    arguments: [
      ("floor", 2, [0, 0, 1, 1]), ("ceil", 2, [0, 1, 1, 1]),
      ("round_prefer_floor", 2, [0, 0, 1, 1]), ("round_prefer_ceil", 2, [0, 1, 1, 1]),
      ("round_prefer_floor", 4, [0, 0, 1, 1, 2, 2, 3, 3]),
      ("round_prefer_ceil", 4, [0, 1, 1, 2, 2, 3, 3, 3]), ("floor", 5, [0, 2]),
      ("ceil", 5, [0, 3]),
    ] as [(String, Int, [Int32])])
  func nearestAsymmetric(_ rounding: String, _ size: Int, _ expected: [Int32]) throws {
    let graph = try graph(
      size, target: expected.count,
      [
        "mode": .string("nearest"), "nearest_mode": .string(rounding),
        "coordinate_transformation_mode": .string("asymmetric"),
      ])
    #expect(try nearest(graph) == expected)
  }

  @Test("nearest positions for scales are those of float32: 11 / 2.2 is 5")
  func nearestScale() throws {
    let graph = try graph(
      16, scale: 2.2,
      [
        "mode": .string("nearest"), "nearest_mode": .string("floor"),
        "coordinate_transformation_mode": .string("asymmetric"),
      ])
    // torch.nn.functional.interpolate(scale_factor=2.2, mode="nearest")
    let expected: [Int32] = [
      0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 10, 11, 11, 12, 12,
      13, 13, 14, 14, 15, 15,
    ]
    #expect(try nearest(graph) == expected)
  }

  @Test("the default of nearest is half-pixel centres, halves rounded down")
  func nearestDefault() throws {
    #expect(try nearest(graph(4, target: 8, [:])) == [0, 0, 1, 1, 2, 2, 3, 3])
    #expect(try nearest(graph(4, target: 2, [:])) == [0, 2])
  }

  @Test("Resize of opset 10 and Upsample of opset 9 take the pixel to the upper left")
  func legacy() throws {
    let graph = try TestGraph.build([1, 1, 2, 3], opset: 10) {
      $0.floats("scales", [4], [1, 1, 1, 2])
      $0.node("Resize", ["x", "scales"], ["y"], ["mode": .string("nearest")])
    }
    #expect(try nearest(graph) == [0, 0, 1, 1, 2, 2])
    let upsample = try TestGraph.build([1, 1, 2, 3], opset: 9) {
      $0.floats("scales", [4], [1, 1, 1, 2])
      $0.node("Upsample", ["x", "scales"], ["y"], ["mode": .string("linear")])
    }
    #expect(try linear(upsample) == [0, 0.5, 1, 1.5, 2, 2])
  }

  @Test("a resize to the same size is no node")
  func identity() throws {
    #expect(try graph(4, target: 4, ["mode": .string("linear")]).nodes.isEmpty)
    #expect(try graph(4, scale: 1, [:]).nodes.isEmpty)
  }

  @Test("a cubic of a half pixel, its weights outside given to the outermost pixel")
  func cubicWeights() throws {
    let graph = try graph(4, target: 8, ["mode": .string("cubic")])
    guard case .resample(let resample)? = graph.nodes.first?.operation else {
      Issue.record("\(TestGraph.operators(graph)) instead of a resampling")
      return
    }
    // Output 4 looks at 1.75: Keys' weights for a = −0.75 at 1.75, 0.75, 0.25 and 1.25.
    let terms = Int(resample.table.starts[4])..<Int(resample.table.starts[5])
    #expect(Array(resample.table.positions[terms]) == [0, 1, 2, 3])
    let expected: [Float] = [-0.03515625, 0.26171875, 0.87890625, -0.10546875]
    #expect(Array(resample.table.weights[terms]) == expected)
    // The transposed table has the same terms, by input.
    let back = resample.table.transposed(inputCount: 4)
    #expect(back.count == 4)
    #expect(back.weights.sorted() == resample.table.weights.sorted())
  }

  @Test("modes that we lack are named", arguments: ["area", "lanczos"])
  func unknownMode(_ mode: String) {
    let error = #expect(throws: Das3Error.self) { try graph(4, target: 8, ["mode": .string(mode)]) }
    #expect(error?.message.contains(mode) == true && error?.message.contains("Resize") == true)
  }
}
