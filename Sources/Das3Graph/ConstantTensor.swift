/// A tensor whose values are known while the graph is made, such as a result of shape arithmetic.
package struct ConstantTensor: Equatable, Sendable {
  package enum Storage: Equatable, Sendable {
    case floats([Float])
    case ints([Int64])
  }

  package var shape: Shape
  package var type: ElementType
  package var storage: Storage
  /// The range of the integer type in the file; nil for types of 32 bits and more, and for computed
  /// values.
  package var bounds: ClosedRange<Int64>?

  package init(shape: Shape, floats: [Float]) {
    self.shape = shape
    type = .float32
    storage = .floats(floats)
  }

  package init(shape: Shape, type: ElementType = .int64, ints: [Int64]) {
    self.shape = shape
    self.type = type
    storage = .ints(ints)
  }

  package init(vector: [Int]) {
    self.init(shape: [vector.count], ints: vector.map(Int64.init))
  }

  package init(scalar: Float) { self.init(shape: [], floats: [scalar]) }

  /// The range of an integer type of ONNX (`TensorProto.DataType`) of up to 16 bits; nil for
  /// others.
  static func bounds(ofType type: Int) -> ClosedRange<Int64>? {
    switch type {
    case 2: 0...255
    case 3: -128...127
    case 4: 0...65535
    case 5: -32768...32767
    default: nil
    }
  }

  /// Values as integers; floats are truncated and clamped.
  package var ints: [Int64] {
    switch storage {
    case .ints(let values): values
    case .floats(let values): values.map { Int64(clamping: $0) }
    }
  }

  package var floats: [Float] {
    switch storage {
    case .ints(let values): values.map(Float.init)
    case .floats(let values): values
    }
  }

  /// The elements at `indices` (-1 = `fill`), in a new shape.
  package func selecting(_ indices: [Int], shape: Shape, fill: Float = 0) -> ConstantTensor {
    var result = self
    result.shape = shape
    switch storage {
    case .ints(let values):
      result.storage = .ints(indices.map { $0 < 0 ? Int64(clamping: fill) : values[$0] })
    case .floats(let values):
      result.storage = .floats(indices.map { $0 < 0 ? fill : values[$0] })
    }
    return result
  }
}

/// What the elements of a value mean.
///
/// Everything that runs for each frame is computed in float32.
package enum ElementType: Sendable {
  case float32
  case int64
  case bool
}

extension Int64 {
  /// Truncates towards zero.
  ///
  /// NaN becomes 0; a value out of range becomes the nearest integer.
  package init(clamping value: Float) {
    if value.isNaN {
      self = 0
    } else if value >= 9.2233715e18 {
      self = .max
    } else if value <= -9.223372e18 {
      self = .min
    } else {
      self = Int64(value)
    }
  }
}
