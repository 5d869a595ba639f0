/// Resampling of one axis by weighted sums: y[i] = Σ_k weights[k] · x[positions[k]].
///
/// It covers cubic and antialiased resizing, and linear resizing of tensors that are not images. A
/// resize of two axes is separable into two of these.
package struct Resample: OperatorRules {
  /// The terms of each output position; a position without terms is outside and gets `fill`.
  package struct Table: Sendable {
    /// The first term of each output position, and at the end the number of terms.
    package private(set) var starts: [Int32] = [0]
    package private(set) var positions: [Int32] = []
    package private(set) var weights: [Float] = []

    package var count: Int { starts.count - 1 }

    /// Appends an output position.
    ///
    /// Consecutive terms with the same position are merged.
    mutating func append(_ terms: [(position: Int, weight: Double)]) {
      var sums: [(position: Int, weight: Double)] = []
      for term in terms {
        if let last = sums.last, last.position == term.position {
          sums[sums.count - 1].weight += term.weight
        } else {
          sums.append(term)
        }
      }
      // A term of weight 0 would turn an infinity into a NaN.
      for sum in sums where sum.weight != 0 {
        positions.append(Int32(sum.position))
        weights.append(Float(sum.weight))
      }
      starts.append(Int32(positions.count))
    }

    /// The table of the gradient: for each of `inputCount` positions the outputs that it
    /// contributes to.
    package func transposed(inputCount: Int) -> Table {
      var lengths = [Int32](repeating: 0, count: inputCount + 1)
      for position in positions { lengths[Int(position) + 1] += 1 }
      var result = Table()
      result.starts = lengths
      for index in 0..<inputCount { result.starts[index + 1] += result.starts[index] }
      result.positions = [Int32](repeating: 0, count: positions.count)
      result.weights = [Float](repeating: 0, count: positions.count)
      var next = result.starts
      for output in 0..<count {
        for term in Int(starts[output])..<Int(starts[output + 1]) {
          let place = Int(next[Int(positions[term])])
          next[Int(positions[term])] += 1
          result.positions[place] = Int32(output)
          result.weights[place] = weights[term]
        }
      }
      return result
    }
  }

  package var axis: Int
  package var table: Table
  package var fill: Float = 0

  func infer(_ inputs: [ValueInfo]) throws(Das3Error) -> ValueInfo {
    var result = inputs[0]
    result.shape.dims[axis] = table.count
    return result
  }

  var facts: OperatorFacts {
    .kernel(spacing: .enlarged, placement: .never, derivative: .step(reads: .none))
  }

  func folded(_: [ConstantTensor], _: ValueInfo) -> ConstantTensor? { nil }
  func lower(_ node: Graph.Node, by planner: inout Planner) { planner.lowerAlong(axis, node) }
}

/// The weight of a position by its distance: linear (tent), or cubic with parameter `a` (Keys,
/// 1981).
struct ResizeFilter {
  enum Shape { case linear, cubic(a: Double) }

  var shape: Shape
  /// Whether the filter is widened to the size of an output pixel where the image becomes smaller.
  var isAntialiased: Bool
  /// Whether positions outside have no weight; otherwise they have the value of the outermost
  /// pixel.
  var excludesOutside: Bool

  /// The weight is 0 from this distance on.
  var reach: Double {
    switch shape {
    case .linear: 1
    case .cubic: 2
    }
  }

  func weight(_ distance: Double) -> Double {
    let t = abs(distance)
    switch shape {
    case .linear: return max(0, 1 - t)
    case .cubic(let a):
      if t <= 1 { return ((a + 2) * t - (a + 3)) * t * t + 1 }
      return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0
    }
  }
}
