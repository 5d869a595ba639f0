/// The sizes of the dimensions of a tensor, outermost first, as ONNX writes them.
package struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
  /// The most dimensions: kernels have arrays of this size.
  package static let maximumRank = 8
  /// The most elements of a tensor: offsets must fit tables of 32 bits.
  package static let maximumElementCount = Int(Int32.max)
  /// The most elements of all shape arithmetic of a graph together.
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

  /// Throws where a size is negative, or where the rank or the number of elements is too large.
  package func validated() throws(Das3Error) -> Shape {
    guard rank <= Self.maximumRank else {
      throw .unsupported(
        "a tensor of \(rank) dimensions; at most \(Self.maximumRank) are supported")
    }
    var count = 1
    for size in dims {
      guard size >= 0 else { throw .shape("shape \(self) has a negative size") }
      // Strides multiply the sizes, so the others are checked also where one size is 0.
      let (product, overflow) = count.multipliedReportingOverflow(by: max(size, 1))
      guard !overflow, product <= Self.maximumElementCount else {
        throw .limit(
          "a tensor of \(self) elements; at most \(Self.maximumElementCount) are allowed")
      }
      count = product
    }
    return self
  }

  /// The strides of a dense row-major tensor, in elements.
  package var contiguousStrides: [Int] { strides(order: Array(dims.indices)) }

  /// The strides of a dense tensor whose axes are in `order`, outermost first.
  func strides(order: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: rank)
    var stride = 1
    for axis in order.reversed() {
      strides[axis] = stride
      stride *= dims[axis]
    }
    return strides
  }

  /// The shape to which both broadcast by the multidirectional rule of ONNX; nil where they do not.
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

  /// The shape with leading dimensions of size 1 up to `rank`.
  package func extended(to rank: Int) -> Shape {
    Shape([Int](repeating: 1, count: max(0, rank - self.rank)) + dims)
  }

  /// Turns ONNX axes into indices, as `axis` does.
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
