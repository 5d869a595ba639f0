/// One axis as weighted sums of positions: y[i] = Σ_k weights[k] · x[positions[k]].
///
/// Cubic and antialiased resizing, and linear resizing of what is no image. Axes are separable: a
/// resize of two axes is two of these.
package struct Resample: OperatorRules {
  /// For each output position a run of terms; no terms = outside, which takes `fill`.
  package struct Table: Sendable {
    /// First term of each output position, and the number of terms.
    package private(set) var starts: [Int32] = [0]
    package private(set) var positions: [Int32] = []
    package private(set) var weights: [Float] = []

    package var count: Int { starts.count - 1 }

    /// Appends an output position; terms of the same position that follow each other become one.
    mutating func append(_ terms: [(position: Int, weight: Double)]) {
      var sums: [(position: Int, weight: Double)] = []
      for term in terms {
        if let last = sums.last, last.position == term.position {
          sums[sums.count - 1].weight += term.weight
        } else {
          sums.append(term)
        }
      }
      // A weight of 0 would let a neighbour's infinity in.
      for sum in sums where sum.weight != 0 {
        positions.append(Int32(sum.position))
        weights.append(Float(sum.weight))
      }
      starts.append(Int32(positions.count))
    }

    /// The way of the gradient: which outputs each of `inputCount` positions has a share in.
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

/// How much a position counts at a distance: the tent of linear, Keys' cubic of `a` (1981).
struct ResizeFilter {
  enum Shape { case linear, cubic(a: Double) }

  var shape: Shape
  /// Downwards the filter is as wide as an output pixel.
  var isAntialiased: Bool
  /// What lies outside has no weight; otherwise the outermost pixel stands for it.
  var excludesOutside: Bool

  /// Positions at this distance and beyond have no weight.
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
