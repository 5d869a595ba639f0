/// Computes nodes whose inputs are all constants: what an exporter wrote as shape arithmetic.
extension Operator {
  /// Larger results are computed by the runtime, once per model; integers, which say where data
  /// goes, must be known at once.
  static func largestFoldedCount(_ type: ElementType) -> Int {
    type == .float32 ? 1 << 18 : 1 << 22
  }
}

extension ConstantTensor {
  /// The elements at offset + Σ position · stride.
  func moved(to shape: Shape, offset: Int = 0, strides: [Int]) -> ConstantTensor {
    guard shape.elementCount > 0 else { return selecting([], shape: shape) }
    var indices = [offset]
    for axis in shape.dims.indices {
      indices = indices.flatMap { base in (0..<shape[axis]).map { base + $0 * strides[axis] } }
    }
    return selecting(indices, shape: shape)
  }

  func broadcast(to shape: Shape) -> ConstantTensor {
    self.shape == shape ? self : moved(to: shape, strides: self.shape.broadcastStrides(to: shape))
  }
}

extension Shape {
  /// Strides that read this dense tensor as the larger `shape`; 0 where a dimension repeats.
  package func broadcastStrides(to shape: Shape) -> [Int] {
    let extended = extended(to: shape.rank)
    let strides = extended.contiguousStrides
    return shape.dims.indices.map { extended[$0] == 1 ? 0 : strides[$0] }
  }
}
