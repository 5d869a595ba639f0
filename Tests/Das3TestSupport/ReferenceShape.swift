extension Reference {
  static let shapes: [String: Body] = [
    "Identity": { [$0.x] },
    "Dropout": { node in [node.x, node.x.map(isInteger: true) { _ in 1 }] },
    "Constant": { node in
      if let ints = node.ints("value_ints") { return [integers(ints)] }
      if case .float(let value)? = node.attribute("value_float") {
        return [ReferenceTensor([], [Double(value)])]
      }
      return [node.attribute("value").flatMap(tensor) ?? ReferenceTensor([0], [])]
    },
    "ConstantOfShape": { node in
      let value = node.attribute("value").flatMap(tensor) ?? ReferenceTensor([1], [0])
      return [ReferenceTensor(node.x.ints, isInteger: value.isInteger) { _ in value.values[0] }]
    },
    "Shape": { node in
      let rank = node.x.dims.count
      func position(_ value: Int) -> Int { min(max(value < 0 ? value + rank : value, 0), rank) }
      let range = position(node.int("start", 0))..<position(node.int("end", rank))
      return [integers(Array(node.x.dims[range]))]
    },
    "Size": { node in [ReferenceTensor([], [Double(node.x.values.count)], isInteger: true)] },
    "Range": { node in
      let values = Array(
        stride(from: node.x.values[0], to: node[1].values[0], by: node[2].values[0]))
      return [ReferenceTensor([values.count], values, isInteger: node.x.isInteger)]
    },
    "Reshape": { node in
      let x = node.x
      var dims = node[1].ints
      for axis in dims.indices where dims[axis] == 0 && node.int("allowzero", 0) == 0 {
        dims[axis] = x.dims[axis]
      }
      if let open = dims.firstIndex(of: -1) {
        dims[open] = x.values.count / dims.reduce(1) { $0 * ($1 == -1 ? 1 : $1) }
      }
      return [x.reshaped(dims)]
    },
    "Flatten": { node in
      let dims = node.x.dims
      let axis = node.axis(1, rank: dims.count)
      return [node.x.reshaped([dims[..<axis].reduce(1, *), dims[axis...].reduce(1, *)])]
    },
    "Squeeze": { node in
      let dims = node.x.dims
      let axes = node.ints("axes", orInput: 1)?.map { $0 < 0 ? $0 + dims.count : $0 }
      let kept = dims.indices.filter { axis in axes.map { !$0.contains(axis) } ?? (dims[axis] != 1)
      }
      return [node.x.reshaped(kept.map { dims[$0] })]
    },
    "Unsqueeze": { node in
      let axes = node.ints("axes", orInput: 1) ?? []
      let rank = node.x.dims.count + axes.count
      var dims = node.x.dims
      for axis in axes.map({ $0 < 0 ? $0 + rank : $0 }).sorted() { dims.insert(1, at: axis) }
      return [node.x.reshaped(dims)]
    },
  ]

  private static func integers(_ values: [Int]) -> ReferenceTensor {
    ReferenceTensor([values.count], values.map(Double.init), isInteger: true)
  }

  private static func tensor(_ attribute: OnnxWriter.Attribute) -> ReferenceTensor? {
    guard case .tensor(let tensor) = attribute else { return nil }
    switch tensor.payload {
    case .ints(let values):
      return ReferenceTensor(tensor.dims, values.map(Double.init), isInteger: true)
    case .floats(let values): return ReferenceTensor(tensor.dims, values.map { Double($0) })
    case .raw, .external, .missing, .fields: return nil
    }
  }
}
