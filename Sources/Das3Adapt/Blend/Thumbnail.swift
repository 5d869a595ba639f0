import Das3Graph
import Glibc

/// A frame as 8 × 8 gray cells: whether it shows anything, and how much frames differ.
///
/// Cells are means of many pixels, so that the noise of a sensor does not count as a picture.
package struct Thumbnail: Sendable, Equatable {
  package static let side = 8

  /// Row by row, in levels of an 8-bit pixel.
  package var cells: [Double]

  /// - Parameters:
  ///   - image: height × width × channels, as the network sees it.
  ///   - height: of it.
  ///   - width: of it.
  ///   - channelCount: of it.
  ///   - metadata: by whose preprocessing it was made.
  ///   - ignored: pixels that are none of the picture, at any size; nil = there are none.
  package init(
    _ image: Span<Float>, height: Int, width: Int, channelCount: Int, _ metadata: Metadata,
    ignored: IgnoredPixels? = nil
  ) {
    let ignored = ignored?.fitted(height: height, width: width).marks
    let side = Self.side
    var sums = [Double](repeating: 0, count: side * side)
    var counts = sums
    // Back to levels; what is added to all of them does not matter here.
    let factors = (0..<channelCount).map {
      Double(metadata.deviation[$0] / metadata.scale) / Double(channelCount)
    }
    for y in 0..<height {
      let row = y * side / height * side
      for x in 0..<width where (ignored?[y * width + x] ?? 0) == 0 {
        let cell = row + x * side / width
        var level = 0.0
        for channel in 0..<channelCount {
          level += factors[channel] * Double(image[(y * width + x) * channelCount + channel])
        }
        sums[cell] += level
        counts[cell] += 1
      }
    }
    // A cell that is ignored as a whole is like the others, so that it adds no contrast.
    let mean = sums.reduce(0, +) / Swift.max(1, counts.reduce(0, +))
    cells = zip(sums, counts).map { $1 > 0 ? $0 / $1 : ignored == nil ? 0 : mean }
  }

  /// Levels of an 8-bit pixel; with less contrast a frame shows nothing: black, fog, a covered lens.
  static let leastContrast = 2.0

  /// Mean difference of a cell from that of another picture, in levels.
  func distance(to other: Thumbnail) -> Double {
    zip(cells, other.cells).reduce(0) { $0 + abs($1.0 - $1.1) } / Double(cells.count)
  }

  /// Standard deviation over the cells.
  package var contrast: Double { sqrt(cells.variance) }
}

extension Trainer {
  /// What the loaded picture looks like.
  ///
  /// - Parameter ignored: pixels that are none of it; nil = there are none.
  /// - Returns: its cells.
  func thumbnail(ignored: IgnoredPixels?) -> Thumbnail {
    withImage {
      Thumbnail(
        $0, height: height, width: width, channelCount: model.channelCount, model.metadata,
        ignored: ignored)
    }
  }
}

/// How much many thumbnails differ from each other.
package struct ThumbnailSpread: Sendable, Equatable {
  package private(set) var count = 0
  private var sums = [Double](repeating: 0, count: Thumbnail.side * Thumbnail.side)
  private var squares = 0.0

  package mutating func add(_ thumbnail: Thumbnail) {
    count += 1
    for (index, cell) in thumbnail.cells.enumerated() {
      sums[index] += cell
      squares += cell * cell
    }
  }

  /// Root of the mean squared distance of a cell from its mean over all frames, in levels.
  package var value: Double {
    guard count > 0 else { return 0 }
    let ofMeans = sums.reduce(0) { $0 + $1 * $1 / Double(count) }
    return sqrt(max(0, squares - ofMeans) / Double(count * sums.count))
  }

  /// The sums as a checkpoint keeps them.
  package var numbers: [Double] { [Double(count), squares] + sums }

  package init() {}

  package init?(_ numbers: [Double]) {
    guard numbers.count == 2 + sums.count, let count = Int(exactly: numbers[0]), count >= 0
    else { return nil }
    (self.count, squares) = (count, numbers[1])
    sums = Array(numbers[2...])
  }
}

extension [Double] {
  fileprivate var variance: Double {
    let mean = reduce(0, +) / Double(Swift.max(1, count))
    return reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(Swift.max(1, count))
  }
}
