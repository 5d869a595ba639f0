/// What names are used as, decided from the nodes alone so that it does not depend on input size.
struct ParameterRoles {
  /// Used by any node.
  private(set) var uses: Set<String> = []
  /// Used as data somewhere: a float initialiser among them is a parameter.
  private(set) var operands: Set<String> = []
  /// Used as the weight of a layer: a Constant node among them is a parameter too.
  private(set) var weights: Set<String> = []
  /// Used as running mean or variance.
  private(set) var statistics: Set<String> = []

  /// Inputs that configure an operator instead of being computed with; those that can be floats,
  /// for integers are no parameters anyway.
  private static let configuration: [String: Set<Int>] = [
    "Resize": [1, 2], "Upsample": [1], "Clip": [1, 2], "Pad": [2], "Dropout": [1],
    "Range": [0, 1, 2], "QuantizeLinear": [1, 2], "DequantizeLinear": [1, 2],
  ]
  private static let layers: [String: Set<Int>] = [
    "Conv": [1, 2], "ConvTranspose": [1, 2], "Gemm": [1, 2], "MatMul": [0, 1],
    "BatchNormalization": [1, 2, 3, 4], "InstanceNormalization": [1, 2],
    "LayerNormalization": [1, 2], "GroupNormalization": [1, 2], "PRelu": [1],
  ]

  init(nodes: [OnnxModel.Node]) {
    for node in nodes {
      // What the branches of an `If` compute with, as if it stood here.
      for branch in node.blocks {
        let inner = ParameterRoles(nodes: branch.nodes)
        uses.formUnion(inner.uses)
        operands.formUnion(inner.operands)
        weights.formUnion(inner.weights)
        statistics.formUnion(inner.statistics)
        uses.formUnion(branch.outputs)
      }
      let configuration = Self.configuration[node.opType] ?? []
      let layer = Self.layers[node.opType] ?? []
      for (position, name) in node.inputs.enumerated() where !name.isEmpty {
        uses.insert(name)
        if !configuration.contains(position) { operands.insert(name) }
        if layer.contains(position) { weights.insert(name) }
        if node.opType == "BatchNormalization", position >= 3 { statistics.insert(name) }
      }
    }
  }
}
