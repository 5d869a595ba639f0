/// Dimension k of the result is dimension `order[k]` of the input.
package struct Transpose: OperatorRules {
  package var order: [Int]

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    guard order.sorted() == Array(0..<inputs[0].shape.rank) else {
      throw .shape("perm \(order) is not a permutation for \(inputs[0].shape)")
    }
    return ValueInfo(Shape(order.map { inputs[0].shape[$0] }), inputs[0].type)
  }

  var facts: OperatorFacts { .view(spacing: .kept, placement: .never) }

  func folded(_ inputs: [ConstantTensor], _ result: ValueInfo) -> ConstantTensor? {
    inputs[0].viewed { $0.transposed(order) }
  }

  func lower(_ node: Graph.Node, by planner: inout Planner) {
    planner.place(node.output, planner.view(of: node.inputs[0]).transposed(order))
  }
}

extension GraphBuilder {
  static let transposeImporters: [String: Importer] = [
    "Transpose": .ofInput { (builder, node, x) throws(Das3Error) in
      let order = try node.ints("perm") ?? (0..<builder.shape(x).rank).reversed()
      return try builder.transpose(x, order)
    },
    "DepthToSpace": .ofInput { (builder, node, x) throws(Das3Error) in
      let s = builder.shape(x)
      let block = try node.int("blocksize", default: 0)
      guard s.rank == 4, block > 0, block < 1 << 12, s[1] % (block * block) == 0 else {
        throw .shape("input is \(s) with blocksize \(block)")
      }
      let depth = s[1] / (block * block)
      let isColumnRow = try node.string("mode", default: "DCR") == "CRD"
      let split =
        isColumnRow
        ? [s[0], depth, block, block, s[2], s[3]] : [s[0], block, block, depth, s[2], s[3]]
      let moved = try builder.transpose(
        builder.reshape(x, split), isColumnRow ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2])
      return try builder.reshape(moved, [s[0], depth, s[2] * block, s[3] * block])
    },
    "SpaceToDepth": .ofInput { (builder, node, x) throws(Das3Error) in
      let s = builder.shape(x)
      let block = try node.int("blocksize", default: 0)
      guard s.rank == 4, block > 0, s[2] % block == 0, s[3] % block == 0 else {
        throw .shape("input is \(s) with blocksize \(block)")
      }
      let split = try builder.reshape(x, [s[0], s[1], s[2] / block, block, s[3] / block, block])
      let moved = try builder.transpose(split, [0, 3, 5, 1, 2, 4])
      return try builder.reshape(moved, [s[0], s[1] * block * block, s[2] / block, s[3] / block])
    },
  ]
}
