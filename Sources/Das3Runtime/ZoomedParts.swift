internal import CKernels
import Das3Graph

/// A picture as four overlapping parts, each of which a network sees enlarged to its whole input, and
/// what it says of them, laid together.
///
/// Where parts overlap, each counts the more the farther the pixel is from its border.
package final class ZoomedParts {
  /// Of the height and of the width of the picture; 0.5…1.
  private static let side = 0.6
  private static let extents = [
    FramePart.Extent(start: 0, end: side), FramePart.Extent(start: 1 - side, end: 1),
  ]

  package static let parts = extents.flatMap { rows in
    extents.map { FramePart(rows: rows, columns: $0) }
  }

  /// One side of a part within the image.
  private struct Side {
    let pixels: Range<Int>
    let axis: AxisTable
    /// What each pixel counts; those of both parts sum to 1.
    let shares: [Float]

    init(_ extent: FramePart.Extent, of size: Int) {
      let all = ZoomedParts.extents.map { $0.pixels(of: size) }
      let (first, second) = (all[0], all[1])
      let overlap = max(1, first.upperBound - second.lowerBound)
      let pixels = extent.pixels(of: size)
      self.pixels = pixels
      axis = AxisTable(.halfPixel(from: size, to: pixels.count))
      shares = pixels.map { position in
        let other = pixels == first ? second : first
        guard pixels != other, other.contains(position) else { return pixels == other ? 0.5 : 1 }
        let rising = (Float(position - second.lowerBound) + 0.5) / Float(overlap)
        return pixels == first ? 1 - rising : rising
      }
    }
  }

  private let height, width, channelCount: Int
  private let values: Arena

  /// - Parameter shape: 1×C×h×w, of what the network says.
  /// - Throws: `.memory` where the machine does not suffice.
  package init(_ shape: Shape) throws(Das3Error) {
    (channelCount, height, width) = (shape[1], shape[2], shape[3])
    values = try Arena(elementCount: shape.elementCount)
  }

  package var byteCount: Int { values.elementCount * MemoryLayout<Float>.stride }

  /// What was laid together, channels last.
  package var pointer: UnsafeMutablePointer<Float> { unsafe values.pointer(at: 0) }

  package func clear() { values.clear() }

  /// Takes the physical memory now.
  package func populate() { values.populate() }

  /// Lays what the network says of an enlarged part at its place.
  ///
  /// - Parameters:
  ///   - enlarged: values of the part, of the whole shape, channels last.
  ///   - part: one of `parts`.
  ///   - threads: of the one pool.
  package func add(_ enlarged: Arena, at part: FramePart, threads: Int) {
    let rows = Side(part.rows, of: height)
    let columns = Side(part.columns, of: width)
    unsafe rows.axis.withAxis { rowAxis in
      unsafe columns.axis.withAxis { columnAxis in
        unsafe rows.shares.withUnsafeBufferPointer { rowShares in
          unsafe columns.shares.withUnsafeBufferPointer { columnShares in
            var place = unsafe d3k_part(
              rows: rowAxis, columns: columnAxis, row_shares: rowShares.baseAddress,
              column_shares: columnShares.baseAddress, in_width: Int64(width),
              classes: Int64(channelCount), width: Int64(width),
              first_row: Int64(rows.pixels.lowerBound),
              first_column: Int64(columns.pixels.lowerBound))
            unsafe d3k_add_part(Int32(threads), &place, enlarged.pointer(at: 0), pointer)
          }
        }
      }
    }
  }
}
