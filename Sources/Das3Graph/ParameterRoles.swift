/// What the values of a model are used for.
///
/// The nodes alone decide it, so that it does not depend on the input size.
struct ParameterRoles {
  /// Names that any node uses.
  private(set) var uses: Set<String> = []
  /// Names that a node uses as data; a float initialiser among them is a parameter.
  private(set) var operands: Set<String> = []
  /// Names that a node uses as the weight of a layer.
  ///
  /// A Constant node among them is a parameter too.
  private(set) var weights: Set<String> = []
  /// Names that a node uses as running mean or variance.
  private(set) var statistics: Set<String> = []

  init(nodes: [OnnxModel.Node]) {
    for node in nodes {
      // Values that the branches of an `If` use count as if the nodes of the branches stood here.
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
