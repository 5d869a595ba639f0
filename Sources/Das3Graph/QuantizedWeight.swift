/// A weight that the file stores as integers: an initialiser that is the input of a
/// DequantizeLinear.
///
/// It becomes a float32 parameter with the name of the node's output when the file is read, so that
/// it can be trained. It is saved as float32.
struct QuantizedWeight {
  var name: String
  /// The name of the DequantizeLinear in messages.
  var place: String
  /// Index of the DequantizeLinear in the file.
  var node: Int
  /// Index of the initialiser in the file.
  var tensor: Int
  /// The axis that has one scale for each position, where there are several scales.
  var axis: Int
  var scale: ConstantTensor
  var zeroPoint: ConstantTensor?

  /// (q − zeroPoint) · scale in float32, as ONNX Runtime computes it.
  ///
  /// - Throws: `.shape` where scale or zero point do not fit, `.format` where `tensor` does not
  ///   hold integers.
  func values(_ tensor: ConstantTensor) throws(Das3Error) -> ConstantTensor {
    guard case .ints(let values) = tensor.storage, tensor.type == .int64 else {
      throw .format("input 0 is no tensor of integers")
    }
    let scales = scale.floats
    let zeros = zeroPoint?.ints ?? [0]
    var (size, stride) = (1, 1)
    if scales.count > 1 {
      let axis = try tensor.shape.axis(axis)
      (size, stride) = (tensor.shape[axis], tensor.shape.contiguousStrides[axis])
    }
    guard scales.count == size, zeros.count == size || zeros.count == 1 else {
      throw .shape(
        "\(scales.count) scales and \(zeros.count) zero points for weights \(tensor.shape)")
    }
    return ConstantTensor(
      shape: tensor.shape,
      floats: values.indices.map { index in
        let position = index / stride % size
        return Float(values[index] &- zeros[zeros.count == 1 ? 0 : position]) * scales[position]
      })
  }
}
