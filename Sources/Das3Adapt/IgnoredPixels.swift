import Das3Files
import Das3Graph

/// Pixels that count for nothing, in all frames alike: a bonnet, an overlay, the robot's own arm.
package struct IgnoredPixels: Sendable, Equatable {
  package let height, width: Int
  /// One byte a pixel, row by row: 1 = ignored.
  package let marks: [UInt8]
  /// Pixels that are ignored.
  package let count: Int

  /// - Parameters:
  ///   - height: in pixels.
  ///   - width: in pixels.
  ///   - marks: as many; any but 0 is ignored.
  package init(height: Int, width: Int, marks: [UInt8]) {
    (self.height, self.width) = (height, width)
    self.marks = marks.map { $0 == 0 ? 0 : 1 }
    count = self.marks.reduce(0) { $0 + Int($1) }
  }

  /// The part of all pixels, 0…1.
  package var share: Double { Double(count) / Double(max(1, marks.count)) }
  /// Whether no pixel is left that counts.
  package var isEverything: Bool { count == marks.count }

  /// The same at another size.
  ///
  /// Where that is smaller, a pixel is ignored that covers any ignored one, so that none gets lost;
  /// where it is larger, each is like the nearest.
  package func fitted(height newHeight: Int, width newWidth: Int) -> Self {
    guard (newHeight, newWidth) != (height, width) else { return self }
    let rows = Self.sources(of: newHeight, from: height)
    let columns = Self.sources(of: newWidth, from: width)
    let marks = rows.flatMap { rows in
      columns.map { columns -> UInt8 in
        rows.contains { y in columns.contains { self.marks[y * width + $0] != 0 } } ? 1 : 0
      }
    }
    return Self(height: newHeight, width: newWidth, marks: marks)
  }

  /// Which of `count` pixels each of `newCount` pixels covers.
  private static func sources(of newCount: Int, from count: Int) -> [Range<Int>] {
    (0..<newCount).map { index in
      if newCount >= count {
        let nearest = (2 * index + 1) * count / (2 * newCount)
        return nearest..<nearest + 1
      }
      return index * count / newCount..<((index + 1) * count + newCount - 1) / newCount
    }
  }

  /// Left and right exchanged.
  package var mirrored: Self {
    let marks = (0..<height).flatMap { self.marks[$0 * width..<($0 + 1) * width].reversed() }
    return Self(height: height, width: width, marks: marks)
  }

  /// What either of two of the same size ignores.
  package func union(_ other: Self) -> Self {
    Self(height: height, width: width, marks: zip(marks, other.marks).map { $0 | $1 })
  }

  /// By which checkpoints know it again.
  package var digest: String {
    let bytes = Array("\(height)x\(width)".utf8) + marks
    return "\(WholeFile.hexadecimal(WholeFile.digest([.bytes(bytes)])).prefix(16))"
  }
}

extension IgnoredPixels {
  /// What a mask is refused with that leaves nothing to learn from.
  package static let tooMany = Das3Error.argument(
    "the mask ignores every pixel; expected some that count")
}
