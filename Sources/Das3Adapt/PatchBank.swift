import Das3Graph
import Das3Runtime

/// Cells of the frames' 4 × 4 grids in which a rare class has labels, to be laid over mixed frames
/// where they were (Luo et al., CROTS, 2024).
package struct PatchBank: Sendable, Equatable {
  /// A cell of a frame.
  package struct Patch: Sendable, Equatable {
    fileprivate let frameNumber: Int32
    fileprivate let cell: UInt8

    package var frame: Int { Int(frameNumber) }
    package var part: FramePart { PatchBank.cells[Int(cell)] }
  }

  private static let side = 4
  /// Of a cell's pixels, so many must be of the class.
  private static let leastShare = 1.0 / 64
  /// Of each class; of more, all are as likely to be among them.
  private static let mostPatches = 1024

  /// Of every rare class its patches; only of classes that have any.
  package private(set) var patches: [[Patch]] = []

  package init() {}

  /// Looks for rare classes: those with less than an equal share of the labels.
  ///
  /// - Parameters:
  ///   - frameCount: how many frames have labels.
  ///   - shape: of the scores, 1×C×h×w.
  ///   - random: draws which patches are kept where there are many; nil = the first are.
  ///   - readLabels: fills in those of a frame, 255 = none.
  /// - Throws: what `readLabels` throws.
  package init(
    frameCount: Int, shape: Shape, _ random: inout Random?,
    readLabels: (_ frame: Int, _ labels: inout [UInt8]) throws(Das3Error) -> Void
  ) throws(Das3Error) {
    let (classCount, height, width) = (shape[1], shape[2], shape[3])
    var labels = [UInt8](repeating: 255, count: height * width)
    var totals = [Int](repeating: 0, count: classCount)
    var found = [[Patch]](repeating: [], count: classCount)
    var foundCounts = totals
    for frame in 0..<frameCount {
      try readLabels(frame, &labels)
      for (cell, part) in Self.cells.enumerated() {
        let (rows, columns) = (part.rows.pixels(of: height), part.columns.pixels(of: width))
        var counts = [Int](repeating: 0, count: 256)
        for y in rows {
          for label in labels[y * width + columns.lowerBound..<y * width + columns.upperBound] {
            counts[Int(label)] += 1
          }
        }
        let fewest = Self.leastShare * Double(rows.count * columns.count)
        let patch = Patch(frameNumber: Int32(frame), cell: UInt8(cell))
        for label in 0..<classCount {
          totals[label] += counts[label]
          guard Double(counts[label]) >= fewest else { continue }
          foundCounts[label] += 1
          if found[label].count < Self.mostPatches {
            found[label].append(patch)
          } else if let place = random?.below(foundCounts[label]), place < Self.mostPatches {
            found[label][place] = patch
          }
        }
      }
    }
    let equal = totals.reduce(0, +) / max(1, classCount)
    patches = (0..<classCount).filter { totals[$0] < equal && !found[$0].isEmpty }.map { found[$0] }
  }

  fileprivate static let cells: [FramePart] = {
    let extents = (0..<side).map {
      FramePart.Extent(start: Double($0) / Double(side), end: Double($0 + 1) / Double(side))
    }
    return extents.flatMap { rows in extents.map { FramePart(rows: rows, columns: $0) } }
  }()

  /// A patch of a rare class, each class as often as another; without `random` the first; nil = there
  /// is none.
  package func draw(_ random: inout Random?) -> Patch? {
    guard !patches.isEmpty else { return nil }
    let ofClass = patches[random?.below(patches.count) ?? 0]
    return ofClass[random?.below(ofClass.count) ?? 0]
  }

  package var byteCount: Int {
    patches.reduce(0) { $0 + $1.count * MemoryLayout<Patch>.stride }
  }

  /// Bytes that it takes at most.
  package static func mostByteCount(classCount: Int) -> Int {
    classCount * mostPatches * MemoryLayout<Patch>.stride
  }
}
