/// Merges models with the same graph into one: its weights are the weighted mean of theirs.
extension OnnxModel {
  /// The mean of all parameters, including running statistics, summed in double precision.
  ///
  /// - Parameters:
  ///   - models: at least one. The result is saved from the file of the first.
  ///   - shares: one for each model, finite, not negative, not all 0; only their ratios matter.
  /// - Returns: the first model with the mean of the weights.
  /// - Throws: `.argument` for invalid shares, `.shape` naming a difference between the graphs.
  package static func merge(_ models: [OnnxModel], shares: [Double]) throws(Das3Error) -> OnnxModel
  {
    guard let first = models.first, models.count == shares.count else {
      throw .argument("\(models.count) models and \(shares.count) weights; expected as many")
    }
    for (index, share) in shares.enumerated() where !share.isFinite || share < 0 {
      throw .argument("weight \(index) is \(share); expected a finite number from 0")
    }
    guard let largest = shares.max(), largest > 0 else {
      throw .argument("all \(shares.count) weights are 0; expected one above")
    }
    for (index, model) in models.enumerated() {
      guard let difference = first.difference(from: model) else { continue }
      throw .shape("model \(index) differs from model 0: \(difference)")
    }
    // Relative to the largest share, no sum overflows. Models with share 0 are left out, so that
    // their infinities and NaNs do not count.
    let parts = zip(models, shares).filter { $0.1 > 0 }.map {
      (weights: $0.0.weights, share: $0.1 / largest)
    }
    let total = parts.reduce(0) { $0 + $1.share }
    var mean: [Float] = []
    mean.reserveCapacity(first.weights.count)
    var sums = [Double](repeating: 0, count: 4096)
    for start in stride(from: 0, to: first.weights.count, by: sums.count) {
      let count = min(sums.count, first.weights.count - start)
      for index in 0..<count { sums[index] = 0 }
      for part in parts {
        for index in 0..<count {
          sums[index] += part.share * Double(part.weights[start + index])
        }
      }
      for index in 0..<count { mean.append(Float(sums[index] / total)) }
    }
    return try first.with(weights: mean, provenance: Provenance(method: "merge"))
  }

  /// The first difference between the graphs; nil where at most the weights differ.
  package func difference(from other: OnnxModel) -> String? {
    guard source !== other.source else { return nil }
    guard opset == other.opset else { return "it has opset \(other.opset); expected \(opset)" }
    guard nodes.count == other.nodes.count else {
      return "it has \(other.nodes.count) nodes; expected \(nodes.count)"
    }
    for (mine, node) in zip(nodes, other.nodes) where !mine.isSame(as: node) {
      return "\(node.place) is not the same node as \(mine.place)"
    }
    guard parameters.count == other.parameters.count else {
      return "it has \(other.parameters.count) parameters; expected \(parameters.count)"
    }
    for (mine, parameter) in zip(parameters, other.parameters) {
      guard mine.name == parameter.name, mine.shape == parameter.shape else {
        return
          "parameter '\(parameter.name)' is \(parameter.shape); expected '\(mine.name)' of \(mine.shape)"
      }
    }
    for (name, tensor) in constants.sorted(by: { $0.key < $1.key })
    where other.constants[name].map({ !tensor.isSame(as: $0) }) ?? true {
      return "constant '\(name)' has another value"
    }
    guard constants.count == other.constants.count else {
      return "it has \(other.constants.count) constants; expected \(constants.count)"
    }
    return nil
  }
}

extension OnnxModel.Node {
  /// Whether both nodes do the same computation on values of the same names.
  fileprivate func isSame(as other: Self) -> Bool {
    opType == other.opType && domain == other.domain && inputs == other.inputs
      && outputs == other.outputs && attributes.count == other.attributes.count
      && attributes.allSatisfy { name, mine in
        other.attributes[name].map { mine.isSame(as: $0) } ?? false
      }
  }
}

// Floats are compared by their bits, so that a NaN equals itself.

extension OnnxModel.Attribute {
  fileprivate func isSame(as other: Self) -> Bool {
    switch (self, other) {
    case (.float(let mine), .float(let value)): mine.bitPattern == value.bitPattern
    case (.floats(let mine), .floats(let values)): mine.hasSameBits(as: values)
    case (.tensor(let mine), .tensor(let tensor)): mine.isSame(as: tensor)
    default: self == other
    }
  }
}

extension ConstantTensor {
  fileprivate func isSame(as other: Self) -> Bool {
    guard case .floats(let mine) = storage, case .floats(let values) = other.storage else {
      return self == other
    }
    return shape == other.shape && mine.hasSameBits(as: values)
  }
}

extension [Float] {
  fileprivate func hasSameBits(as other: Self) -> Bool {
    count == other.count && zip(self, other).allSatisfy { $0.bitPattern == $1.bitPattern }
  }
}
