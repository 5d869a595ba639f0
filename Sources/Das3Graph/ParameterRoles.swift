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
      let importer = GraphBuilder.importers[node.opType]
      for (position, name) in node.inputs.enumerated() where !name.isEmpty {
        func isListed(_ list: Set<Int>?) -> Bool { list?.contains(position) ?? false }
        uses.insert(name)
        if !isListed(importer?.configuration) { operands.insert(name) }
        if isListed(importer?.weights) { weights.insert(name) }
        if isListed(importer?.statistics) { statistics.insert(name) }
      }
    }
  }
}
