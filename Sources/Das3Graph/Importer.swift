extension GraphBuilder {
  /// How one ONNX operator is lowered, and what its inputs are to it.
  ///
  /// Parameters are found before any shape is known. Therefore each importer lists the inputs that
  /// it reads as configuration, and it cannot read other inputs that way.
  struct Importer: Sendable {
    typealias Lowering = @Sendable (inout GraphBuilder, Node) throws(Das3Error) -> ValueID?

    /// Inputs that say what to compute (shapes, axes, scales, bounds); they are never parameters.
    let configuration: Set<Int>
    /// Inputs that are weights of a layer.
    ///
    /// They are parameters even where a Constant node holds them.
    let weights: Set<Int>
    /// Inputs that are a running mean or variance.
    let statistics: Set<Int>
    /// Returns the value of output 0, or nil where it has set the outputs itself.
    let lower: Lowering

    init(
      configuration: Set<Int> = [], weights: Set<Int> = [], statistics: Set<Int> = [],
      _ lower: @escaping Lowering
    ) {
      self.configuration = configuration
      self.weights = weights
      self.statistics = statistics
      self.lower = lower
    }

    /// The importer of an operator that requires input 0; `lower` gets the value of this input.
    static func ofInput(
      configuration: Set<Int> = [], weights: Set<Int> = [],
      _ lower:
        @escaping @Sendable (inout GraphBuilder, Node, ValueID)
        throws(Das3Error) -> ValueID?
    ) -> Self {
      Self(configuration: configuration, weights: weights) { (builder, node) throws(Das3Error) in
        try lower(&builder, node, builder.input(node, 0))
      }
    }
  }

  /// Every ONNX operator that can be lowered, by its name.
  static let importers: [String: Importer] = [
    convolutionImporters, normalizationImporters, elementwiseImporters, poolingImporters,
    reductionImporters, productImporters, gridSampleImporters, resizeImporters, concatImporters,
    sliceImporters, indexImporters, transposeImporters, reshapeImporters, expandImporters,
    shapeImporters, sequenceImporters, quantizationImporters, scatterImporters,
  ].reduce(into: [:]) { $0.merge($1) { first, _ in first } }

  /// The ONNX names of these operators, sorted, without those that leave nothing to compute.
  package static var operatorTypes: [String] {
    importers.keys.filter { !resolvedTypes.contains($0) }.sorted()
  }

  private static let resolvedTypes = Set(sequenceImporters.keys).union(["If", "EyeLike"])

  /// Whether an operator can be lowered, or computed while the graph is made.
  static func isKnown(_ opType: String) -> Bool {
    importers[opType] != nil || evaluators[opType] != nil
  }
}
