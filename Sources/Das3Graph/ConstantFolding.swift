// Computes nodes whose inputs are all constants: the shape arithmetic of an exporter.

extension Operator {
  /// The largest result, in elements, that is computed while the graph is made.
  ///
  /// The runtime computes larger float tensors, once per model. The limit for integers is higher
  /// because they are indices and sizes, which must be known while the graph is made.
  static func largestFoldedCount(_ type: ElementType) -> Int {
    type == .float32 ? 1 << 18 : 1 << 22
  }
}

extension ConstantTensor {
  /// The elements of a view of this tensor, in row-major order.
  func viewed(_ transform: (Plan.View) -> Plan.View) -> ConstantTensor {
    let view = transform(Plan.View(buffer: 0, shape: shape, strides: shape.contiguousStrides))
    guard !view.isEmpty else { return selecting([], shape: view.shape) }
    var indices = [view.offset]
    for (size, stride) in zip(view.shape.dims, view.strides) {
      indices = indices.flatMap { base in (0..<size).map { base + $0 * stride } }
    }
    return selecting(indices, shape: view.shape)
  }

  func broadcast(to shape: Shape) -> ConstantTensor {
    self.shape == shape ? self : viewed { $0.expanded(to: shape) }
  }
}
