/// The sizes of a tensor's dimensions, outermost first, in the order ONNX writes them.
package struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
  /// More dimensions than this are refused: kernels carry sizes in fixed arrays.
  package static let maximumRank = 8
  /// More elements than this are refused: offsets stay within 32-bit tables.
  package static let maximumElementCount = Int(Int32.max)
  /// More elements than this are refused in all shape arithmetic of a graph together.
  package static let maximumComputedCount = 1 << 24

  package var dims: [Int]

  package init(_ dims: [Int]) { self.dims = dims }
  package init(arrayLiteral elements: Int...) { dims = elements }

  package var rank: Int { dims.count }
  package var elementCount: Int { dims.reduce(1, *) }
  package var description: String {
    dims.isEmpty ? "scalar" : dims.map(String.init).joined(separator: "×")
  }

  package subscript(axis: Int) -> Int { dims[axis] }

  /// Throws unless every size, the rank and the product are within what kernels can address.
  package func validated() throws(Das3Error) -> Shape {
    guard rank <= Self.maximumRank else {
      throw .unsupported(
        "a tensor of \(rank) dimensions; at most \(Self.maximumRank) are supported")
    }
    var count = 1
    for size in dims {
      guard size >= 0 else { throw .shape("shape \(self) has a negative size") }
      // A size of 0 does not excuse the others: strides multiply them.
      let (product, overflow) = count.multipliedReportingOverflow(by: max(size, 1))
      guard !overflow, product <= Self.maximumElementCount else {
        throw .limit(
          "a tensor of \(self) elements; at most \(Self.maximumElementCount) are allowed")
      }
      count = product
    }
    return self
  }

  /// Strides of the dense tensor in this order, in elements.
  package var contiguousStrides: [Int] { strides(order: Array(dims.indices)) }

  /// Strides of the dense tensor whose axes lie in `order`, outermost first.
  func strides(order: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: rank)
    var stride = 1
    for axis in order.reversed() {
      strides[axis] = stride
      stride *= dims[axis]
    }
    return strides
  }

  /// The shape both broadcast to by the multidirectional rule, or nil.
  package func broadcast(with other: Shape) -> Shape? {
    let rank = max(self.rank, other.rank)
    let a = extended(to: rank)
    let b = other.extended(to: rank)
    var result: [Int] = []
    for axis in 0..<rank {
      guard a[axis] == b[axis] || a[axis] == 1 || b[axis] == 1 else { return nil }
      result.append(a[axis] == 1 ? b[axis] : a[axis])
    }
    return Shape(result)
  }

  /// The same tensor with leading dimensions of size 1.
  package func extended(to rank: Int) -> Shape {
    Shape([Int](repeating: 1, count: max(0, rank - self.rank)) + dims)
  }

  /// Each of ONNX's axes as an index.
  func axes(_ axes: [Int], called name: String = "axis") throws(Das3Error) -> [Int] {
    var result: [Int] = []
    for axis in axes { result.append(try self.axis(axis, called: name)) }
    return result
  }

  /// Turns an ONNX axis (negative counts from the end) into an index, or throws.
  package func axis(_ axis: Int, called name: String = "axis") throws(Das3Error) -> Int {
    guard axis >= -rank, axis < rank else {
      throw .shape("\(name) \(axis) is outside a tensor of rank \(rank) (\(self))")
    }
    return axis < 0 ? axis + rank : axis
  }
}
