/// A rectangle of a picture, whatever its size.
package struct FramePart: Sendable, Equatable {
  /// From where to where along one side, as parts of it; 0…1.
  package struct Extent: Sendable, Equatable {
    package let start, end: Double

    package init(start: Double, end: Double) {
      self.start = start
      self.end = end
    }

    /// The nearest whole pixels, at least one.
    package func pixels(of size: Int) -> Range<Int> {
      let first = min(Int((start * Double(size)).rounded()), size - 1)
      return first..<max(first + 1, Int((end * Double(size)).rounded()))
    }
  }

  package let rows, columns: Extent

  package init(rows: Extent, columns: Extent) {
    self.rows = rows
    self.columns = columns
  }

  package static let whole = FramePart(
    rows: Extent(start: 0, end: 1), columns: Extent(start: 0, end: 1))

  /// The nearest pixels of the part, at another size.
  ///
  /// - Parameters:
  ///   - map: height × width × `pixelBytes`, of the whole picture.
  ///   - height: of the map.
  ///   - width: of the map.
  ///   - pixelBytes: of each pixel.
  ///   - newHeight: of the result.
  ///   - newWidth: of the result.
  /// - Returns: `newHeight` × `newWidth` × `pixelBytes`.
  package func nearest(
    of map: [UInt8], height: Int, width: Int, pixelBytes: Int = 1, newHeight: Int, newWidth: Int
  ) -> [UInt8] {
    guard self != .whole || (newHeight, newWidth) != (height, width) else { return map }
    let (rows, columns) = (rows.pixels(of: height), columns.pixels(of: width))
    let offsets = (0..<newWidth).flatMap { x in
      let column = columns.lowerBound + (2 * x + 1) * columns.count / (2 * newWidth)
      return (0..<pixelBytes).map { column * pixelBytes + $0 }
    }
    return (0..<newHeight).flatMap { y in
      let row = rows.lowerBound + (2 * y + 1) * rows.count / (2 * newHeight)
      return offsets.map { map[row * width * pixelBytes + $0] }
    }
  }
}
